"""Long work for one tenant at a time: backfill, reconcile and samples, scheduled and on demand, resumable."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any

import orjson

from billing.errors import BillingError
from billing.mirroring import Mirroring
from billing.stripe_client import StripeGateway
from observability.failpoints import Failpoint, passed
from observability.logs import logger
from storage.binding import bind_tenant
from storage.database import Connection, Database
from webhooks.reconcile import Cursor, Report, Sweep

_LEASE = timedelta(seconds=60)
_IDLE = 1.0
_SCHEDULE_EVERY = 15.0
_AT_ONCE = 2
_MAX_ATTEMPTS = 8
SAMPLE_EVERY = timedelta(minutes=4)
RECONCILE_EVERY = timedelta(hours=24)

log = logger(__name__)


class JobKind(StrEnum):
    """`backfill` fills the mirror of a new tenant, `reconcile` checks all of it, `sample` a part of it."""

    BACKFILL = "backfill"
    RECONCILE = "reconcile"
    SAMPLE = "sample"


@dataclass(frozen=True, slots=True)
class Job:
    """One that we hold the lease of."""

    id: int
    tenant_id: int
    kind: JobKind
    attempts: int
    account: str
    livemode: bool
    cursor: Cursor
    report: Report


async def request(connection: Connection, tenant_id: int, kind: JobKind) -> bool:
    """Ask for a job, now; False where one of its kind waits or runs already. On either role's connection."""
    rows = await connection.execute_query_dict(
        "insert into jobs (tenant_id, kind) values ($1, $2) on conflict do nothing returning id",
        [tenant_id, str(kind)],
    )
    return bool(rows)


async def schedule(connection: Connection) -> None:
    """Ask for what is due: a backfill for who never had one, a reconcile a day, samples between."""
    for kind, every in ((JobKind.BACKFILL, None), (JobKind.RECONCILE, RECONCILE_EVERY), (JobKind.SAMPLE, SAMPLE_EVERY)):
        await connection.execute_query(
            "insert into jobs (tenant_id, kind) select t.id, $1 from tenants t"
            " where t.account_id is not null and t.status <> 'disconnected' and not exists (select from jobs j"
            " where j.tenant_id = t.id and (j.kind = $1 or ($1 <> 'backfill' and j.kind in ('backfill', 'reconcile')))"
            " and ($2::interval is null or j.created > now() - $2))"
            " on conflict do nothing",
            [str(kind), every],
        )


@dataclass(frozen=True, slots=True)
class Jobs:
    """Any number of these may run, in any number of processes; a job is one's at a time."""

    database: Database
    stripe: StripeGateway
    livemode: bool

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_schedule())
            for _ in range(_AT_ONCE):
                group.create_task(self._work())

    async def _keep_schedule(self) -> None:
        while True:
            try:
                await schedule(self.database.system)
            except Exception as error:  # noqa: BLE001 (the database may be away: the next round comes)
                log.warning("jobs.unscheduled", error=type(error).__name__)
            await asyncio.sleep(_SCHEDULE_EVERY)

    async def _work(self) -> None:
        while True:
            try:
                worked = await self.work_once()
            except Exception as error:  # noqa: BLE001 (the lease brings the job back)
                log.warning("job.left", error=type(error).__name__)
                worked = False
            if not worked:
                await asyncio.sleep(_IDLE)

    async def work_once(self) -> bool:
        """Take a job that is due and do it; False where there is none."""
        job = await self._take()
        if job is None:
            return False
        with bind_tenant(job.tenant_id):
            try:
                report = await self._do(job)
            except Exception as error:  # noqa: BLE001 (tried again, and in the end given up with its name)
                await self._postpone(job, _name(error))
                return True
        log.info("job.done", kind=job.kind, tenant=job.tenant_id, seen=report.seen.total(), differing=report.total)
        if job.kind is JobKind.SAMPLE and report.total:
            await request(self.database.system, job.tenant_id, JobKind.RECONCILE)
        return True

    async def _take(self) -> Job | None:
        rows = await self.database.system.execute_query_dict(
            "with taken as (select tenant_id, id from jobs where state in ('waiting', 'running') and due <= now()"
            " order by due limit 1 for update skip locked)"
            " update jobs j set state = 'running', due = now() + $1, started = coalesce(started, now())"
            " from taken, tenants t where j.tenant_id = taken.tenant_id and j.id = taken.id and t.id = j.tenant_id"
            " returning j.id, j.tenant_id, j.kind, j.attempts, j.cursor, j.report, t.account_id, t.livemode",
            [_LEASE],
        )
        if not rows:
            return None
        row = rows[0]
        return Job(
            row["id"],
            row["tenant_id"],
            JobKind(row["kind"]),
            row["attempts"],
            row["account_id"] or "",
            row["livemode"],
            orjson.loads(row["cursor"]),
            Report.of(orjson.loads(row["report"])),
        )

    async def _do(self, job: Job) -> Report:
        way = Mirroring(self.stripe, job.tenant_id, job.account, job.livemode, background=True)

        async def save(cursor: Cursor, report: Report) -> None:
            await self._save(job, "due = now() + $3, cursor = $4, report = $5", _LEASE, cursor, report.as_json())
            await passed(Failpoint.PAGE_SAVED)

        sweep = Sweep(self.database, way, save, job.cursor, job.report)
        if job.account and job.livemode is self.livemode:
            await (sweep.sample() if job.kind is JobKind.SAMPLE else sweep.run())
        await self._save(job, "state = 'done', finished = now(), error = null, report = $3", sweep.report.as_json())
        return sweep.report

    async def _postpone(self, job: Job, error: str) -> None:
        log.warning("job.postponed", kind=job.kind, tenant=job.tenant_id, error=error)
        state = "failed" if job.attempts + 1 >= _MAX_ATTEMPTS else "waiting"
        wait = timedelta(seconds=min(5 * 2**job.attempts, 600))
        await self._save(
            job,
            "attempts = attempts + 1, due = now() + $3, error = $4, state = $5,"
            " finished = case when $5 = 'failed' then now() end",
            wait,
            error,
            state,
        )

    async def _save(self, job: Job, changes: str, *values: Any) -> None:
        await self.database.app.execute_query(
            f"update jobs set {changes} where tenant_id = $1 and id = $2",  # noqa: S608 (our own words)
            [job.tenant_id, job.id, *(orjson.dumps(v).decode() if isinstance(v, Mapping) else v for v in values)],
        )


def _name(error: BaseException) -> str:
    """What failed, without its message; of several at once the first."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error.code) if isinstance(error, BillingError) else type(error).__name__
