"""Tax rates on invoices: every amount is worked out in the test."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
import stripe

from tests.sandbox.billed import customer_with, monthly


def nearest(exact: Decimal) -> int:
    return int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))


async def rate(client: stripe.StripeClient, percentage: float, *, inclusive: bool = False, name: str = "VAT") -> str:
    made = await client.v1.tax_rates.create_async(
        {"display_name": name, "percentage": percentage, "inclusive": inclusive}
    )
    return made.id


async def invoice_of(client: stripe.StripeClient, customer: str, amounts: list[int], **more: Any) -> stripe.Invoice:
    made = await client.v1.invoices.create_async({"customer": customer, **more})  # type: ignore[arg-type]
    for amount in amounts:
        await client.v1.invoice_items.create_async(
            {"customer": customer, "invoice": made.id, "amount": amount, "currency": "usd"}
        )
    return await client.v1.invoices.finalize_invoice_async(made.id)


async def test_an_exclusive_tax_is_added_line_by_line(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    vat = await rate(client, 8.875)
    invoice = await invoice_of(client, customer, [1_003, 2_999], default_tax_rates=[vat])
    parts = [nearest(Decimal(amount) * Decimal("8.875") / 100) for amount in (1_003, 2_999)]
    assert [line.taxes[0].amount for line in invoice.lines.data if line.taxes] == parts[::1]
    assert invoice.subtotal == 4_002
    assert invoice.total_excluding_tax == 4_002
    assert invoice.total == invoice.amount_due == 4_002 + sum(parts)
    assert invoice.total_taxes is not None
    (whole,) = invoice.total_taxes
    assert (whole.amount, whole.tax_behavior, whole.taxable_amount) == (sum(parts), "exclusive", 4_002)
    assert whole.tax_rate_details is not None
    assert whole.tax_rate_details.tax_rate == vat


async def test_an_inclusive_tax_is_a_part_of_the_price(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    vat = await rate(client, 19.0, inclusive=True)
    invoice = await invoice_of(client, customer, [11_900, 999], default_tax_rates=[vat])
    parts = [nearest(Decimal(amount) * 19 / 119) for amount in (11_900, 999)]
    assert invoice.total == invoice.subtotal == 12_899
    assert invoice.total_excluding_tax == invoice.subtotal_excluding_tax == 12_899 - sum(parts)


async def test_inclusive_and_exclusive_after_a_discount(client: stripe.StripeClient) -> None:
    """First the coupon, then the tax inside, then the tax on top of what is left without it."""
    customer = await customer_with(client)
    coupon = await client.v1.coupons.create_async({"percent_off": 15, "duration": "once"})
    inside, on_top = await rate(client, 7, inclusive=True), await rate(client, 2.5, name="City")
    invoice = await invoice_of(
        client, customer, [10_001], default_tax_rates=[inside, on_top], discounts=[{"coupon": coupon.id}]
    )
    base = 10_001 - nearest(Decimal(10_001) * 15 / 100)
    included = nearest(Decimal(base) * 7 / 107)
    added = nearest(Decimal(base - included) * Decimal("2.5") / 100)
    assert invoice.total == base + added
    assert invoice.total_excluding_tax == base - included
    assert {tax.tax_behavior: tax.amount for tax in invoice.total_taxes or []} == {
        "inclusive": included,
        "exclusive": added,
    }
    assert invoice.total_discount_amounts is not None
    assert [each.amount for each in invoice.total_discount_amounts] == [10_001 - base]


@pytest.mark.parametrize(("exempt", "reason"), [("exempt", "customer_exempt"), ("reverse", "reverse_charge")])
async def test_an_exempt_customer_pays_no_tax(client: stripe.StripeClient, exempt: Any, reason: str) -> None:
    customer = await customer_with(client, tax_exempt=exempt)
    invoice = await invoice_of(client, customer, [5_000], default_tax_rates=[await rate(client, 20)])
    assert invoice.total == 5_000
    assert [(tax.amount, tax.taxability_reason) for tax in invoice.total_taxes or []] == [(0, reason)]


async def test_a_subscriptions_rates_tax_each_renewal_and_each_proration(client: stripe.StripeClient) -> None:
    clock = await client.v1.test_helpers.test_clocks.create_async({"frozen_time": 1_767_225_600})  # 1 Jan 2026
    customer = await customer_with(client, test_clock=clock.id)
    vat, reduced = await rate(client, 20), await rate(client, 5, name="Reduced")
    full, books = await monthly(client, 3_100), await monthly(client, 999)
    made = await client.v1.subscriptions.create_async(
        {
            "customer": customer,
            "items": [{"price": full}, {"price": books, "tax_rates": [reduced]}],
            "default_tax_rates": [vat],
        }
    )
    taxes = 620 + nearest(Decimal(999) * 5 / 100)
    first = await client.v1.invoices.retrieve_async(str(made.latest_invoice))
    assert first.total == 3_100 + 999 + taxes
    assert first.amount_paid == first.total
    dearer = await monthly(client, 6_200)
    item = made["items"].data[0].id
    changed = await client.v1.subscriptions.update_async(
        made.id, {"items": [{"id": item, "price": dearer}], "proration_behavior": "always_invoice"}
    )
    proration = await client.v1.invoices.retrieve_async(str(changed.latest_invoice))
    # In the first second of the period the whole of both: 6,200 - 3,100, each taxed with 20%.
    assert (proration.subtotal, proration.total) == (3_100, 3_100 + 1_240 - 620)


async def test_a_credit_note_gives_the_tax_back(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    invoice = await invoice_of(client, customer, [9_990], default_tax_rates=[await rate(client, 10)])
    paid = await client.v1.invoices.pay_async(invoice.id)
    line = paid.lines.data[0].id
    tax = nearest(Decimal(999) * 3_330 / 9_990)
    note = await client.v1.credit_notes.create_async(
        {
            "invoice": invoice.id,
            "lines": [{"type": "invoice_line_item", "invoice_line_item": line, "amount": 3_330}],
            "refund_amount": 3_330 + tax,
        }
    )
    assert (note.subtotal, note.total, note.total_excluding_tax) == (3_330, 3_330 + tax, 3_330)


async def test_an_archived_rate_is_refused_and_nothing_is_made(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    old = await rate(client, 10)
    await client.v1.tax_rates.update_async(old, {"active": False})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.invoices.create_async({"customer": customer, "default_tax_rates": [old]})
    assert refused.value.param == "default_tax_rates[0]"
    assert not (await client.v1.invoices.list_async({"customer": customer})).data
