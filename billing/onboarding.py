"""Brings a tenant to Stripe: a connected account with its industry's profile, and the link on which it is completed."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from billing.mirroring import Mirroring, apply_as_tenant
from billing.stripe_client import StripeGateway
from storage.binding import bind_tenant
from storage.database import Database
from tenants.audit import SYSTEM, Author
from tenants.context import DEFAULT_FEATURES
from tenants.models import Tenant
from tenants.registry import save_tenant


@dataclass(frozen=True, slots=True)
class Industry:
    """What Stripe is told of an industry: the merchant category code of institutions and of practices or schools."""

    mcc: str
    other_mcc: tuple[str, ...] = ()


INDUSTRIES = {
    "healthcare": Industry("8062", ("8011",)),
    "education": Industry("8220", ("8211",)),
    "saas": Industry("7372"),
}


@dataclass(frozen=True, slots=True)
class Applicant:
    """A new tenant."""

    slug: str
    name: str
    industry: str
    country: str
    default_currency: str
    email: str
    mcc: str | None = None
    features: tuple[str, ...] = DEFAULT_FEATURES
    metadata: tuple[tuple[str, str], ...] = ()


class UnknownIndustryError(ValueError):
    """The industry or its category code is not one that the gateway knows."""


async def onboard(
    database: Database, stripe: StripeGateway, applicant: Applicant, *, livemode: bool, by: Author = SYSTEM
) -> Tenant:
    """Create the tenant and its connected account; repeated after a fault it goes on with the same account."""
    industry = INDUSTRIES.get(applicant.industry)
    mcc = applicant.mcc or (industry.mcc if industry else "")
    if industry is None or mcc not in {industry.mcc, *industry.other_mcc}:
        raise UnknownIndustryError(f"{applicant.industry} with category {mcc or '(none)'}")
    tenant: Tenant | None = await Tenant.get_or_none(slug=applicant.slug, using_db=database.system)  # type: ignore[arg-type]
    if tenant is None:
        tenant = await save_tenant(
            database,
            Tenant(
                slug=applicant.slug,
                name=applicant.name,
                industry=applicant.industry,
                mcc=mcc,
                country=applicant.country,
                default_currency=applicant.default_currency,
                livemode=livemode,
                features=list(applicant.features),
            ),
            by=by,
        )
    if not tenant.account_id:
        answer = await stripe.call(
            None,
            lambda v1, o: v1.accounts.create_async(_account(applicant, mcc), o),
            idempotency_key=f"gw_onboard_{tenant.slug}",
        )
        tenant.account_id = str(answer.body["id"])
        tenant.status = "active"
        await save_tenant(database, tenant, by=by)
        way = Mirroring(stripe, tenant.id, tenant.account_id, livemode)
        with bind_tenant(tenant.id):
            await way.settle(way.arrival(answer), partial(apply_as_tenant, database))
    return tenant


async def account_link(stripe: StripeGateway, tenant: Tenant, *, return_url: str, refresh_url: str) -> str:
    """The address, valid for minutes, on which the institution completes its account."""
    params = {
        "account": tenant.account_id,
        "type": "account_onboarding",
        "return_url": return_url,
        "refresh_url": refresh_url,
    }
    answer = await stripe.call(None, lambda v1, o: v1.account_links.create_async(params, o))
    return str(answer.body["url"])


def _account(applicant: Applicant, mcc: str) -> dict[str, Any]:
    return {
        "country": applicant.country,
        "email": applicant.email,
        "default_currency": applicant.default_currency,
        "business_profile": {"name": applicant.name, "mcc": mcc},
        "capabilities": {"card_payments": {"requested": True}, "transfers": {"requested": True}},
        "controller": {
            "fees": {"payer": "account"},
            "losses": {"payments": "stripe"},
            "requirement_collection": "stripe",
            "stripe_dashboard": {"type": "full"},
        },
        "metadata": dict(applicant.metadata) | {"gateway_tenant": applicant.slug},
    }
