"""A customer of the first demo tenant who has one of everything."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from schema import ids
from tests.support.demo import Demo, eventually

_CREATE = """mutation($input: CustomerCreateInput!) {
  made: customerCreate(input: $input) { object: customer { id stripeId } errors { code } } }"""
_SUBSCRIBE = """mutation($input: SubscriptionCreateInput!) {
  made: subscriptionCreate(input: $input) { object: subscription { id } errors { code } } }"""
_CHECKOUT = """mutation($input: CheckoutSessionCreateInput!) {
  made: checkoutSessionCreate(input: $input) { object: checkoutSession { id } errors { code } } }"""
_TOKEN = """mutation($input: CustomerTokenCreateInput!) {
  made: customerTokenCreate(input: $input) { object: token errors { code } } }"""
_METHODS = "query($id: ID!) { customer(id: $id) { paymentMethods(first: 1) { nodes { id } } } }"
_PAID = "query($id: ID!) { subscription(id: $id) { latestInvoice { id payments { id } } } }"


@dataclass(frozen=True)
class Owner:
    """`ids` are global ids by type, `token` is the customer's own, `words` are unique in the whole gateway.

    `idempotency_key` is the one that the subscription was made with.
    """

    token: str
    ids: dict[str, str]
    words: dict[str, str]
    idempotency_key: str

    def stripe_id(self, type_: str) -> str:
        return ids.decode(self.ids[type_]).stripe_id


def customer_token(demo: Demo, customer: str) -> str:
    """A token for a customer of the first tenant."""
    token: str = _made(demo, _TOKEN, customer=customer)
    return token


def new_owner(demo: Demo) -> Owner:
    """Make the customer, and wait until Stripe's events have brought the payment into the mirror."""
    partner, account = demo.tenant()["partner_key"], demo.tenant()["account"]
    plan = demo.ask(partner, "{ plans(first: 1) { nodes { id } } }")["plans"]["nodes"][0]["id"]
    words = {"email": f"{uuid4().hex}@owners.example", "externalId": f"owner-{uuid4().hex}"}
    made = _made(demo, _CREATE, **words, name="Owner", phone="+15550100", address={"city": "Springfield"})
    customer, stripe_id = made["id"], made["stripeId"]
    demo.stripe("POST", "/v1/payment_methods/pm_card_visa/attach", account, customer=stripe_id)
    seen = lambda: demo.ask(partner, _METHODS, {"id": customer})["customer"]["paymentMethods"]["nodes"]  # noqa: E731
    method = eventually(seen)[0]["id"]
    key = uuid4().hex
    both = {"customer": customer, "plan": plan}
    subscription = _made(demo, _SUBSCRIBE, **both, idempotencyKey=key, paymentMethod=method)["id"]
    session = _made(demo, _CHECKOUT, **both, idempotencyKey=uuid4().hex, successUrl="https://example.com/done")["id"]

    def paid() -> dict[str, Any] | None:
        invoice = demo.ask(partner, _PAID, {"id": subscription})["subscription"]["latestInvoice"]
        return invoice if invoice and invoice["payments"] else None

    invoice = eventually(paid)
    found = {
        "Plan": plan,
        "Customer": customer,
        "PaymentMethod": method,
        "Subscription": subscription,
        "CheckoutSession": session,
        "Invoice": invoice["id"],
        "Payment": invoice["payments"][0]["id"],
    }
    return Owner(customer_token(demo, customer), found, words, key)


def _made(demo: Demo, mutation: str, **input_: Any) -> Any:
    made = demo.ask(demo.tenant()["partner_key"], mutation, {"input": input_})["made"]
    assert made["errors"] == [], made
    return made["object"]
