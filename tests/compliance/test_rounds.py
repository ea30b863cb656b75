"""Each invariant is seen when it breaks, rounds are made once, and payloads go when their time is over."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from compliance import invariants, retention
from compliance.rounds import Rounds
from storage.database import Connection, Database, DatabaseUrl
from storage.embedded import EmbeddedPostgres
from tests.support.events import customer, event
from tests.support.tenants import Two, new_tenant
from webhooks import inbox
from webhooks.inbox import Delivery

_STATE = "'2026-01-01', 'event', 1, '\\x00', false"
_INVOICE = (
    "insert into invoices (tenant_id, livemode, stripe_id, created, data, stamp, source, epoch, digest, deleted,"
    " status, currency, subtotal, total, amount_due, amount_paid, amount_remaining, attempt_count)"
    f" values ({{tenant}}, false, 'in_1', now(), '{{}}', {_STATE}, 'open', 'usd', 100, 100, 100, 0, 100, 0)"
)
_CHANGE = (
    "insert into changes (tenant_id, livemode, object_type, stripe_id, kind, source, stamp)"
    " values ({tenant}, true, 'invoice', 'in_1', 'updated', 'event', now())"
)
_SAME_MODE = _CHANGE.replace("true", "false")
_WRONG_DUE = _INVOICE.replace("100, 100, 100, 0, 100", "100, 100, 99, 0, 100")
_LINE = (
    "insert into invoice_lines (tenant_id, livemode, stripe_id, parent_id, position, amount, currency, proration)"
    " values ({tenant}, false, 'il_1', 'in_1', 0, 99, 'usd', false)"
)
_RIGHT_LINE = _LINE.replace("99", "100")
_OPERATION = (
    "insert into operations (tenant_id, livemode, key, action, input_hash, lease_until)"
    " values ({tenant}, false, 'k', 'refundCreate', '\\x00', now() - interval '2 hours')"
)
_EFFECT = (
    "insert into effects (tenant_id, livemode, object_type, stripe_id, transition, state)"
    " values ({tenant}, false, 'invoice', 'in_1', 'paid', 'dead')"
)
_SCOPE = "insert into revisions (tenant_id, scope, n) values ({tenant}, 'everything', 1), ({tenant}, 'test:catalog', 2)"
_OLD = "update tenants set created = now() - interval '2 days' where id = {tenant}"


def _for(tenant: int, statement: str) -> str:
    return statement.replace("{tenant}", str(tenant))


async def _keep(database: Database, *ids: str, account: str = "acct_clinic") -> None:
    await inbox.insert(
        database.system, [Delivery.parse(event(id_, customer(f"cus_{id_}"), account=account)) for id_ in ids]
    )


async def _broken(connection: Connection, since: datetime | None = None) -> set[str]:
    return {name for name, count in (await invariants.check(connection, since=since)).items() if count}


async def test_a_fresh_installation_breaks_nothing(opened: Database, two: Two) -> None:
    assert await _broken(opened.system) == set()


@pytest.mark.parametrize(
    ("name", "statements"),
    [
        ("no_object_of_the_other_mode", [_CHANGE]),
        ("lines_add_up_to_the_subtotal", [_INVOICE, _LINE, _SAME_MODE]),
        ("what_is_due_is_paid_or_remains", [_WRONG_DUE, _RIGHT_LINE, _SAME_MODE]),
        ("no_scope_is_ahead_of_its_tenant", [_SCOPE]),
        ("no_operation_is_left_open", [_OPERATION]),
        ("effects_follow_within_15_minutes", [_EFFECT]),
        ("every_tenant_is_reconciled_daily", [_OLD]),
    ],
)
async def test_what_breaks_an_invariant_is_counted_under_its_name(
    opened: Database, two: Two, name: str, statements: list[str]
) -> None:
    for statement in statements:
        await opened.system.execute_query(_for(two.clinic.id, statement))
    assert await _broken(opened.system) == {name}


async def test_events_that_wait_or_died_are_counted(opened: Database, two: Two) -> None:
    await _keep(opened, "evt_1", "evt_2")
    await opened.system.execute_query(
        "update inbox set received = now() - interval '20 minutes', due = now() - interval '19 minutes'"
        " where event_id = 'evt_1'"
    )
    assert await _broken(opened.system) == {"events_wait_no_longer_than_15_minutes"}
    await opened.system.execute_query("update inbox set state = 'dead'")
    assert await _broken(opened.system) == {"no_event_is_dead"}


async def test_an_event_that_missed_its_tenant_is_put_back_to_work(opened: Database, two: Two) -> None:
    await _keep(opened, "evt_1")
    await opened.system.execute_query("update inbox set state = 'done', outcome = 'unknown_account', settled = now()")
    assert await _broken(opened.system) == {"no_event_of_a_known_account_is_left"}
    rows = await opened.system.execute_query_dict("select state, outcome, settled from inbox")
    assert rows == [{"state": "waiting", "outcome": None, "settled": None}]
    assert await _broken(opened.system) == set()


async def test_a_table_without_its_wall_is_seen(
    opened: Database, two: Two, database_url: DatabaseUrl, postgres: EmbeddedPostgres
) -> None:
    import asyncpg

    connection = await asyncpg.connect(**database_url.credentials())
    try:
        await connection.execute("alter table customers no force row level security")
    finally:
        await connection.close()
    assert await _broken(opened.system) == {"every_tenants_table_has_its_wall"}


async def test_a_round_looks_only_at_what_changed_since_the_last_one(opened: Database, two: Two) -> None:
    await opened.system.execute_query(_for(two.clinic.id, _CHANGE))
    assert await _broken(opened.system, since=datetime.now(UTC) + timedelta(minutes=1)) == set()


async def test_a_round_is_made_once_however_many_processes_look(opened: Database, two: Two) -> None:
    await _keep(opened, "evt_1")
    await opened.system.execute_query("update inbox set state = 'dead'")
    rounds = [Rounds(opened, timedelta(days=30)) for _ in range(5)]
    await asyncio.gather(*(each.make() for each in rounds))
    first = await opened.system.execute_query_dict("select name, begun, result::text as result from rounds order by 1")
    assert [row["name"] for row in first] == ["invariants", "retention"]
    assert '"no_event_is_dead":1' in first[0]["result"]
    await rounds[0].make()
    again = await opened.system.execute_query_dict("select name, begun, result::text as result from rounds order by 1")
    assert again == first
    await opened.system.execute_query("update rounds set begun = begun - interval '1 day'")
    await rounds[0].make()
    later = await opened.system.execute_query_dict("select begun from rounds order by name")
    assert all(now["begun"] > before["begun"] for now, before in zip(later, first, strict=True))


async def test_only_settled_events_whose_time_is_over_lose_their_payload(opened: Database, two: Two) -> None:
    await _keep(opened, "evt_old", "evt_new", "evt_waiting", "evt_dead")
    await opened.system.execute_query(
        "update inbox set state = 'done', outcome = 'applied', settled = now() - case event_id when 'evt_old' then"
        " interval '31 days' else interval '29 days' end where event_id in ('evt_old', 'evt_new')"
    )
    await opened.system.execute_query(
        "update inbox set state = 'dead', settled = now() - interval '40 days' where event_id = 'evt_dead'"
    )
    assert await retention.erase_payloads(opened.system, after=timedelta(days=30)) == 1
    rows = await opened.system.execute_query_dict("select event_id from inbox where payload = ''")
    assert [row["event_id"] for row in rows] == ["evt_old"]
    # it is still known: a late duplicate is not kept again, and it is not worked on without its payload
    await _keep(opened, "evt_old")
    assert await inbox.replay(opened.system, event_id="evt_old") == 0
    assert await inbox.replay(opened.system, event_id="evt_new") == 1


async def test_a_tenant_that_comes_late_gets_only_events_that_still_have_their_payload(opened: Database) -> None:
    await _keep(opened, "evt_1", "evt_2", account="acct_later")
    await opened.system.execute_query(
        "update inbox set state = 'done', outcome = 'unknown_account', settled = now(),"
        " payload = case event_id when 'evt_1' then '' else payload end"
    )
    await new_tenant(opened, "later")
    rows = await opened.system.execute_query_dict("select event_id, state from inbox order by 1")
    assert rows == [{"event_id": "evt_1", "state": "done"}, {"event_id": "evt_2", "state": "waiting"}]
