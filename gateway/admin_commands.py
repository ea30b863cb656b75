"""The commands that administer tenants and their keys, and print the schema."""

import asyncio
import getpass
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

import click

from billing.errors import BillingError
from billing.onboarding import INDUSTRIES, Applicant, UnknownIndustryError, account_link, onboard
from gateway.runtime import Runtime, open_runtime
from gateway.settings import Settings
from gateway.user_error import UserError
from tenants import audit, registry
from tenants.audit import Author
from tenants.context import DEFAULT_FEATURES, ROLE_SCOPES, Feature, Role, Scope
from tenants.models import ApiToken, Tenant

T = TypeVar("T")
NEEDED = ("database_url", "gateway_app_password", "gateway_system_password", "stripe_api_key", "gateway_session_key")


def with_runtime(work: Callable[[Runtime], Awaitable[T]]) -> T:
    """Run something with all that a process holds, by the settings of the environment."""
    settings = Settings.load(*NEEDED)

    async def run() -> T:
        async with open_runtime(settings) as runtime:
            return await work(runtime)

    return asyncio.run(run())


async def find_tenant(runtime: Runtime, slug: str) -> Tenant:
    """By its slug, as the system; raises UserError."""
    found = await Tenant.get_or_none(slug=slug, using_db=runtime.database.system)  # type: ignore[arg-type]
    if found is None:
        raise UserError(f"there is no tenant {slug}")
    return found


def operator() -> Author:
    """Who runs a command, for the audit log: an account of this machine."""
    try:
        return Author(f"operator:{getpass.getuser()}")
    except (KeyError, OSError):  # a container's user may have no name
        return Author(f"operator:{os.getuid()}")


@click.group()
def tenants() -> None:
    """Tenants: one institution, one connected account."""


@tenants.command("add")
@click.argument("slug")
@click.option("--name", required=True)
@click.option("--industry", type=click.Choice(sorted(INDUSTRIES)), required=True)
@click.option("--mcc", help="Merchant category code, where it is not the industry's first.")
@click.option("--country", default="US", show_default=True)
@click.option("--currency", default="usd", show_default=True)
@click.option("--email", required=True, help="Of the institution; Stripe writes there.")
@click.option("--return-url", default="https://example.com/onboarded", show_default=True)
def add(
    slug: str, name: str, industry: str, mcc: str | None, country: str, currency: str, email: str, return_url: str
) -> None:
    """Create a tenant with its account at Stripe, and print the link that completes it."""

    async def work(runtime: Runtime) -> str:
        applicant = Applicant(slug, name, industry, country.upper(), currency.lower(), email, mcc)
        try:
            made = await onboard(
                runtime.database, runtime.stripe, applicant, livemode=runtime.settings.livemode, by=operator()
            )
            return await account_link(runtime.stripe, made, return_url=return_url, refresh_url=return_url)
        except (BillingError, UnknownIndustryError) as error:
            raise UserError(str(error)) from None

    click.echo(with_runtime(work))


@tenants.command("list")
def list_tenants() -> None:
    """Every tenant: slug, status, account, name."""

    async def work(runtime: Runtime) -> list[Tenant]:
        return await Tenant.all().using_db(runtime.database.system).order_by("slug")  # type: ignore[arg-type]

    for found in with_runtime(work):
        click.echo(f"{found.slug}\t{found.status}\t{found.account_id or '-'}\t{found.name}")


@tenants.command("show")
@click.argument("slug")
def show(slug: str) -> None:
    """One tenant: what it is, and how it stands with Stripe."""

    async def work(runtime: Runtime) -> Tenant:
        return await find_tenant(runtime, slug)

    found = with_runtime(work)
    for name in ("slug", "name", "industry", "mcc", "country", "default_currency", "account_id", "status", "features"):
        value = getattr(found, name)
        click.echo(f"{name}\t{','.join(value) if isinstance(value, list) else value or '-'}")


@tenants.command("set")
@click.argument("slug")
@click.option("--feature", "features", multiple=True, type=click.Choice([each.value for each in Feature]))
@click.option("--no-features", is_flag=True, help="Switch every feature off.")
@click.option("--origin", "origins", multiple=True, help="An origin whose pages may ask, as https://app.example.org.")
@click.option("--no-origins", is_flag=True, help="No page of another origin may ask.")
@click.option("--trusted-only/--any-document", default=None, help="Whether customers run registered documents alone.")
def set_tenant(
    slug: str,
    *,
    features: tuple[str, ...],
    no_features: bool,
    origins: tuple[str, ...],
    no_origins: bool,
    trusted_only: bool | None,
) -> None:
    """Change what a tenant has: each option that is given replaces the whole of what it names."""
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.netloc or f"{parts.scheme}://{parts.netloc}" != origin:
            raise UserError(f"{origin} is no origin: give scheme, host and port alone, as https://app.example.org")

    async def work(runtime: Runtime) -> None:
        found = await find_tenant(runtime, slug)
        if features or no_features:
            found.features = sorted(features)
        if origins or no_origins:
            found.cors_origins = sorted(origins)
        if trusted_only is not None:
            found.trusted_only = trusted_only
        await registry.save_tenant(runtime.database, found, by=operator())

    with_runtime(work)


