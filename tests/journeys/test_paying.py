"""A subscription whose first payment fails or needs its customer: why is seen at once, and how to pay it."""

from typing import Any
from uuid import uuid4

import pytest

from tests.support.demo import Demo, eventually

pytestmark = pytest.mark.slow

CREATE = """mutation ($input: CustomerCreateInput!) { made: customerCreate(input: $input) {
  customer { id stripeId } errors { code field } } }"""
SUBSCRIBE = """mutation ($input: SubscriptionCreateInput!) { made: subscriptionCreate(input: $input) {
  subscription { id stripeId status items { quantity } latestInvoice { id status amountDue { amount }
    payments { status declineCode failureMessage } } }
  clientSecret errors { code field ... on CardError { declineCode } } revision } }"""
CHANGE = """mutation ($input: SubscriptionChangeInput!) { made: subscriptionChange(input: $input) {
  subscription { items { quantity } customer { name } latestInvoice { status } } errors { code field } } }"""
CANCEL = """mutation ($input: SubscriptionCancelInput!) { made: subscriptionCancel(input: $input) {
  subscription { cancelAtPeriodEnd status } errors { code field } } }"""
UNCANCEL = """mutation ($input: SubscriptionUncancelInput!) { made: subscriptionUncancel(input: $input) {
  subscription { cancelAtPeriodEnd cancelAt status } errors { code field } } }"""
UPDATE = """mutation ($input: CustomerUpdateInput!) { made: customerUpdate(input: $input) {
  customer { name phone address { line1 city country } defaultPaymentMethod { stripeId cardLast4 } }
  errors { code field } } }"""
DETACH = """mutation ($input: PaymentMethodDetachInput!) { made: paymentMethodDetach(input: $input) {
  paymentMethod { id } errors { code field } } }"""
PAY = """mutation ($input: InvoicePayInput!) { made: invoicePay(input: $input) {
  invoice { status amountPaid { amount } amountRemaining { amount } }
  errors { code field message ... on CardError { declineCode } } } }"""
CONFIRM = """mutation ($input: InvoiceConfirmationCreateInput!) { made: invoiceConfirmationCreate(input: $input) {
  clientSecret invoice { status payments { status } } errors { code field } } }"""
METHODS = "query ($id: ID!) { customer(id: $id) { paymentMethods(first: 5) { totalCount nodes { id stripeId } } } }"


def _do(demo: Demo, query: str, **given: Any) -> dict[str, Any]:
    found: dict[str, Any] = demo.ask(demo.tenant()["partner_key"], query, {"input": given})["made"]
    return found


class Payer:
    """A customer of the demo's first tenant, and the cards that Stripe holds for it."""

    def __init__(self, demo: Demo) -> None:
        self.demo, self.account = demo, demo.tenant()["account"]
        made = _do(demo, CREATE, email=f"{uuid4().hex}@payers.example", name="Payer", idempotencyKey=uuid4().hex)
        self.id, self.stripe_id = made["customer"]["id"], made["customer"]["stripeId"]
        plans = demo.ask(demo.tenant()["partner_key"], "{ plans(first: 1) { nodes { id price { amount } } } }")
        self.plan, self.price = plans["plans"]["nodes"][0]["id"], plans["plans"]["nodes"][0]["price"]["amount"]

    def card(self, test_card: str) -> str:
        """Attach a test card; the id of the payment method once the mirror has it."""
        attached = self.demo.stripe(
            "POST", f"/v1/payment_methods/{test_card}/attach", self.account, customer=self.stripe_id
        )

        def arrived() -> Any:
            found = self.demo.ask(self.demo.tenant()["partner_key"], METHODS, {"id": self.id})["customer"]
            return [one["id"] for one in found["paymentMethods"]["nodes"] if one["stripeId"] == attached["id"]]

        (id_,) = eventually(arrived)
        return str(id_)

    def subscribe(self, method: str, key: str | None = None) -> dict[str, Any]:
        key = key or uuid4().hex
        return _do(self.demo, SUBSCRIBE, customer=self.id, plan=self.plan, paymentMethod=method, idempotencyKey=key)


