"""How fast events are taken in and worked off, beside what raw asyncpg does with the same events in the same run.

    python -m bench.ingest [EVENTS]

Durable PostgreSQL, one process that does everything; Stripe is not asked (no event is in doubt).
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles

import asyncpg
import orjson

from billing.stripe_client import StripeGateway
from gateway.migrate import migrate
from gateway.models import MODELS
from observability import logs
from storage.database import APP_ROLE, SYSTEM_ROLE, Database, DatabaseUrl, open_database
from storage.embedded import EmbeddedPostgres
from tenants.models import Tenant
from tenants.registry import save_tenant
from webhooks import inbox
from webhooks.inbox import Delivery
from webhooks.intake import Intake
from webhooks.process import Worker

_PASSWORD = "only-for-this-run"  # noqa: S105 (a database that lives for seconds)
_AT_ONCE = 64
_SECOND = 1_793_491_200
_FRESH_EVERY = 0.5
_RAW = "insert into raw (account, event_id, type, livemode, created, payload) values ($1, $2, $3, $4, $5, $6)"


def event(number: int, account: str = "acct_bench") -> bytes:
    """An event of a customer as Stripe sends it, one object for each five events."""
    customer = f"cus_{number // 5}"
    body = {"id": customer, "object": "customer", "created": _SECOND, "livemode": False, "balance": 0}
    body |= {"name": f"Customer {number}", "email": f"c{number}@payers.example", "metadata": {"n": str(number)}}
    given: dict[str, object] = {
        "id": f"evt_{account}_{number}",
        "object": "event",
        "type": "customer.updated",
        "account": account,
    }
    given |= {"livemode": False, "created": _SECOND + number, "data": {"object": body}, "request": {"id": None}}
    return orjson.dumps(given)


async def timed(work: Callable[[bytes], Awaitable[object]], events: Sequence[bytes]) -> tuple[float, float]:
    """Events a second with many at once, and the slowest hundredth's time in milliseconds."""
    times: list[float] = []
    waiting = iter(events)

    async def one_after_another() -> None:
        for each in waiting:
            begun = time.perf_counter()
            await work(each)
            times.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(_AT_ONCE)))
    return len(events) / (time.perf_counter() - begun), quantiles(times, n=100)[98] * 1000


async def ingest(database: Database, count: int) -> None:
    """The inbox with its group commit, and single raw inserts of the same events."""
    intake = Intake()
    events = [event(number, "acct_nobody") for number in range(count)]

    async def keep(payload: bytes) -> None:
        await intake.keep(database.system, Delivery.parse(payload))

    ours, slowest = await timed(keep, events)
    pool = await asyncpg.create_pool(**database.system_url.credentials(), min_size=10, max_size=10)

    async def raw(payload: bytes) -> None:
        one = Delivery.parse(payload)
        await pool.execute(_RAW, one.account, one.event_id, one.type, one.livemode, one.created, one.payload)

    floor, floor_slowest = await timed(raw, events)
    await pool.close()
    print(f"intake: {ours:,.0f} events/s, p99 {slowest:.1f} ms; raw single inserts {floor:,.0f}/s, p99 "
          f"{floor_slowest:.1f} ms; ratio {ours / floor:.2f}")  # fmt: skip


async def drain(database: Database, count: int) -> None:
    """A backlog of one tenant, with fresh events of another now and then; raw: the same events inserted once."""
    stripe = StripeGateway(api_key="sk_test_nobody", base="http://127.0.0.1:1", timeout=1.0)
    for begin in range(0, count, 5_000):
        some = [Delivery.parse(event(number)) for number in range(begin, min(begin + 5_000, count))]
        await inbox.insert(database.system, some)
    worker = Worker(database, stripe, livemode=False)
    delays: list[float] = []
    done = asyncio.Event()

    async def fresh() -> None:
        number = 0
        while not done.is_set():
            one = Delivery.parse(event(number, "acct_fresh"))
            begun = time.perf_counter()
            await inbox.insert(database.system, [one])
            while not await _settled(database, one.event_id):  # noqa: ASYNC110 (asked as another process would)
                await asyncio.sleep(0.01)
            delays.append(time.perf_counter() - begun)
            number += 1
            await asyncio.sleep(_FRESH_EVERY)

    watching = asyncio.create_task(fresh())
    begun = time.perf_counter()
    while await _waiting(database, "acct_bench"):
        for _ in range(20):
            await worker.work_once()
    took = time.perf_counter() - begun
    done.set()
    await worker.work_once()  # the last fresh one may still wait
    await watching
    await stripe.close()
    slowest = max(delays) if delays else 0.0
    print(f"drain: {count:,} events in {took:.1f} s, {count / took:,.0f} events/s by one worker")
    print(f"  a fresh event of another tenant meanwhile: at most {slowest * 1000:.0f} ms ({len(delays)} of them)")


async def _waiting(database: Database, account: str) -> bool:
    rows = await database.system.execute_query_dict(
        "select 1 from inbox where account = $1 and state = 'waiting' limit 1", [account]
    )
    return bool(rows)


async def _settled(database: Database, event_id: str) -> bool:
    rows = await database.system.execute_query_dict("select state from inbox where event_id = $1", [event_id])
    return bool(rows) and rows[0]["state"] == "done"


@contextmanager
def server_running() -> Iterator[EmbeddedPostgres]:
    """A durable PostgreSQL in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # as root it runs as another user
        server = EmbeddedPostgres(Path(folder) / "postgresql")
        server.start()
        try:
            yield server
        finally:
            server.stop()


async def main(server: EmbeddedPostgres, count: int) -> None:
    """Intake, then the drain of a backlog, on a new database."""
    logs.configure(level="warning", console=True)
    owner = DatabaseUrl.parse(server.owner_url())
    await migrate(owner, app_password=_PASSWORD, system_password=_PASSWORD)
    app, system = owner.as_role(APP_ROLE, _PASSWORD), owner.as_role(SYSTEM_ROLE, _PASSWORD)
    async with open_database(app=app, system=system, models=MODELS) as database:
        await _prepare(database, owner)
        await ingest(database, min(count, 20_000))
        await drain(database, count)


async def _prepare(database: Database, owner: DatabaseUrl) -> None:
    """Two tenants, and a table like the inbox for the raw inserts."""
    for name in ("bench", "fresh"):
        given = {"name": name, "industry": "saas", "mcc": "7372", "country": "US", "default_currency": "usd"}
        given |= {"account_id": f"acct_{name}", "status": "active"}
        await save_tenant(database, Tenant(slug=name, livemode=False, **given))
    connection = await asyncpg.connect(**owner.credentials())
    await connection.execute(
        "create table raw (id bigint generated always as identity primary key, account text, event_id text, type text,"
        " livemode bool, created timestamptz, payload text, unique (account, event_id));"
        " grant select, insert on raw to gateway_system; grant usage on sequence raw_id_seq to gateway_system"
    )
    await connection.close()


if __name__ == "__main__":
    with server_running() as running:
        asyncio.run(main(running, int(sys.argv[1]) if len(sys.argv) > 1 else 50_000))
