"""How each type of object is listed at Stripe: the lists are the truth, since some changes are told by no event."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from billing.stripe_client import Answer, StripeGateway

PAGE = 100
_List = Callable[[Any, Any, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of one type: newest first, canceled and inactive objects included, deleted ones never."""

    object: str
    ask: _List
    params: Mapping[str, str]


def _listing(object_: str, ask: _List, **params: str) -> Listing:
    return Listing(object_, ask, params)


LISTINGS: tuple[Listing, ...] = (
    _listing("customer", lambda v1, params, options: v1.customers.list_async(params, options)),
    _listing("product", lambda v1, params, options: v1.products.list_async(params, options)),
    _listing("price", lambda v1, params, options: v1.prices.list_async(params, options)),
    _listing("coupon", lambda v1, params, options: v1.coupons.list_async(params, options)),
    _listing("subscription", lambda v1, params, options: v1.subscriptions.list_async(params, options), status="all"),
    _listing("invoice", lambda v1, params, options: v1.invoices.list_async(params, options)),
    _listing("payment_intent", lambda v1, params, options: v1.payment_intents.list_async(params, options)),
    _listing("invoice_payment", lambda v1, params, options: v1.invoice_payments.list_async(params, options)),
    _listing("checkout.session", lambda v1, params, options: v1.checkout.sessions.list_async(params, options)),
)
# Stripe lists payment methods by their customer only.
METHODS = _listing("payment_method", lambda v1, params, options: v1.payment_methods.list_async(params, options))


async def page(
    stripe: StripeGateway, account: str, listing: Listing, *, after: str | None = None, **params: Any
) -> Answer:
    """One page: `body["data"]` and `body["has_more"]`; from the background's budget."""
    asked: dict[str, Any] = {"limit": PAGE, **listing.params, **params} | ({"starting_after": after} if after else {})
    return await stripe.call(account, lambda v1, options: listing.ask(v1, asked, options), background=True)
