"""Small values that many types share: money, freshness, and Stripe's enums with room for what is new there."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, NewType, TypeVar

import strawberry

from mirror.queries import Row
from schema.currencies import UnknownLanguageError, formatted

Currency = NewType("Currency", str)
CURRENCY_SCALAR = strawberry.scalar(
    name="Currency",
    description="A three-letter ISO 4217 code in lower case, as Stripe writes it.",
    serialize=str,
    parse_value=str,
)

# What a JSON number carries exactly in every client: Stripe's own amounts stay far below.
_EXACT = 2**53 - 1
MinorUnits = NewType("MinorUnits", int)


def _exactly(value: int) -> int:
    """Raises ValueError rather than let a client round money."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _EXACT:
        raise ValueError("an amount of money must be an integer that a JSON number carries exactly")
    return value


MINOR_UNITS_SCALAR = strawberry.scalar(
    name="MinorUnits",
    description="A whole number of a currency's smallest unit, as a JSON number from -(2^53 - 1) to 2^53 - 1.",
    serialize=_exactly,
    parse_value=_exactly,
)

E = TypeVar("E", bound=StrEnum)
Language = Annotated[str, strawberry.argument(description="A language tag of BCP 47: en-US, de, fr-CA.")]


class BadInputError(ValueError):
    """An argument can't be used; the message tells the client why."""


@strawberry.type(description="An amount of money.")
class Money:
    amount: MinorUnits = strawberry.field(
        description="In the currency's smallest unit (cents, or yen), never a fraction."
    )
    currency: Currency = strawberry.field(description="The currency.")

    @strawberry.field(description="As people write it, with the currency's sign: `$12.50`. For showing alone.")
    def formatted(self, locale: Language = "en-US") -> str:
        try:
            return formatted(self.amount, self.currency, locale)
        except UnknownLanguageError as error:
            raise BadInputError(str(error)) from None


def money(amount: int | None, currency: str | None) -> Money | None:
    return None if amount is None or currency is None else Money(amount=MinorUnits(amount), currency=Currency(currency))


@strawberry.type(description="How old an answer is: every mirrored object says it.")
class Freshness:
    as_of: datetime = strawberry.field(description="When Stripe said this.")
    source: str = strawberry.field(description="How it came: api, event or reread.")

    @strawberry.field(description="Seconds since then, by the gateway's clock.")
    def lag_seconds(self) -> float:
        return max(0.0, (datetime.now(UTC) - self.as_of).total_seconds())


def freshness(row: Row) -> Freshness:
    return Freshness(as_of=row["stamp"], source=row["source"])


@strawberry.enum(description="Stripe's states of a subscription.")
class SubscriptionStatus(StrEnum):
    INCOMPLETE = "incomplete"
    INCOMPLETE_EXPIRED = "incomplete_expired"
    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    CANCELED = "canceled"
    UNPAID = "unpaid"
    PAUSED = "paused"
    OTHER = "other"


@strawberry.enum(description="Stripe's states of an invoice.")
class InvoiceStatus(StrEnum):
    DRAFT = "draft"
    OPEN = "open"
    PAID = "paid"
    UNCOLLECTIBLE = "uncollectible"
    VOID = "void"
    OTHER = "other"


@strawberry.enum(description="Stripe's states of a payment.")
class PaymentStatus(StrEnum):
    REQUIRES_PAYMENT_METHOD = "requires_payment_method"
    REQUIRES_CONFIRMATION = "requires_confirmation"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    REQUIRES_CAPTURE = "requires_capture"
    CANCELED = "canceled"
    SUCCEEDED = "succeeded"
    OTHER = "other"


@strawberry.enum(description="How often a plan is billed.")
class Interval(StrEnum):
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    YEAR = "year"
    OTHER = "other"


def known(enum: type[E], raw: str | None) -> E:
    """Stripe's word, or OTHER for one that this version does not know; the raw word stands beside it."""
    try:
        return enum(raw or "other")
    except ValueError:
        return enum("other")
