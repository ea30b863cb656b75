"""The commands that administer tenants, and print the schema."""

from typing import NoReturn
from urllib.parse import urlsplit

import click
from tortoise.exceptions import IntegrityError

from billing.errors import BillingError, Code
from billing.onboarding import INDUSTRIES, Applicant, account_link, onboard
from gateway.applicants import check_address, checked
from gateway.operating import Desk, StripeDesk, at_desk, find_tenant, operator, with_stripe
from gateway.user_error import UserError
from observability.logs import redact
from tenants import registry
from tenants.context import CLOSED, DEFAULT_FEATURES, ROLE_SCOPES, Feature, Role, Scope
from tenants.models import Tenant


@click.group()
def tenants() -> None:
    """Tenants: one institution, one connected account."""


@tenants.command("add")
@click.argument("slug")
@click.option("--name", required=True, help="The institution's, as its customers know it.")
@click.option("--industry", type=click.Choice(sorted(INDUSTRIES)), required=True)
@click.option("--mcc", help="Merchant category code, where it is not the industry's first.")
@click.option("--country", default="US", show_default=True, help="Where it is at home: two letters of ISO 3166.")
@click.option("--currency", default="usd", show_default=True, help="Of its account: three letters of ISO 4217.")
@click.option("--email", required=True, help="Of the institution; Stripe writes there.")
@click.option(
    "--return-url", default="https://example.com/onboarded", show_default=True, help="Where its people go on."
)
def add(
    slug: str, name: str, industry: str, mcc: str | None, country: str, currency: str, email: str, return_url: str
) -> None:
    """Create a tenant with its account at Stripe, and print the link on which the institution completes it.

    SLUG has 1 to 40 small letters, digits and hyphens. Repeat the command to go on after a fault, with other options
    where Stripe refused the first; once the account is there, the same command prints a new link.
    """
    applicant = checked(Applicant(slug, name, industry, country.upper(), currency.lower(), email, mcc))
    check_address("--return-url", return_url)

    async def work(desk: StripeDesk) -> str:
        await _go_on(desk, applicant)
        made: Tenant | None = None
        try:
            made = await onboard(desk.database, desk.stripe, applicant, livemode=desk.settings.livemode, by=operator())
            return await account_link(desk.stripe, made, return_url=return_url, refresh_url=return_url)
        except BillingError as error:
            _explain(error, slug, made)
        except IntegrityError:
            raise UserError(
                f"{slug} is being added by somebody else: repeat the command to see how it stands"
            ) from None

    click.echo(with_stripe(work))


async def _go_on(desk: StripeDesk, applicant: Applicant) -> None:
    """A tenant that has the slug already must be the same; while it has no account it becomes what is wished now."""
    found = await Tenant.get_or_none(slug=applicant.slug, using_db=desk.database.system)  # type: ignore[arg-type]
    if found is None:
        return
    if found.livemode != desk.settings.livemode:
        raise UserError(f"there is a tenant {found.slug} in {'live' if found.livemode else 'test'} mode")
    columns = ("name", "industry", "country", "default_currency", "mcc")
    changed = [column for column in columns if getattr(found, column) != getattr(applicant, column)]
    if found.account_id:
        if changed:
            told = ", ".join(f"{column} {getattr(found, column)}" for column in changed)
            raise UserError(f"{found.slug} has its account at Stripe already, with {told}")
        return
    if changed or found.status == CLOSED:
        for column in changed:
            setattr(found, column, getattr(applicant, column))
        found.status = "pending"
        await registry.save_tenant(desk.database, found, by=operator())


def _explain(error: BillingError, slug: str, made: Tenant | None) -> NoReturn:
    """Stripe's own reason where it gave one, and what can be done."""
    cause = error.__cause__
    answered = getattr(cause, "http_status", None) is not None
    reason = redact(getattr(cause, "user_message", None) or error.message) if answered else ""
    if error.code is Code.IDEMPOTENCY_KEY_REUSED:
        told = (
            f"Stripe keeps its answer to an earlier try for {slug} for a day: give the options of then, or another slug"
        )
    elif answered:
        told = f"Stripe refused: {reason}"
    else:
        told = "Stripe can't be reached now"
    if made is not None:
        raise UserError(f"{told}. {slug} has its account; the same command prints a new link") from None
    raise UserError(
        f"{told}. {slug} is pending: repeat the command to go on, or `gateway tenants remove {slug}`"
    ) from None


@tenants.command("list")
@click.option("--all", "every", is_flag=True, help="Those that were removed too.")
def list_tenants(*, every: bool) -> None:
    """Every tenant: slug, status, account, name."""

    async def work(desk: Desk) -> list[Tenant]:
        return await Tenant.all().using_db(desk.database.system).order_by("slug")  # type: ignore[arg-type]

    for found in at_desk(work):
        if every or found.status != CLOSED:
            click.echo(f"{found.slug}\t{found.status}\t{found.account_id or '-'}\t{found.name}")


_SHOWN = ("slug", "name", "industry", "mcc", "country", "default_currency", "livemode", "status", "features")


@tenants.command("show")
@click.argument("slug")
def show(slug: str) -> None:
    """One tenant: what it is, what it has switched on, and how its account stands with Stripe."""

    async def work(desk: Desk) -> dict[str, object]:
        found = await find_tenant(desk.database, slug, closed=True)
        told = {name: getattr(found, name) for name in _SHOWN}
        told |= {"origins": found.cors_origins, "trusted_only": found.trusted_only, "account_id": found.account_id}
        rows = await desk.database.system.execute_query_dict(
            "select charges_enabled, payouts_enabled, details_submitted, disabled_reason from accounts"
            " where tenant_id = $1 and livemode = $2 and stripe_id = $3 and not deleted",
            [found.id, found.livemode, found.account_id],
        )
        return told | (dict(rows[0]) if rows else {"charges_enabled": None})

    for name, value in at_desk(work).items():
        click.echo(f"{name}\t{_shown(value)}")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (",".join(value) if isinstance(value, list) else str(value or "")) or "-"


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
    if not (features or no_features or origins or no_origins or trusted_only is not None):
        raise click.UsageError("say what to set: --feature, --no-features, --origin, --no-origins, --trusted-only …")
    if (features and no_features) or (origins and no_origins):
        raise click.UsageError("--feature goes without --no-features, and --origin without --no-origins")
    for origin in origins:
        parts = urlsplit(origin)
        if parts.scheme not in {"http", "https"} or not parts.netloc or f"{parts.scheme}://{parts.netloc}" != origin:
            raise UserError(f"{origin} is no origin: give scheme, host and port alone, as https://app.example.org")

    async def work(desk: Desk) -> None:
        found = await find_tenant(desk.database, slug)
        if features or no_features:
            found.features = sorted(features)
        if origins or no_origins:
            found.cors_origins = sorted(origins)
        if trusted_only is not None:
            found.trusted_only = trusted_only
        await registry.save_tenant(desk.database, found, by=operator())

    at_desk(work)


@tenants.command("remove")
@click.argument("slug")
def remove(slug: str) -> None:
    """Close a tenant that never had an account at Stripe; its keys end.

    It leaves the list, and `gateway tenants add` opens it again. What was audited of it stays.
    """

    async def work(desk: Desk) -> None:
        found = await find_tenant(desk.database, slug)
        if not await registry.close_tenant(desk.database, found.id, by=operator()):
            raise UserError(
                f"{slug} has the account {found.account_id} at Stripe and stays: "
                "revoke its keys (`gateway tokens revoke`) to let nobody in"
            )

    at_desk(work)


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
