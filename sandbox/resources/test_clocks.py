"""Test clocks: a time of their own for the customers that were made with them."""

from sandbox.billing.periods import Interval, after
from sandbox.calls import call
from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.planning import plan
from sandbox.store import Object
from sandbox.subscribing.items import interval_of
from sandbox.subscribing.state import ENDED

KIND = "test_helpers.test_clock"
PATH = "/v1/test_helpers/test_clocks"
LIFE = 30 * 24 * 3600
MAX_CLOCKS = 100


@operation("POST", PATH, takes=("customer", "frozen_time", "name"))
def create(ctx: Context) -> Object:
    if sum(1 for _ in ctx.tx.newest(ctx.account, KIND)) >= MAX_CLOCKS:
        raise invalid(f"You may have at most {MAX_CLOCKS} test clocks.")
    clock = ctx.insert(
        {
            "id": ctx.new_id("clock"),
            "object": KIND,
            "created": ctx.now,
            "deletes_after": ctx.now + LIFE,
            "frozen_time": ctx.params["frozen_time"],
            "livemode": False,
            "name": ctx.params.get("name"),
            "status": "ready",
            "status_details": {"advancing": None},
        }
    )
    if "customer" in ctx.params:
        _move(ctx, ctx.params["customer"], clock)
    ctx.emit("test_helpers.test_clock.created", clock)
    return clock


def _move(ctx: Context, customer_id: str, clock: Object) -> None:
    """An existing customer lives by the clock from now on; one that has been billed already can't."""
    customer = ctx.get("customer", customer_id, param="customer")
    billed = any(
        one["customer"] == customer_id
        for kind in ("invoice", "invoiceitem", "subscription", "subscription_schedule")
        for one in ctx.tx.newest(ctx.account, kind)
    )
    if customer["test_clock"] is not None or billed:
        message = "A customer that has a test clock, subscriptions or invoices already can't be given a test clock."
        raise invalid(message, param="customer")
    draft = ctx.edit("customer", customer_id)
    draft["test_clock"] = clock["id"]
    ctx.updated("customer.updated", draft)


@operation("GET", PATH + "/{test_clock}")
def retrieve(ctx: Context) -> Object:
    return ctx.get(KIND, ctx.path["test_clock"])


@operation("GET", PATH)
def list_all(ctx: Context) -> Object:
    return page(ctx, KIND, PATH)


@operation("POST", PATH + "/{test_clock}/advance")
def advance(ctx: Context) -> Object:
    """Answers at once; the work is done after it, and `ready` tells of its end."""
    clock = ctx.edit(KIND, ctx.path["test_clock"])
    target = ctx.params["frozen_time"]
    if clock["status"] != "ready":
        raise invalid("Test clock advancement underway - cannot perform modifications.")
    if target <= clock["frozen_time"]:
        raise invalid("`frozen_time` must be after the clock's current frozen time.", param="frozen_time")
    if target > _furthest(ctx, clock):
        raise invalid(
            "You can advance a test clock by at most two intervals of its shortest subscription, or by two years.",
            param="frozen_time",
        )
    clock |= {
        "status": "advancing",
        "status_details": {"advancing": {"target_frozen_time": target}},
        "_target": target,
    }
    plan(ctx, clock, 0)
    ctx.emit("test_helpers.test_clock.advancing", clock)
    return clock


@operation("DELETE", PATH + "/{test_clock}")
def delete(ctx: Context) -> Object:
    """The clock goes, and with it its customers and their subscriptions."""
    clock = ctx.get(KIND, ctx.path["test_clock"])
    if clock["status"] != "ready":
        raise invalid("Test clock advancement underway - cannot perform modifications.")
    for customer in list(ctx.tx.newest(ctx.account, "customer")):
        if customer.get("test_clock") == clock["id"]:
            call(ctx, "DELETE", f"/v1/customers/{customer['id']}")
    for invoice in list(ctx.tx.newest(ctx.account, "invoice")):
        if invoice["test_clock"] == clock["id"]:
            plan(ctx, invoice, None)
    ctx.emit("test_helpers.test_clock.deleted", clock)
    ctx.delete(clock)
    return {"id": clock["id"], "object": KIND, "deleted": True}


def _furthest(ctx: Context, clock: Object) -> int:
    intervals: list[Interval] = []
    for subscription in ctx.tx.newest(ctx.account, "subscription"):
        if subscription["test_clock"] == clock["id"] and subscription["status"] not in ENDED:
            intervals += [interval_of(item) for item in subscription["items"]["data"]]
    shortest = min(intervals, key=Interval.roughly, default=Interval("year"))
    return after(clock["frozen_time"], shortest, 2)
