"""Expansion: ids become objects where `expand` asks, at most four levels deep."""

from collections.abc import Callable
from typing import Any

from sandbox.context import Context, public
from sandbox.errors import invalid
from sandbox.store import Object

MAX_DEPTH = 4
Extra = Callable[[Context, Object], Any]

_extras: dict[tuple[str, str], Extra] = {}


def expandable(kind: str, name: str) -> Callable[[Extra], Extra]:
    """Registers a field that is only there when expanded, such as a price's tiers, or whose id is of no stored type."""

    def register(make: Extra) -> Extra:
        _extras[kind, name] = make
        return make

    return register


def shown(ctx: Context, value: Object, paths: list[str]) -> Object:
    """The object as it is answered; never the stored dict itself when something is expanded."""
    answer = public(value)
    if answer.get("object") in {"list", "search_result"}:
        answer["data"] = [public(item) for item in answer["data"]]
    for path in paths:
        steps = path.split(".")
        if len(steps) > MAX_DEPTH:
            raise invalid(f"You cannot expand more than {MAX_DEPTH} levels of a property.", param="expand")
        answer = _expanded(ctx, answer, steps, path)
    return answer


def _expanded(ctx: Context, value: Any, steps: list[str], path: str) -> Any:
    if isinstance(value, list):
        return [_expanded(ctx, item, steps, path) for item in value]
    if value is None:
        return None
    if isinstance(value, str):
        # A connected account's charge names a fee that is the platform's.
        home = ctx.config.platform if value.startswith("fee_") else ctx.account
        found = ctx.tx.find(home, value)
        if found is None:
            raise _refused(path)
        value = public(found)
    if not steps:
        return value
    name, rest = steps[0], steps[1:]
    make = _extras.get((value.get("object", ""), name))
    if make is not None and (name not in value or isinstance(value[name], str)):
        return value | {name: _expanded(ctx, make(ctx, value), rest, path)}
    inner = value.get(name)
    if name not in value or not isinstance(inner, (str, list, dict, type(None))):
        raise _refused(path)
    return value | {name: _expanded(ctx, inner, rest, path)}


def _refused(path: str) -> Exception:
    return invalid(f"This property cannot be expanded ({path}).", param="expand")
