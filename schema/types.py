"""Every object type that refers to another one: the nouns of the API, built from rows of the mirror."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import strawberry
from strawberry import ID, Private

from mirror.queries import Row, Window
from schema import ids
from schema.access import READERS
from schema.context import Info
from schema.pagination import After, Before, Connection, First, Last, connection, window
from schema.values import (
    Address,
    CheckoutPaymentStatus,
    CheckoutStatus,
    CollectionMethod,
    Currency,
    Freshness,
    Interval,
    InvoiceStatus,
    Money,
    PaymentStatus,
    SubscriptionStatus,
    address,
    freshness,
    known,
    money,
)

T = TypeVar("T")
# What leads from one object to others is a read, also in a mutation's answer.
READ = {"access": READERS}


@strawberry.interface(description="An object with an id that is unique in the whole API.")
class Node:
    id: ID = strawberry.field(description="The object's id in this API; opaque.")


@strawberry.type(description="A recurring price of the tenant, with its product.")
class Plan(Node):
    stripe_id: str = strawberry.field(description="The price's id at Stripe.")
    name: str = strawberry.field(description="The product's name.")
    description: str | None = strawberry.field(description="The product's description.")
    nickname: str | None = strawberry.field(description="The price's own name, for the tenant's use.")
    active: bool = strawberry.field(description="Whether new subscriptions may use it.")
    price: Money | None = strawberry.field(description="Per unit and interval; null for tiered prices.")
    interval: Interval = strawberry.field(description="The unit of the billing period.")
    interval_raw: str | None = strawberry.field(description="Stripe's word for it.")
    interval_count: int = strawberry.field(description="How many intervals a billing period has.")
    trial_period_days: int | None = strawberry.field(description="Days of trial by default.")
    lookup_key: str | None = strawberry.field(description="The tenant's stable name for this price.")
    freshness: Freshness = strawberry.field(description="How old this is.")


def plan(row: Row) -> Plan:
    """From a price's row that carries its product's name and description."""
    return Plan(
        id=ids.encode("Plan", row["stripe_id"]),
        stripe_id=row["stripe_id"],
        name=row["product_name"] or row["product_id"],
        description=row["product_description"],
        nickname=row["nickname"],
        active=row["active"],
        price=money(row["unit_amount"], row["currency"]),
        interval=known(Interval, row["interval"]),
        interval_raw=row["interval"],
        interval_count=row["interval_count"] or 1,
        trial_period_days=row["trial_period_days"],
        lookup_key=row["lookup_key"],
        freshness=freshness(row),
    )


async def load_plan(info: Info, price: str, *, offered: bool = False) -> Plan | None:
    """A plan by its price; null where the price or its product has not arrived yet.

    `offered`: only what the caller could find in the list of plans. What somebody is subscribed to need not be offered.
    """
    row = await info.context.one("prices", price)
    if row is None or (offered and not _is_offered(row, info)):
        return None
    product = await info.context.one("products", row["product_id"])
    return plan(_with_product(row, product))


def _is_offered(row: Row, info: Info) -> bool:
    return row["type"] == "recurring" and (row["active"] or info.context.caller.customer is None)


def _with_product(row: Row, product: Row | None) -> Row:
    found = product or {}
    return {**row, "product_name": found.get("name"), "product_description": found.get("description")}


@strawberry.type(description="A saved means of payment. Of a card only what may be shown is known.")
class PaymentMethod(Node):
    stripe_id: str = strawberry.field(description="The id at Stripe.")
    type: str = strawberry.field(description="Stripe's type: card, sepa_debit, …")
    card_brand: str | None = strawberry.field(description="visa, mastercard, …")
    card_last4: str | None = strawberry.field(description="The last four digits.")
    card_exp_month: int | None = strawberry.field(description="The month in which the card expires, 1 to 12.")
    card_exp_year: int | None = strawberry.field(description="The year in which it expires, four digits.")
    freshness: Freshness = strawberry.field(description="How old this is.")


def payment_method(row: Row) -> PaymentMethod:
    return PaymentMethod(
        id=ids.encode("PaymentMethod", row["stripe_id"]),
        freshness=freshness(row),
        **{name: row[name] for name in ("stripe_id", "type", "card_brand", "card_last4")},
        **{name: row[name] for name in ("card_exp_month", "card_exp_year")},
    )


@strawberry.type(description="A payer of the tenant: a patient, a student, a company.")
class Customer(Node):
    stripe_id: str = strawberry.field(description="The id at Stripe.")
    email: str | None = strawberry.field(description="Where Stripe sends receipts; masked for support.")
    name: str | None = strawberry.field(description="The payer's name; masked for support.")
    phone: str | None = strawberry.field(description="The payer's telephone; masked for support.")
    external_id: str | None = strawberry.field(description="The tenant's own id of this payer; masked for support.")
    address: Address | None = strawberry.field(description="The billing address; null for support.")
    currency: Currency | None = strawberry.field(description="In what it is billed; null before the first invoice.")
    balance: Money | None = strawberry.field(description="What Stripe's next invoice adds; negative is credit.")
    delinquent: bool | None = strawberry.field(description="Whether the latest invoice went unpaid.")
    created: datetime = strawberry.field(description="When Stripe made it.")
    freshness: Freshness = strawberry.field(description="How old this is.")
    default_payment_method_id: Private[str | None]

    @strawberry.field(description="What is paid with, unless a subscription names another.", metadata=READ)
    async def default_payment_method(self, info: Info) -> PaymentMethod | None:
        row = await info.context.one("payment_methods", self.default_payment_method_id or "")
        return payment_method(row) if row else None

    @strawberry.field(description="The customer's subscriptions.", metadata=READ)
    async def subscriptions(
        self, info: Info, first: First = None, last: Last = None, after: After = None, before: Before = None
    ) -> Connection["Subscription"]:
        asked = window(first, last, after, before)
        return await _belonging(info, "subscriptions", "customer_id", self.stripe_id, asked, subscription)

    @strawberry.field(description="The customer's invoices.", metadata=READ)
    async def invoices(
        self, info: Info, first: First = None, last: Last = None, after: After = None, before: Before = None
    ) -> Connection["Invoice"]:
        asked = window(first, last, after, before)
        return await _belonging(info, "invoices", "customer_id", self.stripe_id, asked, invoice)

    @strawberry.field(description="The customer's saved means of payment.", metadata=READ)
    async def payment_methods(
        self, info: Info, first: First = None, last: Last = None, after: After = None, before: Before = None
    ) -> Connection[PaymentMethod]:
        asked = window(first, last, after, before)
        return await _belonging(info, "payment_methods", "customer_id", self.stripe_id, asked, payment_method)


async def _belonging(
    info: Info, table: str, column: str, parent: str, asked: Window, build: Callable[[Row], T]
) -> Connection[T]:
    """A page of what belongs to an object; its count is asked for only if a client does."""
    found = await info.context.page_of(table, column, parent, asked)
    return connection(found, asked, build, lambda: info.context.count_of(table, column, parent))


MASK = "•••"


def customer(row: Row, *, masked: bool) -> Customer:
    def personal(name: str) -> str | None:
        return MASK if masked and row[name] else row[name]

    return Customer(
        id=ids.encode("Customer", row["stripe_id"]),
        stripe_id=row["stripe_id"],
        email=personal("email"),
        name=personal("name"),
        phone=personal("phone"),
        external_id=personal("external_id"),
        address=None if masked else address(row["address"]),
        currency=row["currency"],
        default_payment_method_id=row["default_payment_method_id"],
        balance=money(row["balance"], row["currency"]),
        delinquent=row["delinquent"],
        created=row["created"],
        freshness=freshness(row),
    )


async def load_customer(info: Info, stripe_id: str | None) -> Customer | None:
    row = await info.context.one("customers", stripe_id) if stripe_id else None
    return customer(row, masked=info.context.masked) if row else None


@strawberry.type(description="One plan within a subscription.")
class SubscriptionItem:
    stripe_id: str = strawberry.field(description="The id at Stripe.")
    quantity: int | None = strawberry.field(description="How many units; null for metered plans.")
    current_period_start: datetime | None = strawberry.field(description="When the paid period began.")
    current_period_end: datetime | None = strawberry.field(description="When it ends.")
    price_id: Private[str]

    @strawberry.field(description="The plan; null until it has arrived in the mirror.", metadata=READ)
    async def plan(self, info: Info) -> Plan | None:
        return await load_plan(info, self.price_id)


@strawberry.type(description="A customer's subscription to plans of the tenant.")
class Subscription(Node):
    stripe_id: str = strawberry.field(description="The id at Stripe.")
    status: SubscriptionStatus = strawberry.field(description="Its state.")
    status_raw: str = strawberry.field(description="Stripe's word for the state.")
    cancel_at_period_end: bool = strawberry.field(description="Whether it ends with the paid period.")
    cancel_at: datetime | None = strawberry.field(description="When it will end.")
    canceled_at: datetime | None = strawberry.field(description="When cancelling was asked for.")
    ended_at: datetime | None = strawberry.field(description="When it ended.")
    start_date: datetime | None = strawberry.field(description="When it began.")
    trial_start: datetime | None = strawberry.field(description="When the trial began.")
    trial_end: datetime | None = strawberry.field(description="When the trial ends or ended.")
    currency: Currency | None = strawberry.field(description="In what it is billed.")
    collection_method: CollectionMethod = strawberry.field(description="How its invoices are paid.")
    current_period_start: datetime | None = strawberry.field(description="The earliest start among its items.")
    current_period_end: datetime | None = strawberry.field(description="The latest end among its items.")
    created: datetime = strawberry.field(description="When Stripe made it.")
    freshness: Freshness = strawberry.field(description="How old this is.")
    customer_id: Private[str]
    latest_invoice_id: Private[str | None]
    default_payment_method_id: Private[str | None]

    @strawberry.field(description="What is paid with; null: with the customer's default.", metadata=READ)
    async def default_payment_method(self, info: Info) -> PaymentMethod | None:
        row = await info.context.one("payment_methods", self.default_payment_method_id or "")
        return payment_method(row) if row else None

    @strawberry.field(description="What is subscribed to.", metadata=READ)
    async def items(self, info: Info) -> list[SubscriptionItem]:
        rows = await info.context.parts("subscription_items", self.stripe_id)
        names = ("stripe_id", "quantity", "current_period_start", "current_period_end", "price_id")
        return [SubscriptionItem(**{name: row[name] for name in names}) for row in rows]

    @strawberry.field(description="Whose it is; null until the customer has arrived in the mirror.", metadata=READ)
    async def customer(self, info: Info) -> Customer | None:
        return await load_customer(info, self.customer_id)

    @strawberry.field(description="The newest invoice.", metadata=READ)
    async def latest_invoice(self, info: Info) -> "Invoice | None":
        row = await info.context.one("invoices", self.latest_invoice_id) if self.latest_invoice_id else None
        return invoice(row) if row else None

    @strawberry.field(description="All its invoices.", metadata=READ)
    async def invoices(
        self, info: Info, first: First = None, last: Last = None, after: After = None, before: Before = None
    ) -> Connection["Invoice"]:
        asked = window(first, last, after, before)
        return await _belonging(info, "invoices", "subscription_id", self.stripe_id, asked, invoice)


def subscription(row: Row) -> Subscription:
    plain: tuple[str, ...] = (
        "stripe_id",
        "cancel_at_period_end",
        "cancel_at",
        "canceled_at",
        "ended_at",
        "start_date",
        "trial_start",
        "trial_end",
        "created",
        "currency",
    )
    plain += ("current_period_start", "current_period_end", "customer_id", "latest_invoice_id")
    plain += ("default_payment_method_id",)
    return Subscription(
        id=ids.encode("Subscription", row["stripe_id"]),
        status=known(SubscriptionStatus, row["status"]),
        status_raw=row["status"],
        collection_method=known(CollectionMethod, row["collection_method"]),
        freshness=freshness(row),
        **{name: row[name] for name in plain},
    )


@strawberry.type(description="One line of an invoice.")
class InvoiceLine:
    stripe_id: str = strawberry.field(description="The id at Stripe.")
    amount: Money | None = strawberry.field(description="Before discounts and taxes; negative is credit.")
    description: str | None = strawberry.field(description="Stripe's text.")
    quantity: int | None = strawberry.field(description="How many units.")
    proration: bool = strawberry.field(description="Whether it is for a part of a period, after a change.")
    period_start: datetime | None = strawberry.field(description="What it is for: from.")
    period_end: datetime | None = strawberry.field(description="What it is for: until.")


@strawberry.type(description="An attempt to move money: one PaymentIntent of Stripe's.")
class Payment(Node):
    stripe_id: str = strawberry.field(description="The id at Stripe.")
    status: PaymentStatus = strawberry.field(description="Its state.")
    status_raw: str = strawberry.field(description="Stripe's word for the state.")
    amount: Money | None = strawberry.field(description="What was to be paid.")
    amount_received: Money | None = strawberry.field(description="What was paid.")
    failure_code: str | None = strawberry.field(description="Stripe's code of the last failure.")
    decline_code: str | None = strawberry.field(description="The bank's reason, in Stripe's words.")
    failure_message: str | None = strawberry.field(description="The last failure, for people.")
    created: datetime = strawberry.field(description="When Stripe made it.")
    freshness: Freshness = strawberry.field(description="How old this is.")


def payment(row: Row) -> Payment:
    return Payment(
        id=ids.encode("Payment", row["stripe_id"]),
        status=known(PaymentStatus, row["status"]),
        status_raw=row["status"],
        amount=money(row["amount"], row["currency"]),
        amount_received=money(row["amount_received"], row["currency"]),
        freshness=freshness(row),
        **{name: row[name] for name in ("stripe_id", "failure_code", "decline_code", "failure_message", "created")},
    )


@strawberry.type(description="An invoice of the tenant to one of its customers.")
class Invoice(Node):
    stripe_id: str = strawberry.field(description="The id at Stripe.")
    number: str | None = strawberry.field(description="The number that people see; null for a draft.")
    status: InvoiceStatus = strawberry.field(description="Its state.")
    status_raw: str | None = strawberry.field(description="Stripe's word for the state.")
    subtotal: Money | None = strawberry.field(description="Before discounts and taxes.")
    total: Money | None = strawberry.field(description="After discounts and taxes.")
    amount_due: Money | None = strawberry.field(description="What is asked of the customer.")
    amount_paid: Money | None = strawberry.field(description="What was paid.")
    amount_remaining: Money | None = strawberry.field(description="What is still to be paid.")
    attempt_count: int = strawberry.field(description="How often payment was tried automatically.")
    billing_reason: str | None = strawberry.field(description="Why it was made, in Stripe's words.")
    currency: Currency | None = strawberry.field(description="In what it is billed.")
    collection_method: CollectionMethod = strawberry.field(description="How it is paid.")
    period_start: datetime | None = strawberry.field(description="What it is for: from.")
    period_end: datetime | None = strawberry.field(description="What it is for: until.")
    due_date: datetime | None = strawberry.field(description="When it is to be paid.")
    next_payment_attempt: datetime | None = strawberry.field(description="When Stripe tries again.")
    created: datetime = strawberry.field(description="When Stripe made it.")
    freshness: Freshness = strawberry.field(description="How old this is.")
    customer_id: Private[str | None]
    subscription_id: Private[str | None]
    page: Private[str | None]
    pdf: Private[str | None]

    @strawberry.field(description="Stripe's page of this invoice, which names the payer; null for support.")
    def hosted_invoice_url(self, info: Info) -> str | None:
        return None if info.context.masked else self.page

    @strawberry.field(description="Stripe's PDF of it; null for support.")
    def invoice_pdf(self, info: Info) -> str | None:
        return None if info.context.masked else self.pdf

    @strawberry.field(description="Its lines, in Stripe's order.", metadata=READ)
    async def lines(self, info: Info) -> list[InvoiceLine]:
        rows = await info.context.parts("invoice_lines", self.stripe_id)
        names = ("stripe_id", "description", "quantity", "proration", "period_start", "period_end")
        return [
            InvoiceLine(amount=money(row["amount"], row["currency"]), **{name: row[name] for name in names})
            for row in rows
        ]

    @strawberry.field(description="What was tried to pay it, oldest first.", metadata=READ)
    async def payments(self, info: Info) -> list[Payment]:
        return [payment(row) for row in await info.context.payments(self.stripe_id)]

    @strawberry.field(description="Who is to pay; null until the customer has arrived in the mirror.", metadata=READ)
    async def customer(self, info: Info) -> Customer | None:
        return await load_customer(info, self.customer_id)

    @strawberry.field(description="The subscription that it is for, if any.", metadata=READ)
    async def subscription(self, info: Info) -> Subscription | None:
        row = await info.context.one("subscriptions", self.subscription_id) if self.subscription_id else None
        return subscription(row) if row else None


def invoice(row: Row) -> Invoice:
    amounts = ("subtotal", "total", "amount_due", "amount_paid", "amount_remaining")
    plain: tuple[str, ...] = (
        "stripe_id",
        "number",
        "attempt_count",
        "billing_reason",
        "period_start",
        "period_end",
        "due_date",
    )
    plain += ("next_payment_attempt", "created", "customer_id", "subscription_id")
    columns: dict[str, Any] = {name: row[name] for name in plain}
    columns |= {name: money(row[name], row["currency"]) for name in amounts}
    return Invoice(
        id=ids.encode("Invoice", row["stripe_id"]),
        status=known(InvoiceStatus, row["status"]),
        status_raw=row["status"],
        currency=row["currency"],
        collection_method=known(CollectionMethod, row["collection_method"]),
        freshness=freshness(row),
        page=row["hosted_invoice_url"],
        pdf=row["invoice_pdf"],
        **columns,
    )


@strawberry.type(description="A page of Stripe's on which a customer starts a subscription.")
class CheckoutSession(Node):
    stripe_id: str = strawberry.field(description="The id at Stripe.")
    status: CheckoutStatus = strawberry.field(description="Its state.")
    status_raw: str | None = strawberry.field(description="Stripe's word for the state.")
    payment_status: CheckoutPaymentStatus = strawberry.field(description="Whether it is paid.")
    payment_status_raw: str = strawberry.field(description="Stripe's word for that.")
    expires_at: datetime | None = strawberry.field(description="When the page closes.")
    freshness: Freshness = strawberry.field(description="How old this is.")
    subscription_id: Private[str | None]
    page: Private[str | None]

    @strawberry.field(description="Where to send the customer; null once it is done, and for support.")
    def url(self, info: Info) -> str | None:
        return None if info.context.masked else self.page

    @strawberry.field(description="The subscription that it started.", metadata=READ)
    async def subscription(self, info: Info) -> Subscription | None:
        row = await info.context.one("subscriptions", self.subscription_id) if self.subscription_id else None
        return subscription(row) if row else None


def checkout_session(row: Row) -> CheckoutSession:
    return CheckoutSession(
        id=ids.encode("CheckoutSession", row["stripe_id"]),
        freshness=freshness(row),
        status=known(CheckoutStatus, row["status"]),
        status_raw=row["status"],
        payment_status=known(CheckoutPaymentStatus, row["payment_status"]),
        payment_status_raw=row["payment_status"],
        **{name: row[name] for name in ("stripe_id", "expires_at")},
        page=row["url"],
        subscription_id=row["subscription_id"],
    )
