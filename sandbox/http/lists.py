"""Stripe's lists: newest first, a page at a time, continued from an id."""

from collections.abc import Callable

from sandbox.context import Context
from sandbox.errors import invalid, missing
from sandbox.store import Object

MAX_LIMIT = 100


def page(ctx: Context, kind: str, url: str, keep: Callable[[Object], bool] = lambda _: True) -> Object:
    """A page of the account's objects that `keep` wants, and that match `created` where it was given."""
    limit = limit_of(ctx)
    after, before = ctx.params.get("starting_after"), ctx.params.get("ending_before")
    if after and before:
        raise invalid("You can only supply one of starting_after or ending_before.", param="starting_after")
    cursor = after or before
    if cursor and ctx.tx.get(ctx.account, kind, cursor) is None:
        raise missing(kind, cursor, param="starting_after" if after else "ending_before")
    found: list[Object] = []
    past = not after
    for value in ctx.tx.newest(ctx.account, kind):
        if before and value["id"] == before:
            break
        if past and not value.get("deleted") and keep(value) and created(ctx, value):
            found.append(value)
            if not before and len(found) > limit:
                break
        past = past or value["id"] == after
    more = len(found) > limit
    data = found[-limit:] if before else found[:limit]
    return {"object": "list", "data": data, "has_more": more, "url": url}


def limit_of(ctx: Context) -> int:
    """How many are wanted on a page."""
    limit = int(ctx.params.get("limit", 10))
    message = None
    if limit < 1:
        message = "This value must be greater than or equal to 1."
    elif limit > MAX_LIMIT:
        message = f"This value must be less than or equal to {MAX_LIMIT} (it currently is '{limit}')."
    if message is not None:
        raise invalid(message, param="limit", code="parameter_invalid_integer")
    return limit


def created(ctx: Context, value: Object) -> bool:
    """Whether the object fits the list's `created`."""
    wanted = ctx.params.get("created")
    return wanted is None or within(value["created"], wanted)


def within(at: int | None, wanted: int | dict[str, int] | None) -> bool:
    """Whether a second fits what a list was asked for: a second, or bounds; None asks for nothing."""
    if wanted is None or isinstance(wanted, int):
        return wanted is None or at == wanted
    if at is None:
        return False
    tests = {"gt": at.__gt__, "gte": at.__ge__, "lt": at.__lt__, "lte": at.__le__}
    return all(tests[name](bound) for name, bound in wanted.items())


def window(ctx: Context, values: list[Object], kind: str, url: str) -> Object:
    """A page of the parts of one object, in their own order: an invoice's lines, a subscription's items."""
    limit = limit_of(ctx)
    places = {value["id"]: place for place, value in enumerate(values)}
    start, end = 0, len(values)
    after, before = ctx.params.get("starting_after"), ctx.params.get("ending_before")
    if after is not None:
        if after not in places:
            raise missing(kind, after, param="starting_after")
        start = places[after] + 1
    if before is not None:
        if before not in places:
            raise missing(kind, before, param="ending_before")
        end = places[before]
    inside = values[start:end]
    data = inside[-limit:] if before is not None else inside[:limit]
    return {"object": "list", "data": data, "has_more": len(inside) > limit, "url": url}
