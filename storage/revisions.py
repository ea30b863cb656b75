"""Revisions: numbers that grow with every committed change in a scope, and tell caches when they are old."""

from collections.abc import Collection

from storage.database import Connection

EVERYTHING = "everything"
SETTINGS = "settings"


def catalog_scope(*, livemode: bool) -> str:
    """The scope of what every customer of a tenant may see: products, prices, coupons."""
    return f"{'live' if livemode else 'test'}:catalog"


def customer_scope(customer: str, *, livemode: bool) -> str:
    """The scope of one customer's own objects."""
    return f"{'live' if livemode else 'test'}:customer:{customer}"


async def bump(connection: Connection, scopes: Collection[tuple[int, str]]) -> int:
    """Raise the scopes to one new number, as the last statement of the caller's transaction; returns the number."""
    ordered = sorted(scopes)
    rows = await connection.execute_query_dict(
        "select bump_revisions($1::bigint[], $2::text[]) as n",
        [[tenant for tenant, _ in ordered], [scope for _, scope in ordered]],
    )
    return int(rows[0]["n"])


async def current(connection: Connection, tenant_id: int, scopes: Collection[str]) -> dict[str, int]:
    """The numbers of some scopes of one tenant, as committed now; 0 for a scope that never changed."""
    rows = await connection.execute_query_dict(
        "select scope, n from revisions where tenant_id = $1 and scope = any($2::text[])", [tenant_id, list(scopes)]
    )
    found = {str(row["scope"]): int(row["n"]) for row in rows}
    return {scope: found.get(scope, 0) for scope in scopes}
