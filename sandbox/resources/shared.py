"""What several resources do alike: metadata and copying parameters onto an object."""

from collections.abc import Iterable

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.store import Object

MAX_METADATA = 50
MAX_KEY = 40
MAX_VALUE = 500
ADDRESS = ("city", "country", "line1", "line2", "postal_code", "state")


def merge_metadata(value: Object, ctx: Context) -> None:
    """Given keys are set, '' removes a key, a cleared hash removes all."""
    if "metadata" in ctx.params:
        put_metadata(value, ctx.params["metadata"])


def put_metadata(value: Object, given: Object | None, param: str = "metadata") -> None:
    """The same from a hash of metadata wherever it was given. https://docs.stripe.com/api/metadata has the limits."""
    merged = {} if given is None else value.get("metadata", {}) | given
    value["metadata"] = {name: item for name, item in merged.items() if item != ""}
    for name, item in value["metadata"].items():
        if len(name) > MAX_KEY:
            message = f"Metadata keys can be up to {MAX_KEY} characters long, but you passed in a key of {len(name)}."
            raise invalid(message, param=param)
        if len(item) > MAX_VALUE:
            message = f"Metadata values can have up to {MAX_VALUE} characters, but you passed in a value of {len(item)}"
            raise invalid(f"{message} characters for the key `{name}`.", param=f"{param}[{name}]")
    if len(value["metadata"]) > MAX_METADATA:
        raise invalid(f"Metadata may have at most {MAX_METADATA} keys.", param=param)


def assign(value: Object, ctx: Context, names: Iterable[str]) -> None:
    """Copy the parameters that were given; a cleared one becomes null."""
    for name in names:
        if name in ctx.params:
            value[name] = ctx.params[name]
