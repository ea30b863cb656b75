"""Subscription schedules at work: the subscription that they begin, its phases one after the other, and their end."""

from dataclasses import replace
from typing import Any

from sandbox.billing.periods import Interval, after
from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.invoicing.taxes import rates_of
from sandbox.planning import plan
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object
from sandbox.subscribing import change, create, settings, state
from sandbox.subscribing.items import INDEX, check_items, count_items, index_id, interval_of, new_item, put_price

KIND = "subscription_schedule"
OPEN = frozenset({"not_started", "active"})
EXPIRING = 7 * 24 * 3600
# What a phase says of the subscription itself, in both words alike.
SETTINGS = ("application_fee_percent", "collection_method", "default_payment_method", "description")


def build_phases(ctx: Context, given: list[Object], start: int) -> list[Object]:
    """The phases of a parameter, each from the end of the one before."""
    if not given:
        raise invalid("Missing required param: phases.", param="phases", code="parameter_missing")
    phases = []
    for place, wanted in enumerate(given):
        phase = _phase(ctx, wanted, start, f"phases[{place}]")
        phases.append(phase)
        start = phase["end_date"]
    return phases


def work_on_schedule(ctx: Context, schedule_id: str) -> None:
    """Begin, enter the next phase, warn of the end, or end: whatever is due now."""
    schedule = ctx.edit(KIND, schedule_id)
    if schedule["status"] == "not_started":
        begin(ctx, schedule)
        return
    current = schedule["current_phase"]
    if ctx.now < current["end_date"]:
        schedule["_expiring_told"] = True
        ctx.emit("subscription_schedule.expiring", schedule)
        replan(ctx, schedule)
        return
    following = [phase for phase in schedule["phases"] if phase["start_date"] >= current["end_date"]]
    if following:
        enter(ctx, schedule, following[0])
    else:
        _finish(ctx, schedule)


def begin(ctx: Context, schedule: Object) -> None:
    """The first phase: its subscription is created as the API would."""
    phase = schedule["phases"][0]
    customer = ctx.get("customer", schedule["customer"])
    params = _settings(schedule, phase) | {"items": _items(phase)}
    if phase["trial_end"] is not None:
        params["trial_end"] = phase["trial_end"]
    for item in params["items"]:
        ctx.get("price", item["price"])
    made = create.new_subscription(replace(ctx, params=params), customer)
    subscription = ctx.edit("subscription", made["id"])
    subscription["schedule"] = schedule["id"]
    schedule |= {"status": "active", "subscription": subscription["id"]}
    _now_in(schedule, phase)
    replan(ctx, schedule)
    state.tell(ctx, subscription)
    ctx.updated("subscription_schedule.updated", schedule)


def enter(ctx: Context, schedule: Object, phase: Object) -> None:
    """Change the subscription to what the phase says; at the end of a period the renewal then bills it."""
    subscription = ctx.edit("subscription", schedule["subscription"])
    anchored = phase["billing_cycle_anchor"] or schedule["default_settings"]["billing_cycle_anchor"]
    held = replace(ctx, params=_settings(schedule, phase))
    if all(item["current_period_end"] == ctx.now for item in subscription["items"]["data"]):
        settings.apply(held, subscription)
        merge_metadata(subscription, held)
        _replace_items(ctx, subscription, phase, restart=anchored == "phase_start")
        state.tell(ctx, subscription)
    else:
        apply(ctx, schedule, phase)
    _now_in(schedule, phase)
    replan(ctx, schedule)
    ctx.updated("subscription_schedule.updated", schedule)


def apply(ctx: Context, schedule: Object, phase: Object) -> None:
    """The phase's items and settings in the middle of a period, prorated as the phase says."""
    subscription = ctx.edit("subscription", schedule["subscription"])
    wanted = {item["price"]: item for item in _items(phase)}
    items: list[Object] = []
    for old in subscription["items"]["data"]:
        same = wanted.pop(old["price"]["id"], None)
        items.append({"id": old["id"], **same} if same else {"id": old["id"], "deleted": True})
    params = _settings(schedule, phase) | {
        "items": [*items, *wanted.values()],
        "proration_behavior": phase["proration_behavior"],
    }
    change.update(replace(ctx, params=params), subscription)


def release(ctx: Context, schedule: Object, *, keep_cancel_date: bool = False) -> None:
    """The subscription goes on without the schedule."""
    schedule |= {
        "current_phase": None,
        "released_at": ctx.now,
        "released_subscription": schedule["subscription"],
        "status": "released",
        "subscription": None,
    }
    plan(ctx, schedule, None)
    if schedule["released_subscription"] is not None:
        subscription = ctx.edit("subscription", schedule["released_subscription"])
        subscription["schedule"] = None
        if not keep_cancel_date and not subscription["cancel_at_period_end"]:
            subscription["cancel_at"] = None
        state.tell(ctx, subscription)
    ctx.emit("subscription_schedule.released", schedule)


def replan(ctx: Context, schedule: Object) -> None:
    """The second at which the schedule next does something by itself."""
    if schedule["status"] == "not_started":
        plan(ctx, schedule, schedule["phases"][0]["start_date"])
        return
    end = schedule["current_phase"]["end_date"]
    last = schedule["phases"][-1]["end_date"]
    warning = last - EXPIRING
    if not schedule["_expiring_told"] and ctx.now < warning < end:
        end = warning
    plan(ctx, schedule, end)


def _finish(ctx: Context, schedule: Object) -> None:
    if schedule["end_behavior"] == "release":
        release(ctx, schedule, keep_cancel_date=True)
        return
    subscription = ctx.edit("subscription", schedule["subscription"])
    subscription["schedule"] = None
    schedule |= {"completed_at": ctx.now, "current_phase": None, "status": "completed"}
    plan(ctx, schedule, None)
    state.end(ctx, subscription, None)
    ctx.emit("subscription_schedule.completed", schedule)


