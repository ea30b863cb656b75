"""What the live field tells."""

import strawberry


@strawberry.type(description="Something that the caller may see has changed.")
class BillingChange:
    revision: str = strawberry.field(
        description="The revision that it has now: reads with it as Billing-Min-Revision show the change."
    )
