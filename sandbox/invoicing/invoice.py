"""Makes invoices and keeps their totals consistent."""

from decimal import Decimal

from sandbox.billing.amounts import smallest
from sandbox.billing.periods import Period
from sandbox.billing.pricing import rounded
from sandbox.context import Context
from sandbox.invoicing.automatic_tax import of_invoice
from sandbox.invoicing.lines import put_lines
from sandbox.invoicing.reductions import active, reduce_lines
from sandbox.invoicing.taxes import added, tax_lines, without_tax
from sandbox.store import Object

# What every new invoice begins with.
NULL = (
    "account_tax_ids",
    "application",
    "automatically_finalizes_at",
    "custom_fields",
    "customer_account",
    "default_payment_method",
    "default_source",
    "due_date",
    "effective_at",
    "ending_balance",
    "footer",
    "from_invoice",
    "hosted_invoice_url",
    "invoice_pdf",
    "last_finalization_error",
    "latest_revision",
    "next_payment_attempt",
    "number",
    "on_behalf_of",
    "receipt_number",
    "rendering",
    "shipping_cost",
    "shipping_details",
    "statement_descriptor",
    "status_details",
    "_fee",
)
ZERO = (
    "amount_overpaid",
    "amount_paid",
    "amount_paid_off_stripe",
    "amount_shipping",
    "attempt_count",
    "post_payment_credit_notes_amount",
    "pre_payment_credit_notes_amount",
)
EMPTY = (
    "customer_tax_ids",
    "total_discount_amounts",
    "total_pretax_credit_amounts",
)


def new_invoice(
    ctx: Context,
    *,
    customer: Object,
    currency: str,
    reason: str,
    lines: list[Object],
    period: Period | None = None,
    subscription: Object | None = None,
    proration_date: int | None = None,
    collection_method: str = "charge_automatically",
    days_until_due: int | None = None,
    auto_advance: bool = False,
) -> Object:
    """A draft with its totals; it is neither stored nor told yet, so that a preview is made the same way."""
    invoice_id = ctx.new_id("in")
    account = ctx.tx.get(ctx.config.platform, "account", ctx.account) or {}
    discounts = [] if subscription is None else active(ctx, subscription)
    invoice: Object = {
        **dict.fromkeys(NULL),
        **dict.fromkeys(ZERO, 0),
        **{name: [] for name in EMPTY},
        **_looks(customer, subscription),
        "id": invoice_id,
        "object": "invoice",
        "account_country": account.get("country", "US"),
        "account_name": (account.get("business_profile") or {}).get("name"),
        "attempted": False,
        "auto_advance": auto_advance,
        "automatic_tax": of_invoice(subscription and subscription["automatic_tax"], customer),
        "billing_reason": reason,
        "collection_method": collection_method,
        "created": ctx.now,
        "currency": currency,
        "customer": customer["id"],
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": customer["phone"],
        "customer_shipping": customer["shipping"],
        "customer_tax_exempt": customer["tax_exempt"],
        "default_tax_rates": list(subscription["default_tax_rates"]) if subscription else [],
        "discounts": [discount["id"] for discount in discounts],
        "livemode": False,
        "metadata": {},
        "on_behalf_of": subscription and subscription["on_behalf_of"],
        "parent": _parent(subscription, proration_date),
        "period_end": period.end if period else ctx.now,
        "period_start": period.start if period else ctx.now,
        "starting_balance": customer["balance"],
        "status": "draft",
        "status_transitions": dict.fromkeys(("finalized_at", "marked_uncollectible_at", "paid_at", "voided_at")),
        "test_clock": customer["test_clock"],
        "webhooks_delivered_at": ctx.now,
        "_days_until_due": days_until_due,
        "_discounts": discounts,
        "_fee_percent": subscription and subscription["application_fee_percent"],
        "_subscription": subscription and subscription["id"],
        "_transfer": subscription and subscription["transfer_data"],
    }
    put_lines(invoice, lines)
    add_up(ctx, invoice)
    return invoice


