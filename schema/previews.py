"""What something would cost, before anybody commits to it."""

from datetime import datetime

import strawberry
from strawberry import ID

from schema.inputs import Payload, ProrationBehavior
from schema.values import Money


@strawberry.input(description="A change of a subscription that is only looked at.")
class SubscriptionChangePreviewInput:
    subscription: ID = strawberry.field(description="Which one.")
    plan: ID | None = strawberry.field(default=None, description="The new plan.")
    quantity: int | None = strawberry.field(default=None, description="The new quantity.")
    proration: ProrationBehavior = strawberry.field(
        default=ProrationBehavior.CREATE_PRORATIONS, description="What happens to the rest of the paid period."
    )


@strawberry.input(description="The next invoice of a subscription.")
class InvoicePreviewInput:
    subscription: ID = strawberry.field(description="Of which one.")


@strawberry.type(description="A line of an invoice that is not there yet.")
class PreviewLine:
    amount: Money | None = strawberry.field(description="Before discounts and taxes; negative is credit.")
    description: str | None = strawberry.field(description="Stripe's text.")
    proration: bool = strawberry.field(description="Whether it is for a part of a period, after a change.")
    period_start: datetime = strawberry.field(description="What it is for: from.")
    period_end: datetime = strawberry.field(description="What it is for: until.")


@strawberry.type(description="An invoice as Stripe would make it now.")
class InvoicePreview:
    subtotal: Money | None = strawberry.field(description="Before discounts and taxes.")
    total: Money | None = strawberry.field(description="After discounts and taxes; negative is credit.")
    amount_due: Money | None = strawberry.field(description="What would be asked of the customer.")
    lines: list[PreviewLine] = strawberry.field(description="Its first lines, at most ten, in Stripe's order.")


@strawberry.type(description="A preview, or why there is none.")
class PreviewPayload(Payload):
    preview: InvoicePreview | None = strawberry.field(default=None, description="The invoice that would come.")
