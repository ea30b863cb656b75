"""What several resources do alike: metadata and copying parameters onto an object."""

from collections.abc import Iterable

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.store import Object

MAX_METADATA = 50
ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def merge_metadata(value: Object, ctx: Context) -> None:
    """Given keys are set, '' removes a key, a cleared hash removes all."""
    if "metadata" not in ctx.params:
        return
    given = ctx.params["metadata"]
    merged = {} if given is None else value.get("metadata", {}) | given
    value["metadata"] = {name: item for name, item in merged.items() if item != ""}
    if len(value["metadata"]) > MAX_METADATA:
        raise invalid(f"Metadata may have at most {MAX_METADATA} keys.", param="metadata")


def assign(value: Object, ctx: Context, names: Iterable[str]) -> None:
    """Copy the parameters that were given; a cleared one becomes null."""
    for name in names:
        if name in ctx.params:
            value[name] = ctx.params[name]
