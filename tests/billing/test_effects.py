"""What follows from a transition follows once: whoever saw it first, whoever died, however many look."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from billing.effects import MAX_ATTEMPTS, Effect, Effects
from billing.mirroring import apply_all_as_tenant
from billing.pressure import Limits
from storage.binding import bind_tenant
from storage.database import Connection, Database
from tests.support.stripe_account import Account, account_running
from webhooks import inbox, jobs
from webhooks.inbox import Delivery
from webhooks.jobs import JobKind, Jobs
from webhooks.process import Worker


@pytest.fixture
async def account(opened: Database) -> AsyncIterator[Account]:
    async with account_running(opened, limits=Limits(background_per_second=1000)) as running:
        yield running


async def _subscribed(account: Account, card: str = "pm_card_visa") -> dict[str, Any]:
    product = await account.ask("POST", "/v1/products", name="Plan")
    recurring = {"recurring[interval]": "month"}
    price = await account.ask(
        "POST", "/v1/prices", product=product["id"], currency="usd", unit_amount=1900, **recurring
    )
    owner = await account.ask("POST", "/v1/customers", name="A")
    method = await account.ask("POST", f"/v1/payment_methods/{card}/attach", customer=owner["id"])
    given = {"items[0][price]": price["id"], "default_payment_method": method["id"]}
    return await account.ask("POST", "/v1/subscriptions", customer=owner["id"], **given)


async def _hooks(account: Account) -> None:
    """Deliver every event there is, as webhooks would, and work on them."""
    told = [orjson.dumps(one | {"account": account.id}) for one in await account.all("/v1/events")]
    await inbox.insert(account.database.system, [Delivery.parse(each) for each in told])
    worker = Worker(account.database, account.stripe, livemode=False)
    while await worker.work_once():
        await worker.rereads.finished()


async def _reconcile(account: Account) -> None:
    await jobs.request(account.database.system, account.tenant.id, JobKind.RECONCILE)
    assert await Jobs(account.database, account.stripe, livemode=False).work_once()


async def _drain(effects: Effects) -> None:
    while await effects.work_once():
        pass


class Noted:
    """A reaction that notes what it ran for; it fails as often as it is told to."""

    def __init__(self, failures: int = 0) -> None:
        self.words: list[str] = []
        self.failures = failures

    async def __call__(self, connection: Connection, effect: Effect) -> None:
        await asyncio.sleep(0)
        if self.failures:
            self.failures -= 1
            raise RuntimeError("not today")
        self.words.append(effect.word)


async def test_a_transition_that_reconcile_and_webhooks_see_has_one_effect(account: Account) -> None:
    await _subscribed(account)
    noted = Noted()
    effects = Effects(account.database, {}, always=(noted,))
    await _reconcile(account)
    await _drain(effects)
    assert sorted(noted.words) == ["invoice.paid", "payment_intent.succeeded", "subscription.active"]
    await _hooks(account)
    await _reconcile(account)
    await _drain(effects)
    assert len(noted.words) == len(set(noted.words)) == 3 + ("invoice.open" in noted.words)


async def test_the_same_state_for_another_invoice_is_another_transition(account: Account) -> None:
    subscription = await _subscribed(account)
    await _hooks(account)
    body = await account.ask("GET", f"/v1/subscriptions/{subscription['id']}")
    for number, invoice in ((1, "in_a"), (2, "in_a"), (3, "in_b")):
        for status in ("past_due", "active"):
            changed = body | {"status": status, "latest_invoice": invoice}
            second = body["created"] + number * 100 + (50 if status == "active" else 0)
            event: dict[str, Any] = {"id": f"evt_{number}_{status}", "object": "event", "created": second}
            event |= {"type": "customer.subscription.updated", "livemode": False}
            event |= {"api_version": "2026-10-28.endive", "request": None}
            told = orjson.dumps(event | {"account": account.id, "data": {"object": changed}})
            await inbox.insert(account.database.system, [Delivery.parse(told)])
            worker = Worker(account.database, account.stripe, livemode=False)
            await worker.work_once()
            await worker.rereads.finished()
    noted = Noted()
    await _drain(Effects(account.database, {"subscription.past_due": (noted,)}, always=()))
    assert noted.words == ["subscription.past_due"] * 2


async def test_history_that_a_backfill_brings_has_no_effects(account: Account) -> None:
    await _subscribed(account)
    system = account.database.system
    with bind_tenant(account.tenant.id):
        answer = await account.stripe.call(account.id, lambda v1, options: v1.invoices.list_async({}, options))
        old = [body | {"created": body["created"] - 5 * 86_400} for body in answer.body["data"]]
        await apply_all_as_tenant(account.database, [account.way.arrival(replace(answer, body=body)) for body in old])
    assert (await system.execute_query_dict("select count(*) as n from invoices"))[0]["n"] == 1
    assert await system.execute_query_dict("select * from effects") == []


async def test_many_that_look_at_once_run_each_effect_once(account: Account) -> None:
    for _ in range(6):
        await _subscribed(account)
    await _hooks(account)
    noted = Noted()
    await asyncio.gather(*(_drain(Effects(account.database, {}, always=(noted,))) for _ in range(4)))
    rows = await account.database.system.execute_query_dict("select state, count(*) as n from effects group by 1")
    assert rows == [{"state": "done", "n": len(noted.words)}]
    assert noted.words.count("subscription.active") == 6


async def test_a_lease_that_ran_out_while_its_holder_lived_runs_the_effect_once(account: Account) -> None:
    await _subscribed(account)
    await _hooks(account)
    noted = Noted()
    slow, fast = (Effects(account.database, {}, always=(noted,)) for _ in range(2))
    held = await slow._take()
    await account.database.system.execute_query("update effects set due = now()")
    await _drain(fast)
    before = list(noted.words)
    for effect in held:
        with bind_tenant(effect.tenant_id):
            await slow._do(effect)
    assert noted.words == before


async def test_what_a_reaction_wrote_goes_with_its_failure_and_it_is_tried_again(account: Account) -> None:
    await _subscribed(account)
    await _hooks(account)
    failing = Noted(failures=1)

    async def writes(connection: Connection, effect: Effect) -> None:
        await connection.execute_query(
            "insert into audit_entries (tenant_id, actor, action, outcome) values ($1, 'reaction', $2, 'ok')",
            [effect.tenant_id, effect.word],
        )

    effects = Effects(account.database, {"subscription.active": (writes, failing)}, always=())
    system = account.database.system
    await effects.work_once()
    assert await system.execute_query_dict("select action from audit_entries where actor = 'reaction'") == []
    rows = await system.execute_query_dict("select attempts, error, transition from effects where state = 'waiting'")
    assert rows == [{"attempts": 1, "error": "RuntimeError", "transition": "active"}]
    await system.execute_query("update effects set due = now()")
    await _drain(effects)
    assert await system.execute_query_dict("select action from audit_entries where actor = 'reaction'") == [
        {"action": "subscription.active"}
    ]


async def test_what_fails_always_is_dead_in_the_end_and_holds_up_no_other(account: Account) -> None:
    await _subscribed(account)
    await _hooks(account)
    noted = Noted()
    broken = Effects(account.database, {"invoice.paid": (Noted(failures=99),), "subscription.active": (noted,)}, ())
    for _ in range(MAX_ATTEMPTS):
        await broken.work_once()
        await account.database.system.execute_query("update effects set due = now() - $1::interval", [timedelta()])
    rows = await account.database.system.execute_query_dict(
        "select transition, attempts from effects where state = 'dead'"
    )
    assert rows == [{"transition": "paid", "attempts": MAX_ATTEMPTS}]
    assert noted.words == ["subscription.active"]
