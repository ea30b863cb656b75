"""Invoice items: amounts that wait for an invoice, made by hand or by prorations."""

from sandbox.billing.periods import Period
from sandbox.context import Context
from sandbox.store import Object


def new_item(
    ctx: Context,
    *,
    customer: Object,
    amount: int,
    currency: str,
    description: str | None = None,
    period: Period | None = None,
    quantity: int = 1,
    pricing: Object | None = None,
    subscription: str | None = None,
    subscription_item: str | None = None,
    proration: bool = False,
    credited: Object | None = None,
    metadata: Object | None = None,
    invoice: str | None = None,
    discountable: bool = True,
) -> Object:
    """A stored invoice item, without its event; pending until an invoice takes it."""
    details: Object = {"subscription": subscription}
    if subscription_item is not None:
        details["subscription_item"] = subscription_item
    return ctx.insert(
        {
            "id": ctx.new_id("ii"),
            "object": "invoiceitem",
            "amount": amount,
            "currency": currency,
            "customer": customer["id"],
            "customer_account": None,
            "date": ctx.now,
            "description": description,
            "discountable": discountable,
            "discounts": [],
            "invoice": invoice,
            "livemode": False,
            "metadata": dict(metadata or {}),
            "net_amount": amount,
            "parent": subscription and {"subscription_details": details, "type": "subscription_details"},
            "period": {
                "end": period.end if period else ctx.now,
                "start": period.start if period else ctx.now,
            },
            "pricing": pricing,
            "proration": proration,
            "quantity": quantity,
            "quantity_decimal": str(quantity),
            "tax_rates": [],
            "test_clock": customer["test_clock"],
            "_credited": credited,
        }
    )


def pending(ctx: Context, customer: str, currency: str, subscription: str | None) -> list[Object]:
    """The items that wait, oldest first: those of the subscription, and those of none."""

    def fits(item: Object) -> bool:
        owner = item["parent"] and item["parent"]["subscription_details"]["subscription"]
        waits = item["invoice"] is None and item["currency"] == currency
        return waits and item["customer"] == customer and owner in {None, subscription}

    return [item for item in ctx.tx.newest(ctx.account, "invoiceitem") if fits(item)][::-1]