def test_a_declined_card_says_why_at_once_and_another_one_pays(demo: Demo) -> None:
    payer = Payer(demo)
    bad, key = payer.card("pm_card_chargeCustomerFail"), uuid4().hex
    made = payer.subscribe(bad, key)
    assert made["errors"] == []
    assert made["subscription"]["status"] == "INCOMPLETE"
    invoice = made["subscription"]["latestInvoice"]
    assert (invoice["status"], invoice["amountDue"]["amount"]) == ("OPEN", payer.price)
    assert [(one["status"], one["declineCode"]) for one in invoice["payments"]] == [
        ("REQUIRES_PAYMENT_METHOD", "generic_decline")
    ]
    assert made["clientSecret"].startswith("pi_")
    again = payer.subscribe(bad, key)
    assert (again["subscription"]["id"], again["clientSecret"]) == (made["subscription"]["id"], made["clientSecret"])
    pay = {"invoice": invoice["id"], "paymentMethod": bad}
    refused = _do(demo, PAY, **pay, idempotencyKey=uuid4().hex)
    assert [(one["code"], one["declineCode"]) for one in refused["errors"]] == [("CARD_DECLINED", "generic_decline")]
    assert refused["invoice"] is None
    once = uuid4().hex
    pay["paymentMethod"] = payer.card("pm_card_visa")
    for _ in range(2):
        paid = _do(demo, PAY, **pay, idempotencyKey=once)
        assert paid["errors"] == []
        assert paid["invoice"] == {
            "status": "PAID", "amountPaid": {"amount": payer.price}, "amountRemaining": {"amount": 0},
        }  # fmt: skip
    charges = demo.stripe_list("/v1/charges", payer.account, customer=payer.stripe_id)
    assert [charge["amount"] for charge in charges if charge["status"] == "succeeded"] == [payer.price]
    twice = _do(demo, PAY, **pay, idempotencyKey=uuid4().hex)
    assert [one["code"] for one in twice["errors"]] == ["STRIPE_REFUSED"]  # it is paid already


def test_a_card_that_needs_its_customer_gives_a_secret_for_stripes_own_script(demo: Demo) -> None:
    payer = Payer(demo)
    made = payer.subscribe(payer.card("pm_card_authenticationRequired"))
    assert made["subscription"]["status"] == "INCOMPLETE"
    assert [one["status"] for one in made["subscription"]["latestInvoice"]["payments"]] == ["REQUIRES_ACTION"]
    intent = made["clientSecret"].partition("_secret_")[0]
    assert demo.stripe("GET", f"/v1/payment_intents/{intent}", payer.account)["status"] == "requires_action"
    given = {"invoice": made["subscription"]["latestInvoice"]["id"]}
    again = _do(demo, CONFIRM, **given)
    assert again["clientSecret"] == made["clientSecret"]
    assert [one["status"] for one in again["invoice"]["payments"]] == ["REQUIRES_ACTION"]
    good = payer.card("pm_card_visa")
    assert _do(demo, PAY, **given, paymentMethod=good, idempotencyKey=uuid4().hex)["invoice"]["status"] == "PAID"
    paid = _do(demo, CONFIRM, **given)
    assert (paid["clientSecret"], paid["errors"], paid["invoice"]["status"]) == (None, [], "PAID")


def test_why_a_payment_failed_is_never_overtaken_by_its_events(demo: Demo) -> None:
    """Stripe's events of the same second come in at the same time: the answer must hold the last state all the same."""
    payer = Payer(demo)
    asks, bad = payer.card("pm_card_authenticationRequired"), payer.card("pm_card_chargeCustomerFail")
    for _ in range(6):
        (waiting,) = payer.subscribe(asks)["subscription"]["latestInvoice"]["payments"]
        assert waiting["status"] == "REQUIRES_ACTION"
        (failed,) = payer.subscribe(bad)["subscription"]["latestInvoice"]["payments"]
        assert (failed["status"], failed["declineCode"]) == ("REQUIRES_PAYMENT_METHOD", "generic_decline")


def test_a_good_card_shows_the_paid_invoice_at_once_and_a_change_shows_what_is_now(demo: Demo) -> None:
    payer = Payer(demo)
    made = payer.subscribe(payer.card("pm_card_visa"))
    subscription = made["subscription"]
    assert (subscription["status"], made["clientSecret"]) == ("ACTIVE", None)
    assert subscription["latestInvoice"]["status"] == "PAID"
    for quantity in (3, 4):
        given = {"subscription": subscription["id"], "quantity": quantity, "idempotencyKey": uuid4().hex}
        changed = _do(demo, CHANGE, **given)
        assert changed["subscription"]["items"] == [{"quantity": quantity}]
    both = """mutation ($change: SubscriptionChangeInput!, $update: CustomerUpdateInput!) {
      a: subscriptionChange(input: $change) { subscription { customer { name } items { quantity } } }
      b: customerUpdate(input: $update) { errors { code } }
      c: subscriptionChange(input: $change) { subscription { customer { name } items { quantity } } } }"""
    change = {"subscription": subscription["id"], "quantity": 5, "idempotencyKey": uuid4().hex}
    update = {"customer": payer.id, "name": "Renamed"}
    told = demo.ask(demo.tenant()["partner_key"], both, {"change": change, "update": update})
    assert told["a"]["subscription"] == {"customer": {"name": "Payer"}, "items": [{"quantity": 5}]}
    assert told["c"]["subscription"] == {"customer": {"name": "Renamed"}, "items": [{"quantity": 5}]}


