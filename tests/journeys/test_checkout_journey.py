"""A partner creates a customer and a Checkout page; the customer pays in a browser and sees it in GraphQL."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.browser import Visit
from tests.support.demo import Demo, eventually

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SEEN = """{
  subscriptions(first: 5) { nodes { id status cancelAtPeriodEnd latestInvoice { status amountPaid { amount } } } }
  invoices(first: 5) { nodes { status total { amount } payments { status declineCode } } }
}"""
CREATE = """mutation($input: CustomerCreateInput!) {
  customerCreate(input: $input) { customer { id stripeId } errors { code message } revision } }"""
TOKEN = (
    """mutation($input: CustomerTokenCreateInput!) { customerTokenCreate(input: $input) { token errors { code } } }"""
)
CHECKOUT = """mutation($input: CheckoutSessionCreateInput!) {
  checkoutSessionCreate(input: $input) { checkoutSession { id url status } errors { code message } revision } }"""
PORTAL = (
    """mutation($input: PortalSessionCreateInput!) { portalSessionCreate(input: $input) { url errors { code } } }"""
)
CANCEL = """mutation($input: SubscriptionCancelInput!) {
  subscriptionCancel(input: $input) { subscription { status cancelAtPeriodEnd cancelAt } errors { code message } } }"""


class Payer:
    """A customer made for one journey."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.partner = demo.tenant()["partner_key"]
        made = demo.ask(self.partner, CREATE, {"input": {"email": f"{uuid4().hex}@payers.example", "name": "Payer"}})
        self.id = made["customerCreate"]["customer"]["id"]
        asked = {"input": {"customer": self.id}}
        self.token = demo.ask(self.partner, TOKEN, asked)["customerTokenCreate"]["token"]

    def checkout_url(self) -> str:
        plan = self.demo.ask(self.token, "{ plans(first: 1) { nodes { id } } }")["plans"]["nodes"][0]["id"]
        asked = {"plan": plan, "customer": self.id, "idempotencyKey": uuid4().hex}
        asked["successUrl"] = f"{self.demo.told['gateway']}/livez?session={{CHECKOUT_SESSION_ID}}"
        made = self.demo.ask(self.partner, CHECKOUT, {"input": asked})["checkoutSessionCreate"]
        assert made["errors"] == []
        url: str = made["checkoutSession"]["url"]
        return url

    def sees(self) -> dict[str, Any]:
        return self.demo.ask(self.token, SEEN)


@pytest.fixture
def new_payer(demo: Demo) -> Callable[[], Payer]:
    return lambda: Payer(demo)


async def pay(visit: Visit, url: str, card: str) -> None:
    page = visit.page
    await page.goto(url)
    await page.fill("#card-number", card)
    await page.fill("#card-expiry", "12 / 34")
    await page.fill("#card-cvc", "123")
    await page.click("#pay")


async def test_a_paid_checkout_is_an_active_subscription_and_a_paid_invoice(
    new_payer: Callable[[], Payer], chromium_page: Visit
) -> None:
    payer = new_payer()
    assert payer.sees() == {"subscriptions": {"nodes": []}, "invoices": {"nodes": []}}
    await pay(chromium_page, payer.checkout_url(), "4242424242424242")
    await chromium_page.page.wait_for_url("**/livez?session=cs_test_*")
    paid = time.monotonic()

    def active() -> dict[str, Any] | None:
        seen = payer.sees()
        subscriptions = seen["subscriptions"]["nodes"]
        # the two objects arrive by events of their own, in any order
        ready = subscriptions and (subscriptions[0]["latestInvoice"] or {}).get("status") == "PAID"
        ready = ready and subscriptions[0]["status"] == "ACTIVE"
        return seen if ready and seen["invoices"]["nodes"][0]["payments"] else None

    seen = eventually(active)
    print(f"seen {time.monotonic() - paid:.2f} s after paying")
    assert [one["status"] for one in seen["subscriptions"]["nodes"]] == ["ACTIVE"]
    invoice = seen["invoices"]["nodes"][0]
    assert invoice["status"] == "PAID"
    assert invoice["payments"] == [{"status": "SUCCEEDED", "declineCode": None}]
    assert seen["subscriptions"]["nodes"][0]["latestInvoice"]["amountPaid"] == invoice["total"]
    assert chromium_page.foreign_requests() == []


async def test_a_declined_card_is_a_failed_payment_and_no_active_subscription(
    new_payer: Callable[[], Payer], chromium_page: Visit
) -> None:
    payer = new_payer()
    await pay(chromium_page, payer.checkout_url(), "4000000000000341")
    await chromium_page.page.get_by_role("alert").wait_for()
    account = payer.demo.tenant()["account"]
    tried = [
        one
        for one in payer.demo.stripe_list("/v1/payment_intents", account)
        if one["last_payment_error"] and one["status"] == "requires_payment_method"
    ]
    assert tried
    assert [one for one in payer.sees()["subscriptions"]["nodes"] if one["status"] == "ACTIVE"] == []


async def test_the_portal_opens_and_a_cancellation_shows(new_payer: Callable[[], Payer], chromium_page: Visit) -> None:
    payer = new_payer()
    await pay(chromium_page, payer.checkout_url(), "4242424242424242")
    await chromium_page.page.wait_for_url("**/livez?session=cs_test_*")
    nodes = eventually(lambda: payer.sees()["subscriptions"]["nodes"])
    asked = {"input": {"returnUrl": "http://127.0.0.1/back"}}
    portal = payer.demo.ask(payer.token, PORTAL, asked)["portalSessionCreate"]
    answer = await chromium_page.page.goto(portal["url"])
    assert answer is not None
    assert answer.status == 200
    cancelled = payer.demo.ask(payer.token, CANCEL, {"input": {"subscription": nodes[0]["id"]}})["subscriptionCancel"]
    assert cancelled["errors"] == []
    assert cancelled["subscription"]["status"] == "ACTIVE"
    assert cancelled["subscription"]["cancelAtPeriodEnd"] is True
    assert payer.sees()["subscriptions"]["nodes"][0]["cancelAtPeriodEnd"] is True
