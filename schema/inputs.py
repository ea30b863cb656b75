"""What mutations take and answer: one input, one payload."""

from enum import StrEnum
from typing import Annotated, TypeVar

import strawberry
from strawberry import ID, UNSET

from schema.access import Access
from schema.errors import BillingError
from schema.types import CheckoutSession, Customer, Invoice, PaymentMethod, Subscription
from schema.values import Currency, Interval, InvoiceStatus, SubscriptionStatus
from tenants.context import Feature

T = TypeVar("T")
Input = Annotated[T, strawberry.argument(description="What to do.")]
Narrowed = Annotated[T | None, strawberry.argument(description="Only what fits all that is given here.")]
OneId = Annotated[ID, strawberry.argument(description="Its id in this API.")]
SomeIds = Annotated[list[ID], strawberry.argument(description="Ids of this API, of any types.")]

KEY = "Yours, up to 200 characters: the same key with the same input answers the same again, and acts once."
REVISION = "Grows with every change of the tenant; null where nothing was done."


@strawberry.enum(description="What happens to the rest of the paid period when a subscription changes.")
class ProrationBehavior(StrEnum):
    CREATE_PRORATIONS = "create_prorations"
    ALWAYS_INVOICE = "always_invoice"
    NONE = "none"


@strawberry.enum(description="Why a customer cancels, in Stripe's words.")
class CancellationFeedback(StrEnum):
    CUSTOMER_SERVICE = "customer_service"
    LOW_QUALITY = "low_quality"
    MISSING_FEATURES = "missing_features"
    SWITCHED_SERVICE = "switched_service"
    TOO_COMPLEX = "too_complex"
    TOO_EXPENSIVE = "too_expensive"
    UNUSED = "unused"
    OTHER = "other"


@strawberry.input(description="Which plans.")
class PlanFilter:
    active: bool | None = strawberry.field(default=None, description="Only active ones, or only others.")
    currency: Currency | None = strawberry.field(default=None, description="Only in this currency.")
    interval: Interval | None = strawberry.field(default=None, description="Only with this interval.")


@strawberry.input(description="Which customers.")
class CustomerFilter:
    email: str | None = strawberry.field(default=None, description="Exactly this e-mail address.")
    external_id: str | None = strawberry.field(default=None, description="The tenant's own id.")


@strawberry.input(description="Which subscriptions.")
class SubscriptionFilter:
    status: list[SubscriptionStatus] | None = strawberry.field(default=None, description="In any of these states.")
    customer: ID | None = strawberry.field(default=None, description="Of this customer.")


@strawberry.input(description="Which invoices.")
class InvoiceFilter:
    status: list[InvoiceStatus] | None = strawberry.field(default=None, description="In any of these states.")
    customer: ID | None = strawberry.field(default=None, description="Of this customer.")
    subscription: ID | None = strawberry.field(default=None, description="For this subscription.")


@strawberry.input(description="A whole postal address: what is left out of it is empty.")
class AddressInput:
    line1: str | None = strawberry.field(default=None, description="Street and number.")
    line2: str | None = strawberry.field(default=None, description="Floor, suite.")
    city: str | None = strawberry.field(default=None, description="City.")
    state: str | None = strawberry.field(default=None, description="State or region.")
    postal_code: str | None = strawberry.field(default=None, description="Postal code.")
    country: str | None = strawberry.field(default=None, description="Two-letter country code.")


