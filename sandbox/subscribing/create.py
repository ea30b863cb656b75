"""A new subscription: its items, its trial, its first invoice and the first payment."""

from calendar import monthrange
from datetime import UTC, datetime

from sandbox.billing.periods import Period, after
from sandbox.context import Context
from sandbox.errors import StripeError, invalid, not_implemented
from sandbox.invoicing import collection
from sandbox.resources import discounts
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object
from sandbox.subscribing import extras, settings, setup
from sandbox.subscribing.billing import bill_now, collect
from sandbox.subscribing.items import check_items, count_items, fit_period, interval_of, new_item, put_period
from sandbox.subscribing.state import tell

DAY = 24 * 3600
ANCHOR = ("day_of_month", "hour", "minute", "month", "second")


def new_subscription(ctx: Context, customer: Object) -> Object:
    """Create it, send its events and take the first payment, as `ctx.params` say."""
    given = ctx.params
    behavior = given.get("payment_behavior", "allow_incomplete")
    if behavior == "pending_if_incomplete":
        message = "`pending_if_incomplete` is only for updates of a subscription."
        raise invalid(message, param="payment_behavior")
    subscription = _blank(ctx, customer)
    merge_metadata(subscription, ctx)
    settings.apply(ctx, subscription)
    items = given.get("items") or []
    made = [new_item(ctx, subscription, item, f"items[{place}]") for place, item in enumerate(items)]
    if not made:
        raise invalid("Missing required param: items.", param="items", code="parameter_missing")
    subscription["items"]["data"] = made
    subscription["currency"] = made[0]["price"]["currency"]
    _check_currency(given, customer, subscription)
    check_items(subscription)
    count_items(subscription)
    _start(ctx, subscription, _trial_end(ctx, made))
    _backdate(ctx, subscription)
    for item in made:
        fit_period(subscription, item, ctx.now)
    _anchor(ctx, subscription)
    settings.apply_cancellation(ctx, subscription)
    ctx.insert(subscription)
    if given.get("discounts"):
        made_of = discounts.make(ctx, given["discounts"], customer=customer["id"], subscription=subscription["id"])
        subscription["discounts"] = [discount["id"] for discount in made_of]
    if subscription["_backdated"] is not None:
        extras.charge_past(ctx, subscription, made, subscription["_backdated"])
    extras.add(ctx, subscription)
    invoice = bill_now(ctx, subscription, "subscription_create", made, None)
    if _lacks_method(ctx, invoice, behavior):
        raise collection.no_payment_method()
    setup.prepare(ctx, subscription, invoice, behavior)
    ctx.emit("customer.subscription.created", subscription)
    collect(ctx, invoice, behavior)
    if invoice["status"] == "paid" and subscription["status"] == "incomplete":
        raise AssertionError("a paid first invoice makes its subscription active")
    tell(ctx, subscription)
    return subscription


def _blank(ctx: Context, customer: Object) -> Object:
    subscription_id = ctx.new_id("sub")
    names = (
        "application", "application_fee_percent", "billing_cycle_anchor_config", "billing_thresholds", "cancel_at",
        "canceled_at", "customer_account", "days_until_due", "default_payment_method", "default_source", "description",
        "ended_at", "latest_invoice", "next_pending_invoice_item_invoice", "on_behalf_of", "pause_collection",
        "pending_invoice_item_interval", "pending_setup_intent", "pending_update", "schedule", "status_details",
        "transfer_data", "trial_end", "trial_start",
    )  # fmt: skip
    return {
        "id": subscription_id,
        "object": "subscription",
        **dict.fromkeys(names),
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": ctx.now,
        "billing_mode": {
            "flexible": {"proration_discounts": "included"},
            "type": "flexible",
            "updated_at": ctx.now,
        },
        "billing_schedules": [],
        "cancel_at_period_end": False,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": ctx.now,
        "currency": None,
        "customer": customer["id"],
        "default_tax_rates": [],
        "discounts": [],
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "items": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/subscription_items?subscription={subscription_id}",
        },
        "livemode": False,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "start_date": ctx.now,
        "status": "incomplete",
        "test_clock": customer["test_clock"],
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "_trial_told": False,
    }


def _start(ctx: Context, subscription: Object, trial_end: int | None) -> None:
    if trial_end is not None:
        subscription |= {
            "billing_cycle_anchor": trial_end,
            "status": "trialing",
            "trial_end": trial_end,
            "trial_start": ctx.now,
        }
    elif subscription["collection_method"] == "send_invoice":
        subscription["status"] = "active"


