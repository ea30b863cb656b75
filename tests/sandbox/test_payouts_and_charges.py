"""Payouts, charges without a payment intent, login links: the older and smaller parts of the money."""

from urllib.parse import urlsplit

import httpx
import pytest
import stripe

from tests.sandbox.billed import customer_with, monthly
from tests.sandbox.server import official_client, raw, sandbox_running


class Clock:
    now = 1_767_225_600.0

    def __call__(self) -> float:
        return self.now


def fee(amount: int) -> int:
    return (amount * 29 + 500) // 1_000 + 30


async def available(client: stripe.StripeClient) -> int:
    return (await client.v1.balance.retrieve_async()).available[0].amount


async def test_money_is_paid_out_arrives_and_comes_back() -> None:
    clock = Clock()
    async with sandbox_running(clock=clock) as address, official_client(address) as client:
        await client.v1.charges.create_async({"amount": 10_000, "currency": "usd", "source": "tok_visa"})
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await client.v1.payouts.create_async({"amount": 100, "currency": "usd"})
        assert refused.value.code == "balance_insufficient"  # it is pending for a week
        clock.now += 8 * 86_400
        net = 10_000 - fee(10_000)
        assert await available(client) == net
        first = await client.v1.payouts.create_async({"amount": 4_000, "currency": "usd"})
        second = await client.v1.payouts.create_async({"amount": 1_000, "currency": "usd"})
        assert await available(client) == net - 5_000
        cancelled = await client.v1.payouts.cancel_async(second.id)
        assert (cancelled.status, await available(client)) == ("canceled", net - 4_000)
        clock.now = first.arrival_date + 1.0
        while (await client.v1.payouts.retrieve_async(first.id)).status != "paid":
            pass
        with pytest.raises(stripe.InvalidRequestError):
            await client.v1.payouts.cancel_async(first.id)
        back = await client.v1.payouts.reverse_async(first.id)
        assert (back.amount, back.original_payout, await available(client)) == (-4_000, first.id, net)
        listed = await client.v1.payouts.list_async({"status": "paid"})
        assert [one.id for one in listed.data] == [first.id]
        transaction = await client.v1.balance_transactions.retrieve_async(str(first.balance_transaction))
        assert (transaction.type, transaction.net, transaction.fee) == ("payout", -4_000, 0)


async def test_a_charge_without_an_intent_is_authorised_and_captured(client: stripe.StripeClient) -> None:
    customer = await customer_with(client)
    made = await client.v1.charges.create_async(
        {"amount": 2_000, "currency": "usd", "customer": customer, "capture": False, "metadata": {"order": "1"}}
    )
    assert (made.captured, made.payment_intent, raw(made)["metadata"]) == (False, None, {"order": "1"})
    taken = await client.v1.charges.capture_async(made.id, {"amount": 1_500})
    assert (taken.captured, taken.amount_captured, taken.amount_refunded) == (True, 1_500, 500)
    with pytest.raises(stripe.InvalidRequestError) as again:
        await client.v1.charges.capture_async(made.id)
    assert again.value.code == "charge_already_captured"
    refund = await client.v1.refunds.create_async({"charge": made.id})
    assert refund.amount == 1_500  # what was captured


async def test_a_declined_charge_is_kept_and_answered_with_402(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.CardError) as declined:
        await client.v1.charges.create_async({"amount": 999, "currency": "usd", "source": "tok_chargeDeclined"})
    assert declined.value.code == "card_declined"
    (kept,) = (await client.v1.charges.list_async()).data
    assert (kept.status, kept.paid) == ("failed", False)
    assert kept.balance_transaction is None


async def test_a_charge_needs_somebody_to_pay(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.charges.create_async({"amount": 999, "currency": "usd"})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.charges.create_async({"amount": 999, "currency": "usd", "source": "pm_card_visa"})
    assert not (await client.v1.charges.list_async()).data


async def test_a_login_link_opens_once(client: stripe.StripeClient, address: str) -> None:
    account = await client.v1.accounts.create_async(
        {
            "controller": {"stripe_dashboard": {"type": "express"}},
            "capabilities": {"transfers": {"requested": True}},
            "metadata": {"sandbox_enabled": "true"},
        }
    )
    link = await client.v1.accounts.login_links.create_async(account.id)
    path = urlsplit(link.url).path
    async with httpx.AsyncClient(base_url=address) as browser:
        shown = await browser.get(path)
        assert shown.status_code == 200
        assert "Available balance: $0.00" in shown.text
        assert (await browser.get(path)).status_code == 404
    standard = await client.v1.accounts.create_async({"type": "standard"})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.accounts.login_links.create_async(standard.id)


async def test_a_migration_has_nothing_to_do(client: stripe.StripeClient) -> None:
    customer, price = await customer_with(client), await monthly(client, 1_000)
    made = await client.v1.subscriptions.create_async({"customer": customer, "items": [{"price": price}]})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.v1.subscriptions.migrate_async(made.id, {"billing_mode": {"type": "flexible"}})
    assert refused.value.param == "billing_mode"
