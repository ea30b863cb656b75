"""Small values that many types share: money, freshness, and Stripe's enums with room for what is new there."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, NewType, TypeVar

import orjson
import strawberry

from mirror.queries import Row
from schema.currencies import UnknownLanguageError, formatted

Currency = NewType("Currency", str)


def _currency(text: object) -> str:
    """Raises ValueError for what is no code, rather than find nothing in it."""
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z]{3}", text):
        raise ValueError("a currency has a code of three letters")
    return text.lower()


CURRENCY_SCALAR = strawberry.scalar(
    name="Currency",
    description="A three-letter ISO 4217 code in lower case, as Stripe writes it.",
    specified_by_url="https://www.iso.org/iso-4217-currency-codes.html",
    serialize=str,
    parse_value=_currency,
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


def _moment(text: object) -> datetime:
    """Raises ValueError for what names no moment: a time without its zone could be any of two dozen."""
    found = datetime.fromisoformat(text) if isinstance(text, str) else None
    if found is None or found.tzinfo is None:
        raise ValueError("a moment is written as RFC 3339 has it, with its zone")
    return found


DATE_TIME_SCALAR = strawberry.scalar(
    name="DateTime",
    description="A moment in UTC, in the form of RFC 3339: 2026-11-25T16:45:00+00:00.",
    specified_by_url="https://scalars.graphql.org/andimarek/date-time",
    serialize=datetime.isoformat,
    parse_value=_moment,
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


@strawberry.type(description="A postal address.")
class Address:
    line1: str | None = strawberry.field(description="Street and number.")
    line2: str | None = strawberry.field(description="Floor, suite.")
    city: str | None = strawberry.field(description="City.")
    state: str | None = strawberry.field(description="State or region.")
    postal_code: str | None = strawberry.field(description="Postal code.")
    country: str | None = strawberry.field(description="Two-letter country code.")


def address(stored: Any) -> Address | None:
    """From the mirror's JSON."""
    given: Any = orjson.loads(stored) if isinstance(stored, str | bytes) else stored
    names = ("line1", "line2", "city", "state", "postal_code", "country")
    return Address(**{name: given.get(name) for name in names}) if given else None


@strawberry.enum(description="Which way the mirror's state of an object came from Stripe.")
class Source(StrEnum):
    API = "api"
    EVENT = "event"
    REREAD = "reread"


@strawberry.type(description="How old an answer is: every mirrored object says it.")
class Freshness:
    as_of: datetime = strawberry.field(description="When Stripe said this.")
    source: Source = strawberry.field(description="How it came.")

    @strawberry.field(description="Seconds since then, by the gateway's clock.")
    def lag_seconds(self) -> float:
        return max(0.0, (datetime.now(UTC) - self.as_of).total_seconds())


def freshness(row: Row) -> Freshness:
    return Freshness(as_of=row["stamp"], source=Source(row["source"]))


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


@strawberry.enum(description="Stripe's states of a Checkout page.")
class CheckoutStatus(StrEnum):
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"
    OTHER = "other"


@strawberry.enum(description="Whether a Checkout page was paid.")
class CheckoutPaymentStatus(StrEnum):
    PAID = "paid"
    UNPAID = "unpaid"
    NO_PAYMENT_REQUIRED = "no_payment_required"
    OTHER = "other"


@strawberry.enum(description="How an invoice is paid.")
class CollectionMethod(StrEnum):
    CHARGE_AUTOMATICALLY = "charge_automatically"
    SEND_INVOICE = "send_invoice"
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
