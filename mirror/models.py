"""The mirror's tables: typed columns for what queries need, Stripe's whole object beside them.

Rows are written by `mirror.apply` alone. Times are UTC; amounts are integer minor units of the row's currency.
"""

from tortoise import fields
from tortoise.models import Model


class Mirrored(Model):
    """What every mirrored object has. Stripe's identity is (tenant, livemode, stripe_id)."""

    id = fields.BigIntField(primary_key=True)
    tenant_id = fields.BigIntField()
    livemode = fields.BooleanField()
    stripe_id = fields.TextField()
    created = fields.DatetimeField()
    deleted = fields.BooleanField(default=False)
    stamp = fields.DatetimeField(description="When Stripe said this: the event's `created`, or the answer's Date")
    source = fields.TextField(description="How it arrived: api, event or reread")
    epoch = fields.BigIntField(description="Grows with each delivery that was handled for this object")
    digest = fields.BinaryField(description="SHA-256 of the normalised object")
    data: fields.Field[object] = fields.JSONField(description="The normalised object, without secrets")

    class Meta:
        abstract = True


class Account(Mirrored):
    charges_enabled = fields.BooleanField()
    payouts_enabled = fields.BooleanField()
    details_submitted = fields.BooleanField()
    country = fields.TextField(null=True)
    default_currency = fields.TextField(null=True)
    disabled_reason = fields.TextField(null=True)

    class Meta:
        table = "accounts"


class Product(Mirrored):
    name = fields.TextField()
    active = fields.BooleanField()
    description = fields.TextField(null=True)
    unit_label = fields.TextField(null=True)

    class Meta:
        table = "products"


class Price(Mirrored):
    product_id = fields.TextField()
    active = fields.BooleanField()
    type = fields.TextField()
    currency = fields.TextField()
    unit_amount = fields.BigIntField(null=True)
    unit_amount_decimal = fields.DecimalField(max_digits=30, decimal_places=12, null=True)
    billing_scheme = fields.TextField()
    tiers_mode = fields.TextField(null=True)
    interval = fields.TextField(null=True)
    interval_count = fields.IntField(null=True)
    usage_type = fields.TextField(null=True)
    trial_period_days = fields.IntField(null=True)
    nickname = fields.TextField(null=True)
    lookup_key = fields.TextField(null=True)

    class Meta:
        table = "prices"


class Coupon(Mirrored):
    name = fields.TextField(null=True)
    valid = fields.BooleanField()
    duration = fields.TextField()
    duration_in_months = fields.IntField(null=True)
    percent_off = fields.DecimalField(max_digits=7, decimal_places=4, null=True)
    amount_off = fields.BigIntField(null=True)
    currency = fields.TextField(null=True)

    class Meta:
        table = "coupons"


class Customer(Mirrored):
    email = fields.TextField(null=True)
    name = fields.TextField(null=True)
    phone = fields.TextField(null=True)
    description = fields.TextField(null=True)
    address: fields.Field[object] = fields.JSONField(null=True)
    currency = fields.TextField(null=True)
    balance = fields.BigIntField()
    delinquent = fields.BooleanField(null=True)
    default_payment_method_id = fields.TextField(null=True)
    external_id = fields.TextField(null=True, description="The tenant's own id: metadata.external_id")

    class Meta:
        table = "customers"


class PaymentMethod(Mirrored):
    customer_id = fields.TextField(null=True)
    type = fields.TextField()
    card_brand = fields.TextField(null=True)
    card_last4 = fields.TextField(null=True)
    card_exp_month = fields.IntField(null=True)
    card_exp_year = fields.IntField(null=True)

    class Meta:
        table = "payment_methods"


class Subscription(Mirrored):
    customer_id = fields.TextField()
    status = fields.TextField()
    currency = fields.TextField(null=True)
    collection_method = fields.TextField(null=True)
    cancel_at_period_end = fields.BooleanField()
    cancel_at = fields.DatetimeField(null=True)
    canceled_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    start_date = fields.DatetimeField(null=True)
    trial_start = fields.DatetimeField(null=True)
    trial_end = fields.DatetimeField(null=True)
    current_period_start = fields.DatetimeField(null=True)
    current_period_end = fields.DatetimeField(null=True)
    billing_cycle_anchor = fields.DatetimeField(null=True)
    default_payment_method_id = fields.TextField(null=True)
    latest_invoice_id = fields.TextField(null=True)

    class Meta:
        table = "subscriptions"


