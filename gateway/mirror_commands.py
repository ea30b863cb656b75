"""The commands that look after the inbox and the mirror."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
import orjson

from billing.mirroring import Mirroring
from compliance import invariants as production
from gateway.operating import Desk, StripeDesk, at_desk, find_tenant, operator, with_stripe
from gateway.user_error import UserError
from mirror.kinds import KINDS
from storage.binding import bind_tenant
from tenants import audit
from tenants.models import Tenant
from webhooks import inbox as events
from webhooks.process import Worker
from webhooks.reconcile import Cursor, Report, Sweep

_JSON = click.option("--json", "as_json", is_flag=True, help="For programs.")
_TENANT = click.option("--tenant", required=True, help="The tenant's slug.")


@click.group()
def inbox() -> None:
    """Stripe's events: what waits, what failed, and working on it."""


@inbox.command("status")
@_JSON
def status(*, as_json: bool) -> None:
    """How much waits, how old the oldest is, and what became of the last hour's events."""
    _print(at_desk(lambda desk: events.status(desk.database.system)), as_json=as_json)


@inbox.command("show")
@click.argument("event_id")
@_JSON
def show(event_id: str, *, as_json: bool) -> None:
    """One event: its state, outcome and attempts. The payload is not shown: it holds personal data."""
    rows = at_desk(lambda desk: events.show(desk.database.system, event_id))
    if not rows:
        raise UserError(f"there is no event {event_id}")
    for row in rows:
        _print(row, as_json=as_json)


@inbox.command("replay")
@click.argument("event_id", required=False)
@click.option("--dead", is_flag=True, help="Every dead letter.")
@click.option("--account", help="Of this account alone.")
def replay(event_id: str | None, *, dead: bool, account: str | None) -> None:
    """Work on an event again, or on all dead letters; what the mirror has already changes nothing."""
    if (event_id is None) is not dead:
        raise UserError("name an event, or --dead")
    count = at_desk(lambda desk: events.replay(desk.database.system, event_id=event_id, account=account))
    click.echo(f"{count} events wait again")
    if not count and event_id:
        raise UserError(f"there is no event {event_id}, or its payload is no longer kept (EVENT_RETENTION_DAYS)")


@inbox.command("drain")
def drain() -> None:
    """Work here until nothing is due."""

    async def work(desk: StripeDesk) -> int:
        worker = Worker(desk.database, desk.stripe, desk.settings.livemode)
        count = 0
        while done := await worker.work_once():
            count += done
            await worker.rereads.finished()
        return count

    click.echo(f"{with_stripe(work)} events worked on")


@click.command("invariants")
@_JSON
@click.pass_context
def invariants(context: click.Context, *, as_json: bool) -> None:
    """Check what must always hold, over all tenants and all data; ends with 1 where something is broken."""

    async def check(desk: Desk) -> dict[str, int]:
        return await production.check(desk.database.system)

    found = at_desk(check)
    if as_json:
        _print(found, as_json=True)
    else:
        for one in production.INVARIANTS:
            count = found[one.name]
            click.echo(f"{one.name}: {f'broken {count} times. {one.help}' if count else 'holds'}")
    if any(found.values()):
        context.exit(1)


@click.group()
def mirror() -> None:
    """The mirror of Stripe's objects: show it, hold it against Stripe, repair it."""


@mirror.command("dump")
@_TENANT
@click.option(
    "--type", "types", multiple=True, type=click.Choice(sorted(KINDS)), help="Stripe's word; may be repeated."
)
def dump(tenant: str, types: Sequence[str]) -> None:
    """Every object as it is mirrored, one JSON document a line."""

    async def work(desk: Desk) -> None:
        owner = await find_tenant(desk.database, tenant)
        await audit.record(desk.database.system, owner.id, operator(), action="mirrorDump")
        with bind_tenant(owner.id):
            for kind in types or KINDS:
                await _dump(desk, owner, kind)

    at_desk(work)


async def _dump(desk: Desk, owner: Tenant, kind: str) -> None:
    after = ""
    while True:
        rows = await desk.database.app.execute_query_dict(
            f"select stripe_id, deleted, stamp, source, data from {KINDS[kind].table}"  # noqa: S608 (our own names)
            " where livemode = $1 and stripe_id > $2 order by stripe_id limit 500",
            [owner.livemode, after],
        )
        for row in rows:
            data = orjson.loads(row["data"]) if isinstance(row["data"], str) else row["data"]
            told = {"type": kind, "id": row["stripe_id"], "deleted": row["deleted"], "stamp": row["stamp"]}
            click.echo(orjson.dumps(told | {"source": row["source"], "object": data}).decode())
        if len(rows) < 500:
            return
        after = rows[-1]["stripe_id"]


@mirror.command("diff")
@_TENANT
@_JSON
def diff(tenant: str, *, as_json: bool) -> None:
    """What the mirror has otherwise than Stripe, object by object and field by field; nothing is changed.

    The exit code is 1 where something differs.
    """
    _sweep(tenant, repair=False, as_json=as_json)


@mirror.command("reconcile")
@_TENANT
@_JSON
def reconcile(tenant: str, *, as_json: bool) -> None:
    """Hold a tenant's mirror against Stripe's lists, and bring what differs into the mirror from Stripe.

    Prints each object that differed: its type, id, how (missing, changed or gone) and its fields. Nothing is
    changed at Stripe. The worker does the same once a day.
    """
    _sweep(tenant, repair=True, as_json=as_json)


def _sweep(slug: str, *, repair: bool, as_json: bool) -> None:
    async def work(desk: StripeDesk) -> Report:
        owner = await find_tenant(desk.database, slug)
        if not owner.account_id:
            raise UserError(f"{slug} has no account at Stripe yet")
        way = Mirroring(desk.stripe, owner.id, owner.account_id, owner.livemode, background=True)

        async def save(_cursor: Cursor, report: Report) -> None:
            click.echo(f"{report.seen.total()} objects seen, {report.total} differ", err=True)

        with bind_tenant(owner.id):
            return await Sweep(desk.database, way, save, repair=repair).run()

    report = with_stripe(work)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        for one in report.differences:
            click.echo(f"{one.object}\t{one.id}\t{one.kind}\t{','.join(one.fields)}")
        click.echo(f"{report.seen.total()} objects, {report.total} {'repaired' if repair else 'differ'}")
    if report.total and not repair:
        raise click.exceptions.Exit(1)


def _print(found: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found, default=str))
        return
    for name, value in found.items():
        click.echo(f"{name}\t{value}")
