"""Hosted pages and secrets for one customer."""

import re
from urllib.parse import unquote, urlsplit

from billing import sessions
from billing.errors import BillingError, Code
from billing.operations import Order, Outcome
from resolvers.orders import changed, order, repeated
from resolvers.permission import mutates, visible, whose
from resolvers.subscriptions import quantity_of
from schema.context import Info
from schema.inputs import (
    CheckoutSessionCreateInput,
    CheckoutSessionPayload,
    Input,
    PortalSessionCreateInput,
    PortalSessionPayload,
    SetupIntentCreateInput,
    SetupIntentPayload,
)
from schema.types import checkout_session
from tenants.context import Feature, Scope

# Our own keys and any signed token: a page that hands on its whole address would hand its token to Stripe.
_TOKEN = re.compile(r"bgw_(?:test|live)_\w{20}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")


def _address(text: str, field: str) -> str:
    try:
        parts = urlsplit(text)
    except ValueError:  # half of an IPv6 address, say
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname or len(text) > 2000:
        raise BillingError(Code.INVALID_INPUT, "Give a whole http(s) address.", field=field)
    if _TOKEN.search(unquote(text)):
        raise BillingError(Code.INVALID_INPUT, "The address holds a token, which would go to Stripe.", field=field)
    return text


@mutates(CheckoutSessionPayload, Scope.SESSIONS_WRITE, own=True, feature=Feature.CHECKOUT)
async def checkout_session_create(info: Info, input: Input[CheckoutSessionCreateInput]) -> CheckoutSessionPayload:  # noqa: A002
    asked = order(info, "checkoutSessionCreate", input)
    outcome = await repeated(info, asked) or await _create_checkout(info, asked, input)
    row = await changed(info, "checkout_sessions", outcome)
    return CheckoutSessionPayload(checkout_session=checkout_session(row), revision=str(outcome.revision))


async def _create_checkout(info: Info, asked: Order, given: CheckoutSessionCreateInput) -> Outcome:
    payer = await visible(info, "customers", "Customer", whose(info, given.customer), "customer")
    price = await visible(info, "prices", "Plan", given.plan, "plan")
    new = sessions.NewCheckout(
        customer=payer["stripe_id"],
        price=price["stripe_id"],
        quantity=quantity_of(given.quantity) or 1,
        success_url=_address(given.success_url, "successUrl"),
        cancel_url=_address(given.cancel_url, "cancelUrl") if given.cancel_url else None,
        allow_promotion_codes=given.allow_promotion_codes,
    )
    return await sessions.create_checkout(info.context.operations, asked, new)


@mutates(PortalSessionPayload, Scope.SESSIONS_WRITE, own=True, feature=Feature.PORTAL)
async def portal_session_create(info: Info, input: Input[PortalSessionCreateInput]) -> PortalSessionPayload:  # noqa: A002
    payer = await visible(info, "customers", "Customer", whose(info, input.customer), "customer")
    back = _address(input.return_url, "returnUrl")
    asked = order(info, "portalSessionCreate", input)
    outcome = await sessions.create_portal(info.context.operations, asked, payer["stripe_id"], back)
    return PortalSessionPayload(url=outcome.body["url"] if outcome.body else None, revision=str(outcome.revision))


@mutates(SetupIntentPayload, Scope.SESSIONS_WRITE, own=True)
async def setup_intent_create(info: Info, input: Input[SetupIntentCreateInput]) -> SetupIntentPayload:  # noqa: A002
    payer = await visible(info, "customers", "Customer", whose(info, input.customer), "customer")
    asked = order(info, "setupIntentCreate", input)
    outcome = await sessions.create_setup_intent(info.context.operations, asked, payer["stripe_id"])
    secret = outcome.body["client_secret"] if outcome.body else None
    return SetupIntentPayload(client_secret=secret, revision=str(outcome.revision))
