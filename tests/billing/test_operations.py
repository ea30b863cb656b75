"""One idempotency key acts once, whoever comes again with it, and every outcome is audited."""

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from billing.errors import BillingError, Code
from billing.operations import Operations, Order
from billing.stripe_client import Answer, StripeGateway, UnknownOutcomeError
from storage.binding import bind_tenant
from storage.database import Database
from tenants.context import ROLE_SCOPES, Caller, Role
from tests.support.events import customer
from tests.support.snapshots import at
from tests.support.tenants import Two


@dataclass
class FakeStripe:
    """Answers a call with a customer, or with the failures that are waiting; notes the keys it was given."""

    failures: list[BillingError] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)

    async def call(self, key: str, operation: str) -> Answer:
        self.keys.append(key)
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        return Answer(customer(f"cus_{len(set(self.keys))}"), at(10))


@pytest.fixture
def operations(opened: Database, two: Two) -> Iterator[Operations]:
    """Bound to the clinic; its gateway to Stripe is never used, since nothing here is read again."""
    with bind_tenant(two.clinic.id):
        yield Operations(opened, StripeGateway(api_key="sk_test_nobody", base="http://127.0.0.1:1", timeout=1.0))


@pytest.fixture
def order(two: Two) -> Order:
    caller = Caller(two.clinic.info(), Role.ADMIN, ROLE_SCOPES[Role.ADMIN], token="abc")
    return Order(caller, "customerCreate", "key-1", {"email": "ada@example.org"})


async def _audited(database: Database) -> list[tuple[str, str | None]]:
    rows = await database.system.execute_query_dict(
        "select outcome, target from audit_entries where operation_id is not null order by id"
    )
    return [(row["outcome"], row["target"]) for row in rows]


async def _refused(operations: Operations, order: Order, stripe: FakeStripe) -> Code:
    with pytest.raises(BillingError) as caught:
        await operations.run(order, stripe.call)
    return caught.value.code


async def test_a_repetition_is_answered_as_the_first_time_and_stripe_is_asked_once(
    opened: Database, operations: Operations, order: Order
) -> None:
    stripe = FakeStripe()
    first, again = [await operations.run(order, stripe.call) for _ in range(2)]
    assert (again.object_id, again.revision) == (first.object_id, first.revision)
    assert len(stripe.keys) == 1
    assert await _audited(opened) == [("ok", "cus_1")]


async def test_requests_that_come_at_once_act_once(opened: Database, operations: Operations, order: Order) -> None:
    stripe = FakeStripe()
    outcomes = await asyncio.gather(*(operations.run(order, stripe.call) for _ in range(6)))
    assert {outcome.object_id for outcome in outcomes} == {"cus_1"}
    assert len(stripe.keys) == 1


@pytest.mark.parametrize("change", [{"input": {"email": "eve@example.org"}}, {"action": "customerUpdate"}])
async def test_the_same_key_with_another_input_is_refused(
    operations: Operations, order: Order, change: dict[str, Any]
) -> None:
    stripe = FakeStripe()
    await operations.run(order, stripe.call)
    assert await _refused(operations, replace(order, **change), stripe) is Code.IDEMPOTENCY_KEY_REUSED
    assert len(stripe.keys) == 1


async def test_a_rotated_token_of_the_back_end_repeats_and_a_customer_has_keys_of_its_own(
    operations: Operations, order: Order
) -> None:
    stripe = FakeStripe()
    first = await operations.run(order, stripe.call)
    rotated = replace(order, caller=replace(order.caller, token="def"))
    again = await operations.answered(rotated)
    assert again is not None
    assert (again.object_id, again.revision) == (first.object_id, first.revision)
    made = [first.object_id]
    for customer_id in ("cus_a", "cus_b"):
        own = replace(order, caller=replace(order.caller, role=Role.CUSTOMER, customer=customer_id))
        assert await operations.answered(own) is None  # and learns nothing of the others' keys
        made.append((await operations.run(own, stripe.call)).object_id)
    assert made == ["cus_1", "cus_2", "cus_3"]


async def test_a_declined_card_is_the_answer_and_stays_it(
    opened: Database, operations: Operations, order: Order
) -> None:
    stripe = FakeStripe([BillingError(Code.CARD_DECLINED, "No.", decline_code="insufficient_funds")])
    codes = [await _refused(operations, order, stripe) for _ in range(2)]
    assert codes == [Code.CARD_DECLINED, Code.CARD_DECLINED]
    assert len(stripe.keys) == 1
    assert await _audited(opened) == [("CARD_DECLINED", None)]


async def test_after_a_broken_connection_the_same_key_is_used_at_stripe(
    opened: Database, operations: Operations, order: Order
) -> None:
    stripe = FakeStripe([UnknownOutcomeError(saved=False)])
    assert await _refused(operations, order, stripe) is Code.STRIPE_UNAVAILABLE
    assert (await operations.run(order, stripe.call)).object_id == "cus_1"
    assert len(stripe.keys) == 2
    assert len(set(stripe.keys)) == 1
    assert await _audited(opened) == [("STRIPE_UNAVAILABLE", None), ("ok", "cus_1")]


async def test_after_a_failure_that_stripe_would_only_repeat_another_key_is_used_and_one_looks_first(
    operations: Operations, order: Order
) -> None:
    stripe = FakeStripe([UnknownOutcomeError(saved=True)])
    looked: list[str] = []

    async def find(operation: str) -> Answer | None:
        looked.append(operation)
        return Answer(customer("cus_found"), at(10)) if len(looked) > 1 else None

    assert await _refused(operations, order, stripe) is Code.STRIPE_UNAVAILABLE
    stripe.failures = [UnknownOutcomeError(saved=True)]
    with pytest.raises(UnknownOutcomeError):
        await operations.run(order, stripe.call, find=find)
    assert len(set(stripe.keys)) == 2
    assert (await operations.run(order, stripe.call, find=find)).object_id == "cus_found"
    assert len(stripe.keys) == 2


async def test_what_a_version_before_wrote_is_known(opened: Database, operations: Operations, order: Order) -> None:
    stripe = FakeStripe()
    await operations.run(order, stripe.call)
    asked = [order.action, "admin:abc", order.input]
    old = hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).digest()
    await opened.system.execute_query("update operations set input_hash = $1", [old])
    await operations.run(order, stripe.call)
    assert len(stripe.keys) == 1


async def test_two_tenants_may_use_the_same_key(
    opened: Database, operations: Operations, order: Order, two: Two
) -> None:
    stripe = FakeStripe()
    await operations.run(order, stripe.call)
    with bind_tenant(two.school.id):
        other = replace(order, caller=replace(order.caller, tenant=two.school.info()))
        await operations.run(other, stripe.call)
    assert len(set(stripe.keys)) == 2


async def test_a_secret_that_is_not_mirrored_is_stored_nowhere_and_asked_for_again(
    opened: Database, operations: Operations, order: Order
) -> None:
    asked: list[str] = []

    async def call(key: str, operation: str) -> Answer:
        asked.append(key)
        return Answer({"id": "seti_1", "object": "setup_intent", "client_secret": "seti_1_secret_x"}, at(10))

    outcomes = [await operations.run(order, call, mirrored=False) for _ in range(2)]
    assert [outcome.body and outcome.body["client_secret"] for outcome in outcomes] == ["seti_1_secret_x"] * 2
    assert len(asked) == 2
    assert len(set(asked)) == 1
    for table in ("operations", "audit_entries"):
        rows = await opened.system.execute_query_dict(f"select t::text as stored from {table} t")
        assert rows
        assert not any("secret" in row["stored"] for row in rows)
