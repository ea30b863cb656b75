"""Finds what an operation made at Stripe, where Stripe's own memory of idempotency keys can't be used."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from billing.operations import Find
from billing.stripe_client import Answer, StripeGateway

# What operations make bears their id in Stripe's metadata under this key.
OPERATION = "gateway_operation"

ListPage = Callable[[Any, Mapping[str, Any], Any], Awaitable[Any]]


def finder(stripe: StripeGateway, account: str | None, list_page: ListPage, params: Mapping[str, Any]) -> Find:
    """A search through the pages of a list, which Stripe keeps up to date at once, as it does not keep its searches.

    `list_page(services, params, options)` gets one page; `params` narrow it to one customer or address. Not to what is
    new: by a test clock it may be from any time.
    """

    async def find(operation: str) -> Answer | None:
        asked = {**params, "limit": 100}
        while True:
            page = await stripe.call(account, lambda v1, o: list_page(v1, asked, o))
            bodies = page.body["data"]
            for body in bodies:
                if (body.get("metadata") or {}).get(OPERATION) == operation:
                    return Answer(body, page.stamp)
            if not page.body["has_more"]:
                return None
            asked["starting_after"] = bodies[-1]["id"]

    return find
