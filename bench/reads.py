"""How many reads a second one gateway process answers, beside servers that do less: ready bytes, one raw query.

    python -m bench.reads [SECONDS]

The document: 20 subscriptions with their plan and three invoices each, of a tenant with a thousand. Server and client
have a core each where there are two; PostgreSQL takes what is left of both. Durable PostgreSQL, row-level security on.
"""

import asyncio
import sys
from uuid import uuid4

import asyncpg
import orjson
from joserfc.jwk import OKPKey

from bench import http
from bench.ingest import server_running
from gateway.migrate import migrate
from gateway.models import MODELS
from observability import logs
from storage.database import APP_ROLE, SYSTEM_ROLE, DatabaseUrl, open_database
from tenants.context import Role
from tenants.models import Tenant
from tenants.registry import issue_key, save_tenant

_PASSWORD = "only-for-this-run"  # noqa: S105 (a database that lives for seconds)
_PORT = 12_312
_DOCUMENT = """query Reads { subscriptions(first: 20) { nodes {
  id status currentPeriodEnd
  items { quantity plan { id name interval price { amount currency } } }
  invoices(first: 3) { nodes { id number status total { amount currency } created } }
} } }"""
_FILL = """
insert into products (tenant_id, livemode, stripe_id, stamp, source, created, digest, data, name, active)
    select t.id, false, 'prod_' || n, now(), 'api', now(), '', '{}', 'Product ' || n, true
    from tenants t, generate_series(1, 5) n;
insert into prices (tenant_id, livemode, stripe_id, stamp, source, created, digest, data, product_id, active, type,
        currency, unit_amount, billing_scheme, interval, interval_count)
    select t.id, false, 'price_' || n, now(), 'api', now(), '', '{}', 'prod_' || n, true, 'recurring',
        'usd', 1000 * n, 'per_unit', 'month', 1
    from tenants t, generate_series(1, 5) n;
insert into subscriptions (tenant_id, livemode, stripe_id, stamp, source, created, digest, data, customer_id, status,
        currency, cancel_at_period_end, collection_method, current_period_end)
    select t.id, false, 'sub_' || n, now(), 'api', now() - n * interval '1 minute', '', '{}', 'cus_' || n, 'active',
        'usd', false, 'charge_automatically', now()
    from tenants t, generate_series(1, 1000) n;
insert into subscription_items (tenant_id, livemode, stripe_id, parent_id, position, price_id, quantity)
    select t.id, false, 'si_' || n, 'sub_' || n, 0, 'price_' || (n % 5 + 1), 1
    from tenants t, generate_series(1, 1000) n;
insert into invoices (tenant_id, livemode, stripe_id, stamp, source, created, digest, data, customer_id,
        subscription_id, status, number, currency, subtotal, total, amount_due, amount_paid, amount_remaining,
        attempt_count)
    select t.id, false, 'in_' || n || '_' || m, now(), 'api', now() - m * interval '30 days', '', '{}', 'cus_' || n,
        'sub_' || n, 'paid', 'A-' || n || '-' || m, 'usd', 1000, 1000, 1000, 1000, 0, 1
    from tenants t, generate_series(1, 1000) n, generate_series(1, 6) m;
analyze;
"""


async def prepared(owner: DatabaseUrl) -> str:
    """Two tenants with the same ids, so that row-level security has something to hold back; the first one's key."""
    logs.configure(level="warning", console=True)
    await migrate(owner, app_password=_PASSWORD, system_password=_PASSWORD)
    app, system = owner.as_role(APP_ROLE, _PASSWORD), owner.as_role(SYSTEM_ROLE, _PASSWORD)
    async with open_database(app=app, system=system, models=MODELS) as database:
        given = {"industry": "saas", "mcc": "7372", "country": "US", "default_currency": "usd", "status": "active"}
        first, _ = [
            await save_tenant(
                database, Tenant(slug=name, name=name, livemode=False, account_id=f"acct_{name}", **given)
            )
            for name in ("bench", "other")
        ]
        key = await issue_key(database, first, role=Role.PARTNER, name="bench")
    connection = await asyncpg.connect(**owner.credentials())
    await connection.execute(_FILL)
    await connection.close()
    return key


def measure(owner: DatabaseUrl, url: str, seconds: float) -> None:
    """Print the rates and their ratios."""
    key = asyncio.run(prepared(owner))
    settings = {
        "DATABASE_URL": url,
        "GATEWAY_APP_PASSWORD": _PASSWORD,
        "GATEWAY_SYSTEM_PASSWORD": _PASSWORD,
        "STRIPE_API_KEY": f"sk_test_{uuid4().hex}",
        "STRIPE_API_BASE": "http://127.0.0.1:1",  # nobody: a read asks Stripe nothing
        "GATEWAY_SESSION_KEY": OKPKey.generate_key("Ed25519").as_pem(private=True).decode(),
        "GATEWAY_PORT": str(_PORT),
        "GRAPHQL_TOKEN_POINTS": "10000000",
        "GRAPHQL_TENANT_POINTS": "100000000",
    }
    asked = http.request(
        "POST",
        "/graphql",
        orjson.dumps({"query": _DOCUMENT}).decode(),
        Content_Type="application/json",
        Authorization=f"Bearer {key}",
    )
    if pin := http.pinned(1):
        pin()
    with http.server("-m", "gateway", "serve", port=_PORT, environment=settings):
        answer = asyncio.run(http.one(_PORT, asked))
        nodes = orjson.loads(answer)["data"]["subscriptions"]["nodes"]
        if len(nodes) != 20 or any(len(node["invoices"]["nodes"]) != 3 for node in nodes):
            raise SystemExit(f"not what was asked for: {answer[:300]!r}")
        gateway = asyncio.run(http.rate(_PORT, asked, seconds))
    floors = {}
    for name, given in (("query", url), ("route", str(len(answer)))):
        with http.server("-m", "bench.floors", str(_PORT), name, given, port=_PORT):
            floors[name] = asyncio.run(http.rate(_PORT, asked, seconds))
    query, ready = floors["query"], floors["route"]
    print(f"reads: {gateway:,.0f} requests/s of {len(answer):,} bytes; "
          f"Starlette with one raw query {query:,.0f}/s, ratio {gateway / query:.3f}; "
          f"with ready bytes {ready:,.0f}/s, ratio {gateway / ready:.4f}")  # fmt: skip


def main() -> None:
    """The command line."""
    with server_running() as postgres:
        url = postgres.owner_url()
        measure(DatabaseUrl.parse(url), url, float(sys.argv[1]) if len(sys.argv) > 1 else 5.0)


if __name__ == "__main__":
    main()
