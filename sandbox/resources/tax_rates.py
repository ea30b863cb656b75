"""Tax rates, which invoices, subscriptions and their items name; a change concerns only what names them after it."""

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.resources.shared import assign, merge_metadata
from sandbox.store import Object

_PLAIN = ("country", "description", "display_name", "jurisdiction", "state", "tax_type")
_CHANGES = (*_PLAIN, "active", "metadata")


@operation("POST", "/v1/tax_rates", takes=(*_CHANGES, "inclusive", "percentage"))
def create(ctx: Context) -> Object:
    percentage = float(ctx.params["percentage"])
    if not 0 <= percentage <= 100:
        raise invalid("A tax rate's percentage is from 0 to 100.", param="percentage")
    made: Object = {
        "id": ctx.new_id("txr"),
        "object": "tax_rate",
        **dict.fromkeys(_PLAIN),
        "active": True,
        "created": ctx.now,
        "effective_percentage": None,
        "flat_amount": None,
        "inclusive": ctx.params["inclusive"],
        "jurisdiction_level": None,
        "livemode": False,
        "metadata": {},
        "percentage": percentage,
        "rate_type": "percentage",
    }
    _apply(ctx, made)
    ctx.insert(made)
    ctx.emit("tax_rate.created", made)
    return made


@operation("POST", "/v1/tax_rates/{tax_rate}", takes=_CHANGES)
def update(ctx: Context) -> Object:
    rate = ctx.edit("tax_rate", ctx.path["tax_rate"])
    _apply(ctx, rate)
    ctx.updated("tax_rate.updated", rate)
    return rate


@operation("GET", "/v1/tax_rates/{tax_rate}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("tax_rate", ctx.path["tax_rate"])


@operation("GET", "/v1/tax_rates")
def list_all(ctx: Context) -> Object:
    wanted = {name: ctx.params[name] for name in ("active", "inclusive") if name in ctx.params}
    return page(ctx, "tax_rate", "/v1/tax_rates", lambda one: all(one[name] == wanted[name] for name in wanted))


def _apply(ctx: Context, rate: Object) -> None:
    assign(rate, ctx, _PLAIN)
    if "active" in ctx.params:
        rate["active"] = ctx.params["active"]
    merge_metadata(rate, ctx)
