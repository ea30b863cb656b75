"""The plain settings of a subscription, which creation and update take alike."""

from sandbox.context import Context
from sandbox.errors import invalid, missing, not_implemented
from sandbox.invoicing.taxes import rates_of
from sandbox.paying.sources import own
from sandbox.resources.shared import assign
from sandbox.store import Object

PLAIN = ("application_fee_percent", "collection_method", "days_until_due", "description")
TAKES = (
    *PLAIN,
    "automatic_tax",
    "cancel_at",
    "cancel_at_period_end",
    "default_payment_method",
    "default_source",
    "default_tax_rates",
    "items",
    "metadata",
    "off_session",
    "payment_behavior",
    "payment_settings",
    "proration_behavior",
    "trial_end",
    "trial_from_plan",
    "trial_settings",
)
MAX_TRIAL = 5 * 366 * 24 * 3600


def apply(ctx: Context, subscription: Object) -> None:
    """Copy what has no effect on items, periods or money at once."""
    given = ctx.params
    if (given.get("automatic_tax") or {}).get("enabled"):
        raise not_implemented("POST", "/v1/subscriptions with automatic_tax[enabled]=true")
    assign(subscription, ctx, PLAIN)
    fee = subscription["application_fee_percent"]
    if fee is not None and not 0 <= fee <= 100:
        raise invalid("Invalid application_fee_percent: must be between 0 and 100.", param="application_fee_percent")
    sent = subscription["collection_method"] == "send_invoice"
    if sent and subscription["days_until_due"] is None:
        raise invalid(
            "If you set `collection_method=send_invoice`, you must also set `days_until_due`.", param="days_until_due"
        )
    if not sent:
        if "days_until_due" in given:
            raise invalid("`days_until_due` needs `collection_method=send_invoice`.", param="days_until_due")
        subscription["days_until_due"] = None
    if "default_payment_method" in given:
        subscription["default_payment_method"] = _method(ctx, subscription, given["default_payment_method"])
    if "default_source" in given:
        source = given["default_source"]
        subscription["default_source"] = source and own(ctx, subscription["customer"], source, "default_source")
    if "default_tax_rates" in given:
        rates = rates_of(ctx, given["default_tax_rates"], "default_tax_rates")
        subscription["default_tax_rates"] = rates
    if "payment_settings" in given:
        _payment_settings(subscription, given["payment_settings"])
    if "trial_settings" in given:
        _trial_settings(subscription, given["trial_settings"]["end_behavior"])


def apply_cancellation(ctx: Context, subscription: Object) -> None:
    """cancel_at and cancel_at_period_end, on and off."""
    given = ctx.params
    if given.get("cancel_at_period_end") and given.get("cancel_at") is not None:
        raise invalid("You cannot set `cancel_at` and `cancel_at_period_end` together.", param="cancel_at")
    ends = [item["current_period_end"] for item in subscription["items"]["data"]]
    if given.get("cancel_at_period_end") is not None:
        if given["cancel_at_period_end"]:
            _schedule(ctx, subscription, max(ends), at_period_end=True)
        elif subscription["cancel_at_period_end"]:
            _unschedule(subscription)
    if "cancel_at" not in given:
        return
    at = given["cancel_at"]
    if at is None:
        _unschedule(subscription)
        return
    words = {"min_period_end": min(ends), "max_period_end": max(ends)}
    if isinstance(at, str):
        if at not in words:
            raise not_implemented("POST", f"/v1/subscriptions with cancel_at={at}")
        at = words[at]
    if at <= ctx.now:
        raise invalid("cancel_at must be a timestamp in the future.", param="cancel_at")
    prorated = given.get("proration_behavior", "create_prorations") != "none"
    if at < min(ends) and prorated and subscription["status"] != "trialing":
        raise not_implemented("POST", "/v1/subscriptions with a prorated cancel_at inside the period")
    _schedule(ctx, subscription, at, at_period_end=False)


def check_trial_end(ctx: Context, end: int | None) -> None:
    if end is None:
        return
    if end <= ctx.now:
        raise invalid("Invalid timestamp: must be an integer Unix timestamp in the future.", param="trial_end")
    if end > ctx.now + MAX_TRIAL:
        raise invalid("Invalid timestamp: can be no more than five years in the future.", param="trial_end")


def _schedule(ctx: Context, subscription: Object, at: int, *, at_period_end: bool) -> None:
    subscription |= {"cancel_at": at, "cancel_at_period_end": at_period_end, "canceled_at": ctx.now}
    subscription["cancellation_details"]["reason"] = "cancellation_requested"


def _unschedule(subscription: Object) -> None:
    subscription |= {"cancel_at": None, "cancel_at_period_end": False, "canceled_at": None}
    subscription["cancellation_details"]["reason"] = None


def _method(ctx: Context, subscription: Object, method_id: str | None) -> str | None:
    if method_id is None:
        return None
    param = "default_payment_method"
    if ctx.get("payment_method", method_id, param=param)["customer"] != subscription["customer"]:
        raise missing("payment_method", method_id, param=param)
    return method_id


def _payment_settings(subscription: Object, given: Object) -> None:
    if given.get("payment_method_options"):
        raise not_implemented("POST", "/v1/subscriptions with payment_settings[payment_method_options]")
    types = given.get("payment_method_types")
    if types and "card" not in types:
        raise not_implemented("POST", "/v1/subscriptions without payment_settings[payment_method_types]=card")
    settings = subscription["payment_settings"]
    if "payment_method_types" in given:
        settings["payment_method_types"] = types or None
    if "save_default_payment_method" in given:
        settings["save_default_payment_method"] = given["save_default_payment_method"]


def _trial_settings(subscription: Object, given: Object) -> None:
    if "billing_cycle_anchor" in given:
        raise not_implemented("POST", "/v1/subscriptions with trial_settings[end_behavior][billing_cycle_anchor]")
    if "missing_payment_method" in given:
        subscription["trial_settings"] = {"end_behavior": dict(given)}
