"""The plain settings of a subscription, which creation and update take alike."""

from sandbox.billing.periods import Interval, after
from sandbox.context import Context
from sandbox.errors import invalid, missing, not_implemented
from sandbox.invoicing.automatic_tax import of_subscription
from sandbox.invoicing.taxes import rates_of
from sandbox.paying.methods import KINDS
from sandbox.paying.sources import own
from sandbox.resources.shared import assign
from sandbox.store import Object

PLAIN = ("application_fee_percent", "collection_method", "days_until_due", "description")
TAKES = (
    *PLAIN,
    "billing_thresholds",
    "invoice_settings",
    "on_behalf_of",
    "pending_invoice_item_interval",
    "transfer_data",
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
# Stripe shows the options of these too, as nothing.
OTHER_METHODS = (
    "acss_debit", "bancontact", "customer_balance", "konbini", "payto", "pix", "sepa_debit", "upi", "us_bank_account",
)  # fmt: skip
MAX_TRIAL = 5 * 366 * 24 * 3600


def apply(ctx: Context, subscription: Object) -> None:
    """Copy what has no effect on items, periods or money at once."""
    given = ctx.params
    if "automatic_tax" in given:
        customer = ctx.get("customer", subscription["customer"])
        subscription["automatic_tax"] = of_subscription(given["automatic_tax"], customer)
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
    _money_elsewhere(ctx, subscription)
    _invoices(ctx, subscription)
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
    _schedule(ctx, subscription, at, at_period_end=False)
    # an end inside the period gives back the rest of it, when it comes
    subscription["_credit_at_end"] = given.get("proration_behavior", "create_prorations") != "none"


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


def _money_elsewhere(ctx: Context, subscription: Object) -> None:
    """Who gets the money of the subscription's payments, and for whom they are made."""
    given = ctx.params
    accounts = ctx.inside(ctx.config.platform)
    if "on_behalf_of" in given:
        subscription["on_behalf_of"] = given["on_behalf_of"]
    if "transfer_data" in given:
        data = given["transfer_data"]
        subscription["transfer_data"] = data and {
            "amount_percent": data.get("amount_percent"),
            "destination": data["destination"],
        }
        if data is not None and accounts.tx.get(accounts.account, "account", data["destination"]) is None:
            message = f"No such destination: '{data['destination']}'"
            raise invalid(message, param="transfer_data[destination]", code="resource_missing")
        percent = (data or {}).get("amount_percent")
        if percent is not None and subscription["application_fee_percent"] is not None:
            raise invalid(
                "You may only specify one of these parameters: application_fee_percent, transfer_data[amount_percent].",
                param="transfer_data[amount_percent]",
            )
        if percent is not None and not 0 <= percent <= 100:
            raise invalid("Invalid amount_percent: must be between 0 and 100.", param="transfer_data[amount_percent]")
    for_nobody = ctx.application is None and subscription["transfer_data"] is None
    if given.get("application_fee_percent") and for_nobody:
        raise invalid(
            "Can only apply an application_fee_percent when the subscription is made for a connected account "
            "(using an OAuth key, the Stripe-Account header or `transfer_data[destination]`).",
            param="application_fee_percent",
        )


def _invoices(ctx: Context, subscription: Object) -> None:
    """How the subscription's invoices look, and when they are made beside its periods."""
    given = ctx.params
    if given.get("invoice_settings"):
        wanted = given["invoice_settings"]
        if wanted.get("account_tax_ids"):
            raise not_implemented("POST", "/v1/subscriptions with invoice_settings[account_tax_ids]")
        subscription["invoice_settings"] = subscription["invoice_settings"] | {
            name: value for name, value in wanted.items() if name != "account_tax_ids"
        }
    if "billing_thresholds" in given:
        wanted = given["billing_thresholds"]
        names = ("amount_gte", "reset_billing_cycle_anchor")
        subscription["billing_thresholds"] = wanted and {name: wanted.get(name) for name in names}
    if "pending_invoice_item_interval" in given:
        wanted = given["pending_invoice_item_interval"]
        subscription["pending_invoice_item_interval"] = wanted and {"interval_count": 1, **wanted}
        subscription["next_pending_invoice_item_invoice"] = next_pending(subscription, ctx.now)


def next_pending(subscription: Object, now: int) -> int | None:
    """When the items that wait are next invoiced between two renewals."""
    wanted = subscription["pending_invoice_item_interval"]
    return wanted and after(now, Interval(wanted["interval"], wanted["interval_count"]), 1)


def _method(ctx: Context, subscription: Object, method_id: str | None) -> str | None:
    if method_id is None:
        return None
    param = "default_payment_method"
    if ctx.get("payment_method", method_id, param=param)["customer"] != subscription["customer"]:
        raise missing("payment_method", method_id, param=param)
    return method_id


def _payment_settings(subscription: Object, given: Object) -> None:
    settings = subscription["payment_settings"]
    if "payment_method_options" in given:
        wanted = given["payment_method_options"] or {}
        for kind in sorted(wanted.keys() - {"card"}):
            raise not_implemented("POST", f"/v1/subscriptions with payment_settings[payment_method_options][{kind}]")
        shown = dict.fromkeys(OTHER_METHODS) | {"card": {"network": None, **(wanted.get("card") or {})}}
        settings["payment_method_options"] = shown if wanted.get("card") else None
    types = given.get("payment_method_types")
    for kind in types or ():
        if kind not in KINDS:
            raise not_implemented("POST", f"/v1/subscriptions with payment_settings[payment_method_types]={kind}")
    if "payment_method_types" in given:
        settings["payment_method_types"] = types or None
    if "save_default_payment_method" in given:
        settings["save_default_payment_method"] = given["save_default_payment_method"]


def _trial_settings(subscription: Object, given: Object) -> None:
    if "billing_cycle_anchor" in given:
        raise not_implemented("POST", "/v1/subscriptions with trial_settings[end_behavior][billing_cycle_anchor]")
    if "missing_payment_method" in given:
        subscription["trial_settings"] = {"end_behavior": dict(given)}
