"""A preview says what the change then costs, and changes nothing."""

import uuid

import pytest

from tests.support.demo import Demo, eventually
from tests.support.owner import new_owner

pytestmark = pytest.mark.slow

_PREVIEW = """mutation($input: SubscriptionChangePreviewInput!) { made: subscriptionChangePreview(input: $input) {
  preview { total { amount currency } amountDue { amount } lines { amount { amount } description proration } }
  errors { code field } } }"""
_NEXT = """mutation($input: InvoicePreviewInput!) { made: invoicePreview(input: $input) {
  preview { total { amount } lines { amount { amount } proration } } errors { code field } } }"""
_CHANGE = """mutation($input: SubscriptionChangeInput!) { made: subscriptionChange(input: $input) {
  subscription { id items { quantity } } errors { code } } }"""
_SEEN = """query($id: ID!) { subscription(id: $id) { items { quantity plan { price { amount } } }
  latestInvoice { total { amount } lines { amount { amount } } } } }"""


def test_the_preview_of_a_change_is_what_it_then_costs(demo: Demo) -> None:
    owner = new_owner(demo)
    subscription = owner.ids["Subscription"]
    before = demo.ask(owner.token, _SEEN, {"id": subscription})["subscription"]
    price = before["items"][0]["plan"]["price"]["amount"]
    change = {"subscription": subscription, "quantity": 3, "proration": "ALWAYS_INVOICE"}
    shown = demo.ask(owner.token, _PREVIEW, {"input": change})["made"]
    assert shown["errors"] == []
    assert demo.ask(owner.token, _SEEN, {"id": subscription})["subscription"] == before
    assert all(line["proration"] for line in shown["preview"]["lines"])
    # within the first seconds of the period: three times the price, less what was paid
    assert abs(shown["preview"]["total"]["amount"] - 2 * price) <= 2
    given = change | {"idempotencyKey": uuid.uuid4().hex}
    assert demo.ask(owner.token, _CHANGE, {"input": given})["made"]["errors"] == []

    def invoiced() -> int | None:
        found = demo.ask(owner.token, _SEEN, {"id": subscription})["subscription"]["latestInvoice"]
        return found["total"]["amount"] if found["total"]["amount"] != price else None

    assert abs(eventually(invoiced) - shown["preview"]["total"]["amount"]) <= 2
    following = demo.ask(owner.token, _NEXT, {"input": {"subscription": subscription}})["made"]["preview"]
    assert following["total"]["amount"] == 3 * price


def test_a_preview_of_what_is_not_there_is_refused(demo: Demo) -> None:
    token = demo.tenant()["partner_key"]
    for query in (_PREVIEW, _NEXT):
        given = {"subscription": "sub_missing"} | ({"quantity": 2} if query is _PREVIEW else {})
        made = demo.ask(token, query, {"input": given})["made"]
        assert made == {"preview": None, "errors": [{"code": "NOT_FOUND", "field": "subscription"}]}
