"""Events: retrieve and list."""

from sandbox.context import Context, delivery_id
from sandbox.errors import invalid
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.store import Object


@operation("GET", "/v1/events/{id}")
def retrieve(ctx: Context) -> Object:
    return _current(ctx, ctx.get("event", ctx.path["id"]))


@operation("GET", "/v1/events")
def list_all(ctx: Context) -> Object:
    if "type" in ctx.params and "types" in ctx.params:
        raise invalid("You may only specify one of these parameters: type, types.", param="type")
    delivered = ctx.params.get("delivery_success")
    single, several = ctx.params.get("type"), ctx.params.get("types")

    def keep(event: Object) -> bool:
        typed = (single is None or _fits(event, single)) and (not several or event["type"] in several)
        return typed and (delivered is None or (_pending(ctx, event) == 0) is delivered)

    found = page(ctx, "event", "/v1/events", keep)
    return found | {"data": [_current(ctx, event) for event in found["data"]]}


def _pending(ctx: Context, event: Object) -> int:
    """The endpoints that have not taken the event, whether still tried or given up."""
    waiting = sum(
        ctx.tx.get(ctx.account, "_delivery", delivery_id(event["id"], endpoint)) is not None
        for endpoint in event["_endpoints"]
    )
    return waiting + int(event["_failed"])


def _current(ctx: Context, event: Object) -> Object:
    return event | {"pending_webhooks": _pending(ctx, event)}


def _fits(event: Object, wanted: str) -> bool:
    if wanted.endswith(".*"):
        return str(event["type"]).startswith(wanted[:-1])
    return bool(event["type"] == wanted)
