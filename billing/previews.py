"""Stripe's own preview of an invoice: what a change, or the next period, would cost. Nothing is changed or stored."""

from collections.abc import Mapping
from typing import Any

from billing.errors import BillingError, Code
from billing.stripe_client import StripeGateway, UnknownOutcomeError


async def preview(
    stripe: StripeGateway,
    account: str | None,
    subscription: str,
    *,
    item: str | None = None,
    fields: Mapping[str, Any] | None = None,
) -> Mapping[str, Any]:
    """The invoice that would come: after a change of the item where there is one, else at the end of the period.

    `fields` are the price, the quantity and Stripe's proration behaviour, as for the change. Raises BillingError.
    """
    params: dict[str, Any] = {"subscription": subscription}
    if item is not None and fields is not None:
        changed = {"id": item} | {name: fields[name] for name in ("price", "quantity") if fields.get(name) is not None}
        params["subscription_details"] = {
            "items": [changed],
            "proration_behavior": fields["proration_behavior"],
        }
    try:
        answer = await stripe.call(account, lambda v1, o: v1.invoices.create_preview_async(params, o))
    except UnknownOutcomeError:
        raise BillingError(Code.STRIPE_UNAVAILABLE, "Stripe can't be reached. Try again.") from None
    return answer.body