def test_a_cancellation_is_given_a_reason_and_taken_back(demo: Demo) -> None:
    payer = Payer(demo)
    subscription = payer.subscribe(payer.card("pm_card_visa"))["subscription"]
    given = {"subscription": subscription["id"]}
    ended = _do(demo, CANCEL, **given, feedback="TOO_EXPENSIVE", comment="See you.")
    assert ended["subscription"] == {"cancelAtPeriodEnd": True, "status": "ACTIVE"}
    at_stripe = demo.stripe("GET", f"/v1/subscriptions/{subscription['stripeId']}", payer.account)
    details = at_stripe["cancellation_details"]
    assert (details["feedback"], details["comment"]) == ("too_expensive", "See you.")
    kept = _do(demo, UNCANCEL, **given)
    assert kept["subscription"] == {"cancelAtPeriodEnd": False, "cancelAt": None, "status": "ACTIVE"}
    assert _do(demo, CANCEL, **given, atPeriodEnd=False)["subscription"]["status"] == "CANCELED"
    late = _do(demo, UNCANCEL, **given)
    assert (late["subscription"], [one["code"] for one in late["errors"]]) == (None, ["STRIPE_REFUSED"])
    long = _do(demo, CANCEL, **given, comment="x" * 501)
    assert [(one["code"], one["field"]) for one in long["errors"]] == [("INVALID_INPUT", "comment")]


def test_what_is_left_out_of_a_customer_stays_and_what_is_null_is_cleared(demo: Demo) -> None:
    payer = Payer(demo)
    method = payer.card("pm_card_visa")
    whole = {"line1": "1 Main St", "city": "Springfield", "country": "US"}
    first = _do(demo, UPDATE, customer=payer.id, phone="+15550100", address=whole, defaultPaymentMethod=method)
    assert first["errors"] == []
    assert first["customer"]["address"] == whole
    assert first["customer"]["defaultPaymentMethod"]["cardLast4"] == "4242"
    second = _do(demo, UPDATE, customer=payer.id, phone=None, address={"city": "Shelbyville"})["customer"]
    assert second == {
        "name": "Payer", "phone": None, "address": {"line1": None, "city": "Shelbyville", "country": None},
        "defaultPaymentMethod": first["customer"]["defaultPaymentMethod"],
    }  # fmt: skip
    third = _do(demo, UPDATE, customer=payer.id, name=None, address=None, defaultPaymentMethod=None)["customer"]
    assert third == {"name": None, "phone": None, "address": None, "defaultPaymentMethod": None}
    other = Payer(demo)
    refused = _do(demo, UPDATE, customer=other.id, defaultPaymentMethod=method)
    assert [(one["code"], one["field"]) for one in refused["errors"]] == [("NOT_FOUND", "defaultPaymentMethod")]
    bare = _do(demo, UPDATE, customer=payer.id, email=None)
    assert [(one["code"], one["field"]) for one in bare["errors"]] == [("INVALID_INPUT", "email")]


def test_a_means_of_payment_is_forgotten_once_and_for_all(demo: Demo) -> None:
    payer = Payer(demo)
    method, key = payer.card("pm_card_visa"), uuid4().hex
    for _ in range(2):
        gone = _do(demo, DETACH, paymentMethod=method, idempotencyKey=key)
        assert gone["errors"] == []
    found = demo.ask(demo.tenant()["partner_key"], METHODS, {"id": payer.id})["customer"]["paymentMethods"]
    assert found == {"totalCount": 0, "nodes": []}
    refused = payer.subscribe(method)
    assert refused["subscription"] is None
    assert [one["code"] for one in refused["errors"]] == ["STRIPE_REFUSED"]


def test_an_address_that_holds_a_token_does_not_go_to_stripe(demo: Demo) -> None:
    token = demo.tenant()["customer_token"]
    query = """mutation ($url: String!) { made: portalSessionCreate(input: { returnUrl: $url }) {
      url errors { code field } } }"""
    before = demo.stripe_requests()
    for address in (f"https://app.example/#token={token}", f"https://app.example/?key={demo.tenant()['partner_key']}"):
        refused = demo.ask(token, query, {"url": address})["made"]
        assert refused == {"url": None, "errors": [{"code": "INVALID_INPUT", "field": "returnUrl"}]}
    assert demo.stripe_requests() == before
