"""What must hold in production at every moment, each as one small query over all tenants that counts what breaks it.

They read with the system's client. None names a person; a count above zero is an alarm, with a line of advice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from storage.database import Connection

EVERY = timedelta(minutes=15)
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Invariant:
    """`query` counts violations as `n`; where it names `$1`, of what changed since then. `help` says what to do."""

    name: str
    query: str
    help: str


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        "events_wait_no_longer_than_15_minutes",
        "select count(*) as n from inbox where state = 'waiting' and received < now() - interval '15 minutes'"
        " and due < now() - interval '1 minute'",
        "See that a worker runs; `gateway inbox status` tells how much waits.",
    ),
    Invariant(
        "no_event_is_dead",
        "select count(*) as n from inbox where state = 'dead'",
        "Find the cause in the error of `gateway inbox show`, then `gateway inbox replay --dead`.",
    ),
    Invariant(
        "no_event_of_a_known_account_is_left",
        "select count(*) as n from inbox i join tenants t on t.account_id = i.account"
        " where i.outcome = 'unknown_account' and i.payload <> ''",
        "The round has put them back to work; if it comes again, tell the developers.",
    ),
    Invariant(
        "no_object_of_the_other_mode",
        "select count(*) as n from changes c join tenants t on t.id = c.tenant_id"
        " where c.at >= $1 and c.livemode <> t.livemode",
        "A test object in a live tenant or the reverse: stop the worker and tell the developers.",
    ),
    Invariant(
        "lines_add_up_to_the_subtotal",
        "select count(*) as n from (select i.subtotal, sum(l.amount) as lines from invoices i join invoice_lines l"
        " on l.tenant_id = i.tenant_id and l.livemode = i.livemode and l.parent_id = i.stripe_id"
        " where exists (select from changes c where c.tenant_id = i.tenant_id and c.stripe_id = i.stripe_id"
        " and c.at >= $1) and not i.deleted and coalesce((i.data #>> '{lines,has_more}')::boolean, false) = false"
        " group by i.tenant_id, i.livemode, i.stripe_id, i.subtotal) x where x.subtotal <> x.lines",
        "`gateway mirror reconcile --tenant` reads the invoices again; if it stays, compare with Stripe's dashboard.",
    ),
    Invariant(
        "what_is_due_is_paid_or_remains",
        "select count(*) as n from invoices i where not i.deleted and i.status <> 'draft'"
        " and i.amount_due <> i.amount_paid + i.amount_remaining"
        " and coalesce((i.data ->> 'amount_overpaid')::bigint, 0) = 0"
        " and exists (select from changes c where c.tenant_id = i.tenant_id and c.stripe_id = i.stripe_id"
        " and c.at >= $1)",
        "`gateway mirror reconcile --tenant` reads the invoices again; if it stays, compare with Stripe's dashboard.",
    ),
    Invariant(
        "no_scope_is_ahead_of_its_tenant",
        "select count(*) as n from revisions r join revisions e on e.tenant_id = r.tenant_id and e.scope = 'everything'"
        " where r.scope <> 'settings' and r.n > e.n",
        "Caches may answer old data: restart the gateways, and tell the developers.",
    ),
    Invariant(
        "no_operation_is_left_open",
        "select count(*) as n from operations where state = 'started' and lease_until < now() - interval '1 hour'"
        " and lease_until > now() - interval '7 days'",
        "A client got no answer and did not ask again. Stripe's log for the idempotency key tells what became of it.",
    ),
    Invariant(
        "effects_follow_within_15_minutes",
        "select count(*) as n from effects where state = 'dead'"
        " or (state = 'waiting' and at < now() - interval '15 minutes')",
        "See that a worker runs; the error column names what fails.",
    ),
    Invariant(
        "every_tenant_is_reconciled_daily",
        "select count(*) as n from tenants t where t.account_id is not null and t.status = 'active'"
        " and t.created < now() - interval '26 hours' and not exists (select from jobs j where j.tenant_id = t.id"
        " and j.kind in ('backfill', 'reconcile') and j.finished > now() - interval '26 hours' and j.state = 'done')",
        "The `error` of `syncStatus` tells why; `gateway mirror reconcile --tenant` asks for one now.",
    ),
    Invariant(
        "every_tenants_table_has_its_wall",
        "select count(*) as n from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'"
        " and not a.attisdropped where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace"
        " and c.relname <> 'mirrored' and not (c.relrowsecurity and c.relforcerowsecurity"
        " and exists (select from pg_policy p where p.polrelid = c.oid))",
        "Row-level security was taken off a table: stop the gateways until it is back.",
    ),
)

_REPAIRS: Mapping[str, str] = {
    # an event that was judged in the very moment in which its tenant was made
    "no_event_of_a_known_account_is_left": (
        "update inbox i set state = 'waiting', outcome = null, settled = null, due = now() from tenants t"
        " where t.account_id = i.account and i.outcome = 'unknown_account' and i.payload <> ''"
    ),
}


async def check(connection: Connection, *, since: datetime | None = None) -> dict[str, int]:
    """How often each invariant is broken, looking at what changed `since` (or at everything); repairs what it may."""
    found: dict[str, int] = {}
    for invariant in INVARIANTS:
        values = [since or _ALWAYS] if "$1" in invariant.query else []
        rows = await connection.execute_query_dict(invariant.query, values)
        found[invariant.name] = int(rows[0]["n"])
        if found[invariant.name] and invariant.name in _REPAIRS:
            await connection.execute_query(_REPAIRS[invariant.name])
    return found
