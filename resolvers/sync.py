"""The mirror's state for administrators, and the wish to have it checked."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from resolvers.permission import inspects, mutates
from schema.context import Info
from schema.inputs import Input
from schema.sync import (
    DifferenceKind,
    ReconcilePayload,
    ReconcileStartInput,
    SyncDifference,
    SyncJob,
    SyncKind,
    SyncState,
    SyncStatus,
)
from tenants import audit
from tenants.context import Scope
from webhooks import jobs

_LATEST = 10


@inspects
async def sync_status(info: Info) -> SyncStatus:
    read = info.context.read
    counts = {row["state"]: row for row in await read.execute_query_dict("select * from inbox_of_tenant()")}
    rows = await read.execute_query_dict(
        "select kind, state, created, finished, report from jobs where tenant_id = $1 order by created desc limit $2",
        [info.context.caller.tenant.id, _LATEST],
    )
    waiting = counts.get("waiting")
    jobs_found = [_job(row) for row in rows]
    for job in jobs_found:
        info.context.unpaged(job.differences)
    return SyncStatus(
        waiting_events=waiting["events"] if waiting else 0,
        oldest_waiting_seconds=(datetime.now(UTC) - waiting["oldest"]).total_seconds() if waiting else None,
        dead_events=counts["dead"]["events"] if "dead" in counts else 0,
        jobs=jobs_found,
    )


def _job(row: dict[str, Any]) -> SyncJob:
    report = orjson.loads(row["report"])
    return SyncJob(
        kind=SyncKind(row["kind"]),
        state=SyncState(row["state"]),
        created=row["created"],
        finished=row["finished"],
        objects_seen=sum(report.get("seen", {}).values()),
        objects_differing=sum(report.get("differing", {}).values()),
        differences=[_difference(one) for one in report.get("differences", [])],
    )


def _difference(told: Mapping[str, Any]) -> SyncDifference:
    kind = DifferenceKind(told["kind"])
    return SyncDifference(object=told["object"], stripe_id=told["id"], kind=kind, fields=told["fields"])


@mutates(ReconcilePayload, Scope.TENANT_ADMIN)
async def reconcile_start(info: Info, input: Input[ReconcileStartInput]) -> ReconcilePayload:  # noqa: A002 (the API's word)
    """Ask for a check of the mirror, now."""
    context = info.context
    kind = jobs.JobKind.SAMPLE if input.sample else jobs.JobKind.RECONCILE
    async with context.database.app_transaction() as connection:
        started = await jobs.request(connection, context.caller.tenant.id, kind)
        await audit.record(connection, context.caller.tenant.id, context.author, action="reconcileStart")
    return ReconcilePayload(started=started)