def _phase(ctx: Context, given: Object, start: int, param: str) -> Object:
    known = {
        *SETTINGS, "billing_cycle_anchor", "currency", "default_tax_rates", "duration", "end_date", "invoice_settings",
        "items", "metadata", "proration_behavior", "start_date", "trial", "trial_end",
    }  # fmt: skip
    for name in sorted(given.keys() - known):
        raise not_implemented("POST", f"/v1/subscription_schedules with {param}[{name}]")
    if ("duration" in given) is ("end_date" in given):
        raise invalid("A phase needs exactly one of `duration` and `end_date`.", param=f"{param}[end_date]")
    if "duration" in given:
        duration = given["duration"]
        end = after(start, Interval(duration["interval"]), duration.get("interval_count", 1))
    else:
        end = given["end_date"]
    if end <= start:
        raise invalid("A phase must end after it starts.", param=f"{param}[end_date]")
    if given.get("trial") and "trial_end" in given:
        raise invalid("You can only set one of `trial` and `trial_end`.", param=f"{param}[trial]")
    items = [_item(ctx, one, f"{param}[items][{place}]") for place, one in enumerate(given.get("items") or [])]
    if not items:
        raise invalid("A phase needs items.", param=f"{param}[items]", code="parameter_missing")
    rates = rates_of(ctx, given.get("default_tax_rates"), f"{param}[default_tax_rates]")
    return {
        "add_invoice_items": [],
        **{name: given.get(name) for name in SETTINGS},
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": given.get("billing_cycle_anchor"),
        "billing_thresholds": None,
        "currency": ctx.get("price", items[0]["price"])["currency"],
        "default_tax_rates": rates,
        "discounts": [],
        "end_date": end,
        "invoice_settings": _invoice_settings(given.get("invoice_settings"), param),
        "items": items,
        "metadata": dict(given.get("metadata") or {}),
        "on_behalf_of": None,
        "proration_behavior": given.get("proration_behavior", "create_prorations"),
        "start_date": start,
        "transfer_data": None,
        "trial_end": end if given.get("trial") else given.get("trial_end"),
    }


def _invoice_settings(given: Object | None, param: str) -> Object | None:
    if given is None:
        return None
    for name in sorted(given.keys() - {"days_until_due"}):
        raise not_implemented("POST", f"/v1/subscription_schedules with {param}[invoice_settings][{name}]")
    rest = dict.fromkeys(("account_tax_ids", "custom_fields", "description", "footer", "issuer"))
    return rest | {"days_until_due": given.get("days_until_due")}


def _item(ctx: Context, given: Object, param: str) -> Object:
    for name in sorted(given.keys() - {"metadata", "plan", "price", "quantity", "tax_rates"}):
        raise not_implemented("POST", f"/v1/subscription_schedules with {param}[{name}]")
    price_id = given.get("price") or given.get("plan") or ""
    price = ctx.get("price", price_id, param=f"{param}[price]")
    if price["recurring"] is None:
        raise invalid("The items of a phase need recurring prices.", param=f"{param}[price]")
    return {
        "billing_thresholds": None,
        "discounts": [],
        "metadata": dict(given.get("metadata") or {}),
        "plan": price["id"],
        "price": price["id"],
        "quantity": given.get("quantity", 1),
        "tax_rates": rates_of(ctx, given.get("tax_rates"), f"{param}[tax_rates]"),
    }


def _settings(schedule: Object, phase: Object) -> dict[str, Any]:
    """The phase's settings, over the schedule's, as parameters of a subscription."""
    found: dict[str, Any] = {}
    for name in SETTINGS:
        value = phase[name] if phase[name] is not None else schedule["default_settings"][name]
        if value is not None:
            found[name] = value
    days = (phase["invoice_settings"] or schedule["default_settings"]["invoice_settings"])["days_until_due"]
    if days is not None and found.get("collection_method") == "send_invoice":
        found["days_until_due"] = days
    if phase["default_tax_rates"]:
        found["default_tax_rates"] = [rate["id"] for rate in phase["default_tax_rates"]]
    if phase["metadata"]:
        found["metadata"] = phase["metadata"]
    return found


def _items(phase: Object) -> list[Object]:
    return [
        {
            "price": item["price"],
            "quantity": item["quantity"],
            "metadata": item["metadata"],
            "tax_rates": [rate["id"] for rate in item["tax_rates"]],
        }
        for item in phase["items"]
    ]


def _replace_items(ctx: Context, subscription: Object, phase: Object, *, restart: bool) -> None:
    """Every item ends its period here, so that the renewal of this second bills all of the phase's."""
    old = {item["price"]["id"]: item for item in subscription["items"]["data"]}
    intervals = {interval_of(item) for item in old.values()}
    start = min(item["current_period_start"] for item in old.values())
    items = []
    for place, given in enumerate(_items(phase)):
        item = old.pop(given["price"], None)
        if item is None:
            item = new_item(ctx, subscription, given, f"items[{place}]")
            item |= {"current_period_start": start, "current_period_end": ctx.now}
        else:
            put_price(item, ctx.get("price", given["price"]), given["quantity"])
        items.append(item)
    for gone in old.values():
        ctx.tx.delete(ctx.account, INDEX, index_id(gone["id"]))
    subscription["items"]["data"] = items
    if restart or {interval_of(item) for item in items} != intervals:
        subscription["billing_cycle_anchor"] = ctx.now
    check_items(subscription)
    count_items(subscription)


def _now_in(schedule: Object, phase: Object) -> None:
    schedule["current_phase"] = {"end_date": phase["end_date"], "start_date": phase["start_date"]}