class Invoice(Mirrored):
    customer_id = fields.TextField(null=True)
    subscription_id = fields.TextField(null=True)
    status = fields.TextField(null=True)
    number = fields.TextField(null=True)
    currency = fields.TextField()
    subtotal = fields.BigIntField()
    total = fields.BigIntField()
    amount_due = fields.BigIntField()
    amount_paid = fields.BigIntField()
    amount_remaining = fields.BigIntField()
    attempt_count = fields.IntField()
    billing_reason = fields.TextField(null=True)
    collection_method = fields.TextField(null=True)
    period_start = fields.DatetimeField(null=True)
    period_end = fields.DatetimeField(null=True)
    due_date = fields.DatetimeField(null=True)
    next_payment_attempt = fields.DatetimeField(null=True)
    hosted_invoice_url = fields.TextField(null=True)
    invoice_pdf = fields.TextField(null=True)

    class Meta:
        table = "invoices"


class Payment(Mirrored):
    """One Stripe PaymentIntent."""

    customer_id = fields.TextField(null=True)
    status = fields.TextField()
    amount = fields.BigIntField()
    amount_received = fields.BigIntField()
    currency = fields.TextField()
    payment_method_id = fields.TextField(null=True)
    failure_code = fields.TextField(null=True)
    decline_code = fields.TextField(null=True)
    failure_message = fields.TextField(null=True)

    class Meta:
        table = "payments"


class InvoicePayment(Mirrored):
    """Which payment was made for which invoice."""

    invoice_id = fields.TextField()
    payment_id = fields.TextField(null=True)
    status = fields.TextField()
    amount_paid = fields.BigIntField(null=True)
    amount_requested = fields.BigIntField()
    currency = fields.TextField()

    class Meta:
        table = "invoice_payments"


class CheckoutSession(Mirrored):
    mode = fields.TextField()
    status = fields.TextField(null=True)
    payment_status = fields.TextField()
    customer_id = fields.TextField(null=True)
    subscription_id = fields.TextField(null=True)
    url = fields.TextField(null=True)
    expires_at = fields.DatetimeField(null=True)

    class Meta:
        table = "checkout_sessions"


class SubscriptionItem(Model):
    """Written with its subscription, never alone."""

    id = fields.BigIntField(primary_key=True)
    tenant_id = fields.BigIntField()
    livemode = fields.BooleanField()
    stripe_id = fields.TextField()
    parent_id = fields.TextField()
    position = fields.IntField()
    price_id = fields.TextField()
    quantity = fields.BigIntField(null=True)
    current_period_start = fields.DatetimeField(null=True)
    current_period_end = fields.DatetimeField(null=True)

    class Meta:
        table = "subscription_items"


class InvoiceLine(Model):
    """Written with its invoice, never alone."""

    id = fields.BigIntField(primary_key=True)
    tenant_id = fields.BigIntField()
    livemode = fields.BooleanField()
    stripe_id = fields.TextField()
    parent_id = fields.TextField()
    position = fields.IntField()
    amount = fields.BigIntField()
    currency = fields.TextField()
    description = fields.TextField(null=True)
    quantity = fields.BigIntField(null=True)
    price_id = fields.TextField(null=True)
    proration = fields.BooleanField()
    period_start = fields.DatetimeField(null=True)
    period_end = fields.DatetimeField(null=True)

    class Meta:
        table = "invoice_lines"


class Change(Model):
    """One committed change of one object: what reactions and live feeds run from."""

    id = fields.BigIntField(primary_key=True)
    tenant_id = fields.BigIntField()
    livemode = fields.BooleanField()
    at = fields.DatetimeField()
    object_type = fields.TextField()
    stripe_id = fields.TextField()
    customer_id = fields.TextField(null=True)
    kind = fields.TextField()
    status_before = fields.TextField(null=True)
    status_after = fields.TextField(null=True)
    source = fields.TextField()
    stamp = fields.DatetimeField()

    class Meta:
        table = "changes"
