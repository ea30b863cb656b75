"""Subscription schedules over the API: what a subscription will be, phase by phase."""

from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.http.lists import page, within
from sandbox.operations import operation
from sandbox.planning import on_clock, plan
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object
from sandbox.subscribing import schedule as phases
from sandbox.subscribing import state
from sandbox.subscribing.billing import bill_now, collect, credit
from sandbox.subscribing.schedule import KIND, OPEN, SETTINGS

PATH = "/v1/subscription_schedules"
NEW = ("customer", "default_settings", "end_behavior", "from_subscription", "metadata", "phases", "start_date")
DATES = ("canceled_at", "completed_at", "released_at")


@operation("POST", PATH, takes=NEW)
def create(ctx: Context) -> Object:
    if "from_subscription" in ctx.params:
        return _from_subscription(ctx)
    given = ctx.params
    if "customer" not in given:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    customer = ctx.get("customer", given["customer"], param="customer")
    ctx = on_clock(ctx, customer)
    start = given.get("start_date", "now")
    at = ctx.now if start == "now" else int(start)
    if at < ctx.now:
        raise not_implemented("POST", f"{PATH} with a start_date in the past")
    schedule = _blank(ctx, customer)
    _apply(ctx, schedule)
    schedule["phases"] = phases.build_phases(ctx, given.get("phases") or [], at)
    ctx.insert(schedule)
    ctx.emit("subscription_schedule.created", schedule)
    if at == ctx.now:
        phases.begin(ctx, schedule)
    else:
        phases.replan(ctx, schedule)
    return schedule


@operation("GET", PATH + "/{schedule}")
def retrieve(ctx: Context) -> Object:
    return ctx.get(KIND, ctx.path["schedule"])


@operation("GET", PATH, takes=("created", "customer", "ending_before", "limit", "scheduled", "starting_after", *DATES))
def list_all(ctx: Context) -> Object:
    customer, waiting = ctx.params.get("customer"), ctx.params.get("scheduled")

    def keep(schedule: Object) -> bool:
        fits = customer in {None, schedule["customer"]}
        fits = fits and all(within(schedule[name], ctx.params.get(name)) for name in DATES)
        return fits and (not waiting or schedule["status"] == "not_started")

    return page(ctx, KIND, PATH, keep)


@operation(
    "POST",
    PATH + "/{schedule}",
    takes=("default_settings", "end_behavior", "metadata", "phases", "proration_behavior"),
)
def update(ctx: Context) -> Object:
    """New phases replace the ones to come; the first given one is the current phase, which keeps its start."""
    ctx, schedule = _open(ctx)
    _apply(ctx, schedule)
    given = ctx.params.get("phases")
    if given is not None:
        current = schedule["current_phase"]
        start = current["start_date"] if current else schedule["phases"][0]["start_date"]
        first = given[0].get("start_date", start) if given else start
        if current is None and first != "now":
            start = first
        elif first not in {start, "now"}:
            raise invalid("The first phase must be the current one.", param="phases[0][start_date]")
        made = phases.build_phases(ctx, given, start)
        past = [phase for phase in schedule["phases"] if phase["end_date"] <= start]
        schedule |= {"phases": [*past, *made], "_expiring_told": False}
        if current is not None:
            if made[0]["end_date"] <= ctx.now:
                raise invalid("The current phase can't end in the past.", param="phases[0][end_date]")
            phases.apply(ctx, schedule, made[0] | _proration(ctx, made[0]))
            schedule["current_phase"] = {"end_date": made[0]["end_date"], "start_date": start}
        phases.replan(ctx, schedule)
    ctx.updated("subscription_schedule.updated", schedule)
    return schedule


@operation("POST", PATH + "/{schedule}/cancel")
def cancel(ctx: Context) -> Object:
    """Ends the schedule and its subscription at once."""
    ctx, schedule = _open(ctx)
    if schedule["subscription"] is None:
        schedule |= {"canceled_at": ctx.now, "status": "canceled"}
        plan(ctx, schedule, None)
        ctx.emit("subscription_schedule.canceled", schedule)
        return schedule
    subscription = ctx.edit("subscription", schedule["subscription"])
    if ctx.params.get("prorate", True) and subscription["status"] != "trialing":
        for item in subscription["items"]["data"]:
            credit(ctx, subscription, item, ctx.now)
    invoice = None
    if ctx.params.get("invoice_now", True):
        invoice = bill_now(ctx, subscription, "subscription_update", [], None)
    state.end(ctx, subscription, None)  # which also ends the schedule
    if invoice is not None:
        collect(ctx, invoice, "allow_incomplete")
    return schedule


