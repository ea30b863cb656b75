"""What is due later: one plan for an object at most, kept in the store so that it survives a restart."""

from dataclasses import replace

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.store import Object

KIND = "_due"


def plan(ctx: Context, value: Object, at: int | None) -> None:
    """Work on the object at this second of its clock, instead of what was planned before; None: nothing."""
    # An id of its own: the store knows one type for each id of an account.
    plan_id = "due_" + value["id"]
    found = ctx.tx.get(ctx.account, KIND, plan_id)
    if at is None:
        if found is not None:
            ctx.tx.delete(ctx.account, KIND, plan_id)
        return
    wanted = {
        "id": plan_id,
        "object": KIND,
        "subject": value["id"],
        "kind": value["object"],
        "at": at,
        "clock": value.get("test_clock"),
    }
    if found is None:
        ctx.insert(wanted)
    else:
        ctx.tx.edit(ctx.account, KIND, plan_id).update(wanted)


def on_clock(ctx: Context, value: Object) -> Context:
    """The context at the time of the object's test clock, or as it is where the object has none."""
    clock_id = value.get("test_clock")
    if clock_id is None:
        return ctx
    clock = ctx.get("test_helpers.test_clock", clock_id)
    if clock["status"] == "advancing":
        raise invalid("Test clock advancement underway - cannot perform modifications.")
    return replace(ctx, now=clock["frozen_time"])