@click.group()
def tokens() -> None:
    """API keys of tenants and of the platform, and customers' session tokens."""


@tokens.command("issue")
@click.option("--tenant", help="The tenant's slug; leave it out for a platform key.")
@click.option("--role", type=click.Choice(["partner", "admin", "support"]), default="partner", show_default=True)
@click.option("--scope", "scopes", multiple=True, type=click.Choice([scope.value for scope in Scope]))
@click.option("--name", required=True, help="What it is for.")
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is valid.")
def issue(tenant: str | None, role: str, scopes: tuple[str, ...], name: str, days: int | None) -> None:
    """Make an API key; it is shown this once."""

    async def work(runtime: Runtime) -> str:
        if tenant is None:
            livemode = runtime.settings.livemode
            return await registry.issue_platform_key(runtime.database, name=name, livemode=livemode)
        return await registry.issue_key(
            runtime.database,
            await find_tenant(runtime, tenant),
            role=Role(role),
            name=name,
            scopes=[Scope(scope) for scope in scopes] or None,
            expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
            by=operator(),
        )

    click.echo(with_runtime(work))


@tokens.command("list")
@click.argument("tenant")
def list_tokens(tenant: str) -> None:
    """A tenant's keys by their public ids; secrets are stored nowhere."""

    async def work(runtime: Runtime) -> list[ApiToken]:
        owner = await find_tenant(runtime, tenant)
        return await ApiToken.filter(tenant_id=owner.id).using_db(runtime.database.system).order_by("id")  # type: ignore[arg-type]

    for found in with_runtime(work):
        state = "revoked" if found.revoked_at else "valid"
        click.echo(f"{found.public_id}\t{state}\t{found.role}\t{','.join(found.scopes)}\t{found.name}")


@tokens.command("rotate")
@click.argument("public_id")
@click.option("--overlap-hours", type=click.FloatRange(0, 720), default=24.0, show_default=True)
def rotate(public_id: str, overlap_hours: float) -> None:
    """Make a new key in the place of another, which goes on for the overlap; the new one is shown this once."""

    async def work(runtime: Runtime) -> str:
        try:
            return await registry.rotate_key(
                runtime.database, public_id, overlap=timedelta(hours=overlap_hours), by=operator()
            )
        except registry.UnknownTokenError:
            raise UserError(f"there is no valid key {public_id}") from None

    click.echo(with_runtime(work))


@tokens.command("end")
@click.argument("tenant")
@click.option("--customer", help="The customer's id at Stripe; leave it out for all.")
def end_sessions(tenant: str, customer: str | None) -> None:
    """End the session tokens of a customer, or of all the tenant's, in every process."""

    async def work(runtime: Runtime) -> None:
        owner = await find_tenant(runtime, tenant)
        await registry.end_sessions(runtime.database, owner.id, customer, by=operator())

    with_runtime(work)


@tokens.command("revoke")
@click.argument("public_id")
def revoke(public_id: str) -> None:
    """End a key now, in every process."""

    async def work(runtime: Runtime) -> None:
        try:
            await registry.revoke_key(runtime.database, public_id, by=operator())
        except registry.UnknownTokenError:
            raise UserError(f"there is no key {public_id}") from None

    with_runtime(work)


@tokens.command("session")
@click.option("--tenant", required=True)
@click.option("--customer", required=True, help="The customer's id at Stripe.")
@click.option("--minutes", type=click.IntRange(1, 60), default=15, show_default=True)
def session(tenant: str, customer: str, minutes: int) -> None:
    """Mint a customer's session token."""

    async def work(runtime: Runtime) -> str:
        owner = await find_tenant(runtime, tenant)
        await audit.record(runtime.database.system, owner.id, operator(), action="customerTokenCreate", target=customer)
        return runtime.sessions.mint(
            tenant=owner.slug,
            customer=customer,
            livemode=owner.livemode,
            now=datetime.now(UTC),
            lifetime=timedelta(minutes=minutes),
        )

    click.echo(with_runtime(work))


@click.command()
@click.option("--role", type=click.Choice([role.value for role in Role]), help="As this role sees it; else the whole.")
@click.option("--scope", "scopes", multiple=True, type=click.Choice([scope.value for scope in Scope]))
@click.option("--feature", "features", multiple=True, type=click.Choice([each.value for each in Feature]))
def schema(role: str | None, scopes: tuple[str, ...], features: tuple[str, ...]) -> None:
    """Print the GraphQL schema, whole or as a role with these scopes sees it in a tenant with these features.

    Without scopes the role's own, without features those of a new tenant.
    """
    from gateway import graphql, signatures

    if role is None:
        click.echo(graphql.build().as_str())
        return
    granted = ROLE_SCOPES[Role(role)]
    if scopes:
        granted &= frozenset(Scope(scope) for scope in scopes)
    signature = signatures.Signature(Role(role), granted, frozenset(features or DEFAULT_FEATURES))
    click.echo(signatures.build(signature).as_str())