def _backdate(ctx: Context, subscription: Object) -> None:
    """`backdate_start_date`: the time until now (or until the first anchor) is on the first invoice."""
    start = ctx.params.get("backdate_start_date")
    subscription["_backdated"] = None
    if start is None:
        return
    if start > ctx.now:
        raise invalid("`backdate_start_date` must be in the past.", param="backdate_start_date")
    subscription["start_date"] = start
    if ctx.params.get("proration_behavior", "create_prorations") != "none" and start < ctx.now:
        subscription["_backdated"] = ctx.now


def _anchor(ctx: Context, subscription: Object) -> None:
    """A billing_cycle_anchor to come: the first period ends there, and costs its part of a whole one."""
    anchor = first_anchor(ctx.params, ctx.now)
    if anchor is None:
        return
    if subscription["status"] == "trialing":
        raise not_implemented("POST", "/v1/subscriptions with both a trial and a billing_cycle_anchor")
    items = subscription["items"]["data"]
    latest = min(after(ctx.now, interval_of(item), 1) for item in items)
    if not ctx.now < anchor <= latest:
        raise invalid(
            "billing_cycle_anchor must be in the future, and not after the next natural billing date.",
            param="billing_cycle_anchor",
        )
    prorated = ctx.params.get("proration_behavior", "create_prorations") != "none"
    config = ctx.params.get("billing_cycle_anchor_config")
    subscription |= {
        "billing_cycle_anchor": anchor,
        "billing_cycle_anchor_config": config and {name: config.get(name) for name in ANCHOR},
        "_first_anchor": anchor,
        "_first_prorated": prorated,
    }
    for item in items:
        put_period(item, Period(ctx.now, anchor))


def first_anchor(given: Object, now: int) -> int | None:
    """The second of `billing_cycle_anchor`, or the next one that fits `billing_cycle_anchor_config`."""
    config = given.get("billing_cycle_anchor_config")
    if config is None:
        anchor: int | None = given.get("billing_cycle_anchor")
        return anchor
    if given.get("billing_cycle_anchor") is not None:
        raise invalid(
            "Set billing_cycle_anchor or billing_cycle_anchor_config, not both.", param="billing_cycle_anchor"
        )
    start = datetime.fromtimestamp(now, UTC)
    hour, minute, second = (config.get(name, getattr(start, name)) for name in ("hour", "minute", "second"))
    for months in range(13):
        year, month = start.year + (start.month - 1 + months) // 12, (start.month - 1 + months) % 12 + 1
        if config.get("month", month) != month:
            continue
        try:
            day = min(config["day_of_month"], monthrange(year, month)[1])
            at = int(datetime(year, month, day, hour, minute, second, tzinfo=UTC).timestamp())
        except ValueError as error:
            raise invalid(
                f"Invalid billing_cycle_anchor_config: {error}", param="billing_cycle_anchor_config"
            ) from None
        if at > now:
            return at
    raise invalid("Invalid billing_cycle_anchor_config.", param="billing_cycle_anchor_config")


def _trial_end(ctx: Context, items: list[Object]) -> int | None:
    given = ctx.params
    ways = [name for name in ("trial_end", "trial_period_days") if given.get(name) is not None]
    if len(ways) > 1:
        raise invalid("You can only specify one of trial_end or trial_period_days.", param="trial_end")
    if given.get("trial_end") == "now":
        return None
    end: int | None = given.get("trial_end")
    days = given.get("trial_period_days")
    if given.get("trial_from_plan") and not ways:
        days = max((item["price"]["recurring"]["trial_period_days"] or 0 for item in items), default=0)
    if days is not None:
        if days < 0:
            raise invalid("This value must be greater than or equal to 0.", param="trial_period_days")
        end = ctx.now + days * DAY if days else None
    settings.check_trial_end(ctx, end)
    return end


def _lacks_method(ctx: Context, invoice: Object, behavior: str) -> bool:
    free = behavior == "default_incomplete" or invoice["collection_method"] == "send_invoice"
    return not free and invoice["amount_due"] > 0 and collection.method_for(ctx, invoice) is None


def _check_currency(given: Object, customer: Object, subscription: Object) -> None:
    currency = subscription["currency"]
    if (given.get("currency") or currency).lower() != currency:
        raise invalid(f"The price specified only supports `{currency}`.", param="currency")
    if customer["currency"] not in {None, currency}:
        raise _two_currencies(customer["currency"])


def _two_currencies(currency: str) -> StripeError:
    return invalid(
        "You cannot combine currencies on a single customer. This customer has an active subscription, subscription "
        f"schedule, discount, quote, or invoice item with currency {currency}"
    )