@strawberry.input(description="A new customer. Never put health information here: it goes to Stripe.")
class CustomerCreateInput:
    email: str = strawberry.field(description="Where Stripe sends receipts.")
    name: str | None = strawberry.field(default=None, description="The payer's name.")
    phone: str | None = strawberry.field(default=None, description="The payer's telephone.")
    external_id: str | None = strawberry.field(default=None, description="Your own id of this payer.")
    address: AddressInput | None = strawberry.field(default=None, description="The billing address.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="What to change of a customer: what is left out stays, what is null is cleared.")
class CustomerUpdateInput:
    customer: ID | None = strawberry.field(default=None, description="Whom; a customer's own token may leave it out.")
    email: str | None = strawberry.field(default=UNSET, description="Where Stripe sends receipts; never null.")
    name: str | None = strawberry.field(default=UNSET, description="The payer's name.")
    phone: str | None = strawberry.field(default=UNSET, description="The payer's telephone.")
    address: AddressInput | None = strawberry.field(default=UNSET, description="The whole billing address.")
    default_payment_method: ID | None = strawberry.field(
        default=UNSET, description="What subscriptions and invoices are paid with, unless they name another."
    )
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A new subscription.")
class SubscriptionCreateInput:
    customer: ID = strawberry.field(description="Who subscribes.")
    plan: ID = strawberry.field(description="To what.")
    idempotency_key: str = strawberry.field(description=KEY)
    quantity: int | None = strawberry.field(default=None, description="How many units; 1 by default.")
    trial_period_days: int | None = strawberry.field(default=None, description="Days before the first payment.")
    payment_method: ID | None = strawberry.field(default=None, description="What to pay with.")
    coupon: str | None = strawberry.field(
        default=None,
        description="A coupon's id at Stripe.",
        metadata={"access": Access(feature=Feature.PROMOTION_CODES)},
    )


@strawberry.input(description="A change of a subscription's plan or quantity.")
class SubscriptionChangeInput:
    subscription: ID = strawberry.field(description="Which one.")
    idempotency_key: str = strawberry.field(description=KEY)
    plan: ID | None = strawberry.field(default=None, description="The new plan.")
    quantity: int | None = strawberry.field(default=None, description="The new quantity.")
    proration: ProrationBehavior = strawberry.field(
        default=ProrationBehavior.CREATE_PRORATIONS, description="What happens to the rest of the paid period."
    )


@strawberry.input(description="The end of a subscription.")
class SubscriptionCancelInput:
    subscription: ID = strawberry.field(description="Which one.")
    at_period_end: bool = strawberry.field(default=True, description="With the paid period, or now.")
    feedback: CancellationFeedback | None = strawberry.field(default=None, description="The customer's reason.")
    comment: str | None = strawberry.field(default=None, description="The customer's words, up to 500 characters.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A cancellation that is still to come, and shall not.")
class SubscriptionUncancelInput:
    subscription: ID = strawberry.field(description="Which one.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="An open invoice, to be paid now with a saved means of payment.")
class InvoicePayInput:
    invoice: ID = strawberry.field(description="Which one.")
    idempotency_key: str = strawberry.field(description=KEY)
    payment_method: ID | None = strawberry.field(
        default=None, description="With what; otherwise with the subscription's or the customer's default."
    )


@strawberry.input(description="An open invoice, to be paid by its customer with Stripe.js.")
class InvoiceConfirmationCreateInput:
    invoice: ID = strawberry.field(description="Which one.")


@strawberry.input(description="A saved means of payment that shall be forgotten.")
class PaymentMethodDetachInput:
    payment_method: ID = strawberry.field(description="Which one.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A page on which the customer starts a subscription.")
class CheckoutSessionCreateInput:
    plan: ID = strawberry.field(description="To what.")
    success_url: str = strawberry.field(description="Where to go afterwards; may hold {CHECKOUT_SESSION_ID}.")
    idempotency_key: str = strawberry.field(description=KEY)
    customer: ID | None = strawberry.field(default=None, description="Whom; a customer's own token may leave it out.")
    cancel_url: str | None = strawberry.field(default=None, description="Where to go on changing one's mind.")
    quantity: int = strawberry.field(default=1, description="How many units.")
    allow_promotion_codes: bool = strawberry.field(
        default=False,
        description="Whether the page takes promotion codes.",
        metadata={"access": Access(feature=Feature.PROMOTION_CODES)},
    )


@strawberry.input(description="A page on which the customer manages its billing.")
class PortalSessionCreateInput:
    return_url: str = strawberry.field(description="Where to go afterwards.")
    customer: ID | None = strawberry.field(default=None, description="Whom; a customer's own token may leave it out.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="Saving a means of payment.")
class SetupIntentCreateInput:
    customer: ID | None = strawberry.field(default=None, description="Whose; a customer's own token may leave it out.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="A token for one customer's browser.")
class CustomerTokenCreateInput:
    customer: ID = strawberry.field(description="For whom.")
    lifetime_seconds: int = strawberry.field(default=900, description="60 to 3600 seconds.")


@strawberry.interface(description="What every mutation answers.")
class Payload:
    errors: list[BillingError] = strawberry.field(default_factory=list, description="Why it was refused; else empty.")
    revision: str | None = strawberry.field(default=None, description=REVISION)


@strawberry.type(description="A customer as it was written, or why it was not.")
class CustomerPayload(Payload):
    customer: Customer | None = strawberry.field(default=None, description="The customer as it is now.")


@strawberry.type(description="A subscription as it was written, or why it was not.")
class SubscriptionPayload(Payload):
    subscription: Subscription | None = strawberry.field(default=None, description="The subscription as it is now.")
    client_secret: str | None = strawberry.field(
        default=None,
        description="For Stripe.js (confirmPayment), where the latest invoice waits for its customer: for another card,"
        " or for 3-D Secure. Never stored here; null where there is nothing to pay.",
    )


@strawberry.type(description="An invoice as it is after a payment was tried, or why it was not.")
class InvoicePayload(Payload):
    invoice: Invoice | None = strawberry.field(default=None, description="The invoice as it is now.")


@strawberry.type(description="What Stripe.js needs to let a customer pay an invoice, or why there is nothing.")
class InvoiceConfirmationPayload(Payload):
    client_secret: str | None = strawberry.field(
        default=None, description="For Stripe.js; never stored here; null where nothing is to be paid."
    )
    invoice: Invoice | None = strawberry.field(default=None, description="The invoice, with what was tried to pay it.")


@strawberry.type(description="A means of payment that was forgotten, or why it was not.")
class PaymentMethodPayload(Payload):
    payment_method: PaymentMethod | None = strawberry.field(
        default=None, description="It is nobody's now: null for a customer's token, which can't see it any more."
    )


@strawberry.type(description="What checkoutSessionCreate answers.")
class CheckoutSessionPayload(Payload):
    checkout_session: CheckoutSession | None = strawberry.field(default=None, description="The page.")


@strawberry.type(description="What portalSessionCreate answers.")
class PortalSessionPayload(Payload):
    url: str | None = strawberry.field(default=None, description="Where to send the customer within minutes.")


@strawberry.type(description="What setupIntentCreate answers.")
class SetupIntentPayload(Payload):
    client_secret: str | None = strawberry.field(default=None, description="For Stripe.js; never stored here.")


@strawberry.type(description="What customerTokenCreate answers.")
class CustomerTokenPayload(Payload):
    token: str | None = strawberry.field(default=None, description="A bearer token for this API; shown once.")