@operation("POST", PATH + "/{schedule}/release")
def release(ctx: Context) -> Object:
    ctx, schedule = _open(ctx)
    phases.release(ctx, schedule, keep_cancel_date=bool(ctx.params.get("preserve_cancel_date")))
    return schedule


def _from_subscription(ctx: Context) -> Object:
    """A schedule of one phase: what the subscription is now, until the end of its period."""
    if set(ctx.params) - {"from_subscription", "metadata", "expand"}:
        raise invalid("With `from_subscription` nothing else can be set at creation.", param="from_subscription")
    found = ctx.get("subscription", ctx.params["from_subscription"], param="from_subscription")
    if found["status"] in state.ENDED or found["schedule"] is not None:
        raise invalid("This subscription has ended, or has a schedule already.", param="from_subscription")
    ctx = on_clock(ctx, found)
    subscription = ctx.edit("subscription", found["id"])
    items = subscription["items"]["data"]
    schedule = _blank(ctx, ctx.get("customer", subscription["customer"]))
    merge_metadata(schedule, ctx)
    start = min(item["current_period_start"] for item in items)
    now = {
        "items": [{"price": item["price"]["id"], "quantity": item["quantity"]} for item in items],
        "end_date": min(item["current_period_end"] for item in items),
        **{name: subscription[name] for name in SETTINGS},
    }
    schedule["phases"] = phases.build_phases(ctx, [now], start)
    if subscription["status"] == "trialing":
        schedule["phases"][0]["trial_end"] = subscription["trial_end"]
    end = schedule["phases"][0]["end_date"]
    schedule |= {
        "current_phase": {"end_date": end, "start_date": start},
        "status": "active",
        "subscription": subscription["id"],
    }
    ctx.insert(schedule)
    ctx.emit("subscription_schedule.created", schedule)
    phases.replan(ctx, schedule)
    subscription["schedule"] = schedule["id"]
    state.tell(ctx, subscription)
    return schedule


def _open(ctx: Context) -> tuple[Context, Object]:
    schedule = ctx.edit(KIND, ctx.path["schedule"])
    if schedule["status"] not in OPEN:
        raise invalid(f"This subscription schedule is {schedule['status']} and can't be changed any more.")
    return on_clock(ctx, schedule), schedule


def _apply(ctx: Context, schedule: Object) -> None:
    merge_metadata(schedule, ctx)
    ending = ctx.params.get("end_behavior", schedule["end_behavior"])
    if ending not in {"release", "cancel"}:
        raise not_implemented("POST", f"{PATH} with end_behavior={ending}")
    schedule["end_behavior"] = ending
    given = ctx.params.get("default_settings") or {}
    for name in sorted(given.keys() - {*SETTINGS, "billing_cycle_anchor", "invoice_settings"}):
        raise not_implemented("POST", f"{PATH} with default_settings[{name}]")
    for name in sorted((given.get("invoice_settings") or {}).keys() - {"days_until_due"}):
        raise not_implemented("POST", f"{PATH} with default_settings[invoice_settings][{name}]")
    plain = {name: value for name, value in given.items() if name != "invoice_settings"}
    schedule["default_settings"] |= plain
    schedule["default_settings"]["invoice_settings"] |= given.get("invoice_settings") or {}


def _proration(ctx: Context, phase: Object) -> Object:
    """An update's own proration behaviour goes before the phase's."""
    return {"proration_behavior": ctx.params.get("proration_behavior", phase["proration_behavior"])}


def _blank(ctx: Context, customer: Object) -> Object:
    names = (
        "application", "canceled_at", "completed_at", "current_phase", "customer_account", "released_at",
        "released_subscription", "subscription",
    )  # fmt: skip
    invoice_settings = dict.fromkeys(("account_tax_ids", "custom_fields", "days_until_due", "description", "footer"))
    return {
        "id": ctx.new_id("sub_sched"),
        "object": KIND,
        **dict.fromkeys(names),
        "billing_mode": {
            "flexible": {"proration_discounts": "included"},
            "type": "flexible",
            "updated_at": ctx.now,
        },
        "created": ctx.now,
        "customer": customer["id"],
        "default_settings": {
            "application_fee_percent": None,
            "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
            "billing_cycle_anchor": "automatic",
            "billing_thresholds": None,
            "collection_method": "charge_automatically",
            "default_payment_method": None,
            "description": None,
            "invoice_settings": invoice_settings | {"issuer": {"type": "self"}},
            "on_behalf_of": None,
            "transfer_data": None,
        },
        "end_behavior": "release",
        "livemode": False,
        "metadata": {},
        "pause_schedules": [],
        "phases": [],
        "status": "not_started",
        "test_clock": customer["test_clock"],
        "_expiring_told": False,
    }
