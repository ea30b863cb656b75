"""The commands for API keys, of tenants and of the platform, and for customers' session tokens."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from gateway.applicants import check_name
from gateway.operating import Desk, at_desk, find_tenant, operator
from gateway.session_keys import session_keys
from gateway.user_error import UserError
from tenants import audit, registry
from tenants.context import Role, Scope
from tenants.sessions import SessionKeys

_PLATFORM = click.option("--platform", is_flag=True, help="The platform's keys, which reach every tenant.")


@click.group()
def tokens() -> None:
    """API keys of tenants and of the platform, and customers' session tokens."""


@tokens.command("issue")
@click.option("--tenant", help="Whose key it is: the tenant's slug.")
@click.option("--platform", is_flag=True, help="A key of the platform's administrators: it reaches every tenant.")
@click.option(
    "--role", type=click.Choice(["partner", "admin", "support"]), help="Of a tenant's key.  [default: partner]"
)
@click.option("--scope", "scopes", multiple=True, type=click.Choice([scope.value for scope in Scope]),
              help="Less than all that the role may do; may be repeated.")  # fmt: skip
@click.option("--name", required=True, help="What it is for.")
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is valid; without end unless said.")
@click.option("--live/--test", default=None, help="Of a platform key: its mode, where STRIPE_API_KEY does not say it.")
def issue(
    *,
    tenant: str | None,
    platform: bool,
    role: str | None,
    scopes: tuple[str, ...],
    name: str,
    days: int | None,
    live: bool | None,
) -> None:
    """Make an API key for a tenant, or for the platform; it is shown this once."""
    if (tenant is None) is not platform:
        raise click.UsageError("say whose key it is: --tenant SLUG, or --platform for one that reaches every tenant")
    if platform and (role or scopes):
        raise click.UsageError("a platform key has no --role and no --scope: it reads, and administers every tenant")
    if tenant is not None and live is not None:
        raise click.UsageError("a tenant's key is of the tenant's mode: leave --live and --test out")
    check_name(name)
    until = datetime.now(UTC) + timedelta(days=days) if days else None

    async def work(desk: Desk) -> str:
        if tenant is None:
            livemode = desk.settings.livemode if live is None else live
            return await registry.issue_platform_key(
                desk.database, name=name, livemode=livemode, expires_at=until, by=operator()
            )
        owner = await find_tenant(desk.database, tenant)
        try:
            return await registry.issue_key(
                desk.database,
                owner,
                role=Role(role or Role.PARTNER),
                name=name,
                scopes=[Scope(scope) for scope in scopes] or None,
                expires_at=until,
                by=operator(),
            )
        except registry.ScopesError as error:
            raise UserError(str(error)) from None

    click.echo(at_desk(work))


@tokens.command("list")
@click.argument("tenant", required=False)
@_PLATFORM
def list_tokens(tenant: str | None, *, platform: bool) -> None:
    """Keys by their public ids; secrets are stored nowhere.

    Each line has the public id, its state (valid, replaced, expired or revoked), the role, the scopes, the name, when
    it ends, when it was last used, and the key in its place.
    """
    if (tenant is None) is not platform:
        raise click.UsageError("name a tenant, or --platform")

    async def work(desk: Desk) -> list[dict[str, Any]]:
        if tenant is None:
            return await desk.database.system.execute_query_dict(
                "select *, 'platform' as role, array[]::text[] as scopes from platform_tokens order by id"
            )
        owner = await find_tenant(desk.database, tenant)
        return await desk.database.system.execute_query_dict(
            "select * from api_tokens where tenant_id = $1 order by id", [owner.id]
        )

    for row in at_desk(work):
        told = [row["public_id"], _state(row), row["role"], ",".join(row["scopes"]), row["name"]]
        told += [row[name] for name in ("expires_at", "last_used_at", "replaced_by")]
        click.echo("\t".join("-" if value in (None, "") else str(value) for value in told))


def _state(row: Mapping[str, Any]) -> str:
    if row["revoked_at"]:
        return "revoked"
    if row["expires_at"] and row["expires_at"] <= datetime.now(UTC):
        return "expired"
    return "replaced" if row["replaced_by"] else "valid"


@tokens.command("rotate")
@click.argument("public_id")
@click.option("--overlap-hours", type=click.FloatRange(0, 720), default=24.0, show_default=True)
def rotate(public_id: str, overlap_hours: float) -> None:
    """Make a new key in the place of another, a tenant's or the platform's; the new one is shown this once.

    The old one goes on for the overlap. A key is replaced once: after that, rotate the one in its place.
    """
    overlap = timedelta(hours=overlap_hours)

    async def work(desk: Desk) -> str:
        try:
            if await _is_platform(desk, public_id):
                return await registry.rotate_platform_key(desk.database, public_id, overlap=overlap, by=operator())
            return await registry.rotate_key(desk.database, public_id, overlap=overlap, by=operator())
        except registry.ReplacedTokenError as error:
            raise UserError(f"{error}: rotate that one") from None
        except registry.UnknownTokenError:
            raise UserError(f"there is no valid key {public_id}") from None

    click.echo(at_desk(work))


@tokens.command("revoke")
@click.argument("public_id")
def revoke(public_id: str) -> None:
    """End a key now, a tenant's or the platform's, in every process."""

    async def work(desk: Desk) -> None:
        try:
            if await _is_platform(desk, public_id):
                await registry.revoke_platform_key(desk.database, public_id, by=operator())
            else:
                await registry.revoke_key(desk.database, public_id, by=operator())
        except registry.UnknownTokenError:
            raise UserError(f"there is no key {public_id}") from None

    at_desk(work)


async def _is_platform(desk: Desk, public_id: str) -> bool:
    rows = await desk.database.system.execute_query_dict(
        "select 1 from platform_tokens where public_id = $1", [public_id]
    )
    return bool(rows)


@tokens.command("end")
@click.argument("tenant")
@click.option("--customer", help="The customer's id at Stripe; leave it out for all.")
def end_sessions(tenant: str, customer: str | None) -> None:
    """End the session tokens of a customer, or of all the tenant's, in every process."""

    async def work(desk: Desk) -> None:
        owner = await find_tenant(desk.database, tenant)
        await registry.end_sessions(desk.database, owner.id, customer, by=operator())

    at_desk(work)


@tokens.command("session")
@click.option("--tenant", required=True, help="The tenant's slug.")
@click.option("--customer", required=True, help="The customer's id at Stripe.")
@click.option("--minutes", type=click.IntRange(1, 60), default=15, show_default=True, help="How long it is valid.")
def session(tenant: str, customer: str, minutes: int) -> None:
    """Mint a session token for a customer that the mirror knows. It needs GATEWAY_SESSION_KEY."""

    async def work(desk: Desk) -> str:
        keys = SessionKeys(session_keys(desk.settings.gateway_session_key.get_secret_value()))
        owner = await find_tenant(desk.database, tenant)
        rows = await desk.database.system.execute_query_dict(
            "select 1 from customers where tenant_id = $1 and livemode = $2 and stripe_id = $3 and not deleted",
            [owner.id, owner.livemode, customer],
        )
        if not rows:
            raise UserError(f"{tenant} has no customer {customer}")
        await audit.record(desk.database.system, owner.id, operator(), action="customerTokenCreate", target=customer)
        return keys.mint(
            tenant=owner.slug,
            customer=customer,
            livemode=owner.livemode,
            now=datetime.now(UTC),
            lifetime=timedelta(minutes=minutes),
        )

    click.echo(at_desk(work, "gateway_session_key"))
