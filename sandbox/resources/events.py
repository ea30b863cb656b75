"""Events: retrieve and list."""

from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.store import Object


@operation("GET", "/v1/events/{id}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("event", ctx.path["id"])


@operation("GET", "/v1/events")
def list_all(ctx: Context) -> Object:
    if "delivery_success" in ctx.params:
        raise not_implemented("GET", "/v1/events with delivery_success")
    if "type" in ctx.params and "types" in ctx.params:
        raise invalid("You may only specify one of these parameters: type, types.", param="type")
    single, several = ctx.params.get("type"), ctx.params.get("types")

    def keep(event: Object) -> bool:
        return (single is None or _fits(event, single)) and (not several or event["type"] in several)

    return page(ctx, "event", "/v1/events", keep)


def _fits(event: Object, wanted: str) -> bool:
    if wanted.endswith(".*"):
        return str(event["type"]).startswith(wanted[:-1])
    return bool(event["type"] == wanted)
