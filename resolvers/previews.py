"""Previews: asked of Stripe, never stored; nothing changes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from billing import previews
from resolvers.permission import mutates, visible
from resolvers.subscriptions import change_of
from schema.context import Info
from schema.inputs import Input
from schema.previews import (
    InvoicePreview,
    InvoicePreviewInput,
    PreviewLine,
    PreviewPayload,
    SubscriptionChangePreviewInput,
)
from schema.values import money
from tenants.context import Feature, Scope


@mutates(PreviewPayload, Scope.SUBSCRIPTIONS_WRITE, own=True, own_feature=Feature.CUSTOMER_CHANGES)
async def subscription_change_preview(info: Info, input: Input[SubscriptionChangePreviewInput]) -> PreviewPayload:  # noqa: A002
    subscription, item, fields = await change_of(info, input)
    return await _asked(info, subscription, item=item, fields=fields)


@mutates(PreviewPayload, Scope.SUBSCRIPTIONS_WRITE, own=True)
async def invoice_preview(info: Info, input: Input[InvoicePreviewInput]) -> PreviewPayload:  # noqa: A002
    row = await visible(info, "subscriptions", "Subscription", input.subscription, "subscription")
    return await _asked(info, row["stripe_id"])


async def _asked(info: Info, subscription: str, **change: Any) -> PreviewPayload:
    context = info.context
    account = context.caller.tenant.account
    invoice = await previews.preview(context.operations.stripe, account, subscription, **change)
    return PreviewPayload(preview=_preview(invoice))


def _preview(invoice: Mapping[str, Any]) -> InvoicePreview:
    currency = invoice["currency"]
    return InvoicePreview(
        **{name: money(invoice[name], currency) for name in ("subtotal", "total", "amount_due")},
        lines=[
            PreviewLine(
                amount=money(line["amount"], line["currency"]),
                description=line["description"],
                proration=_is_proration(line),
                period_start=datetime.fromtimestamp(line["period"]["start"], UTC),
                period_end=datetime.fromtimestamp(line["period"]["end"], UTC),
            )
            for line in invoice["lines"]["data"]
        ],
    )


def _is_proration(line: Mapping[str, Any]) -> bool:
    parent = line["parent"] or {}
    details = parent.get("subscription_item_details") or parent.get("invoice_item_details") or {}
    return bool(details.get("proration"))