def _looks(customer: Object, subscription: Object | None) -> Object:
    """What the customer's invoice settings say, and before them those of the subscription."""
    own: Object = customer["invoice_settings"]
    settings: Object = {"default_mandate": None, "payment_method_options": None, "payment_method_types": None}
    looks: Object = {
        "custom_fields": own["custom_fields"],
        "description": None,
        "footer": own["footer"],
        "issuer": {"type": "self"},
        "payment_settings": settings,
    }
    if subscription is not None:
        wanted: Object = subscription["invoice_settings"]
        asked: Object = subscription["payment_settings"]
        options: Object | None = asked["payment_method_options"]
        # an invoice does not show the network that the subscription asks for
        card = {name: value for name, value in ((options or {}).get("card") or {}).items() if name != "network"}
        settings |= {
            "payment_method_options": options and options | {"card": card},
            "payment_method_types": asked["payment_method_types"],
        }
        looks |= {name: wanted[name] for name in ("custom_fields", "footer") if wanted[name]}
        looks |= {
            "description": wanted["description"] or subscription["description"],
            "issuer": wanted["issuer"],
        }
    return looks


def add_up(ctx: Context, invoice: Object) -> int:
    """Set every total from the lines and the starting balance; returns the balance that would be left."""
    subtotal = sum(line["amount"] for line in invoice["_lines"])
    named = [discount for line in invoice["_lines"] for discount in line["discounts"]]
    found = {one: ctx.tx.get(ctx.account, "discount", one) for one in named}
    own = {one: discount for one, discount in found.items() if discount is not None}
    reductions = reduce_lines(invoice["_lines"], invoice["_discounts"], own)
    taxes = tax_lines(ctx, invoice)
    total = subtotal - sum(each["amount"] for each in reductions) + added(taxes)
    due, left = owed(total, invoice["starting_balance"], invoice["currency"])
    invoice |= {
        "amount_due": due,
        "amount_remaining": due - invoice["amount_paid"],
        "subtotal": subtotal,
        "subtotal_excluding_tax": sum(without_tax(line) for line in invoice["_lines"]),
        "total": total,
        "total_discount_amounts": reductions,
        "total_pretax_credit_amounts": [{**each, "type": "discount"} for each in reductions],
        "total_excluding_tax": total - sum(each["amount"] for each in taxes),
        "total_taxes": taxes,
    }
    return left


def owed(total: int, balance: int, currency: str) -> tuple[int, int]:
    """What is charged now and the customer's balance after it: a credit is used up, a too small sum is kept."""
    sum_of_both = total + balance
    if sum_of_both < smallest(currency):
        return 0, sum_of_both
    return sum_of_both, 0


def application_fee(invoice: Object) -> int | None:
    """What the platform takes: the fixed fee, or the subscription's percentage of the total."""
    fee: int | None = invoice["_fee"]
    if fee is not None or invoice["_fee_percent"] is None:
        return fee
    share = round(invoice["total"] * invoice["_fee_percent"] / 100)
    return int(min(share, invoice["amount_due"]))


def transfer(invoice: Object) -> Object | None:
    """The `transfer_data` of the invoice's payment: a part of the total, a sum, or all of it."""
    data: Object | None = invoice.get("_transfer")
    if data is None:
        return None
    amount = data.get("amount")
    if data.get("amount_percent") is not None:
        amount = min(rounded(Decimal(str(data["amount_percent"])) * invoice["total"] / 100), invoice["amount_due"])
    whole: Object = {"destination": data["destination"]}
    return whole if amount is None else whole | {"amount": amount}


def _parent(subscription: Object | None, proration_date: int | None) -> Object | None:
    if subscription is None:
        return None
    details = {"metadata": dict(subscription["metadata"]), "subscription": subscription["id"]}
    if proration_date is not None:
        details["subscription_proration_date"] = proration_date
    return {"quote_details": None, "subscription_details": details, "type": "subscription_details"}
