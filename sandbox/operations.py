"""The table of operations: a resource registers a function for a method and a path."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sandbox.context import Context
from sandbox.store import Object

Run = Callable[[Context], Object]


@dataclass(frozen=True, slots=True)
class Operation:
    """`name` is "POST /v1/customers/{customer}", as in parameters.json; `takes` None takes every parameter."""

    name: str
    method: str
    segments: tuple[str, ...]
    run: Run
    takes: frozenset[str] | None = None


_static: dict[tuple[str, str], Operation] = {}
_patterns: dict[tuple[str, int], list[Operation]] = {}


def operation(method: str, path: str, takes: Iterable[str] | None = None) -> Callable[[Run], Run]:
    """Registers the function; it gets the checked parameters and answers with an object or a list.

    `takes` names the parameters that have an effect here: a request with another one is answered with 501.
    """
    taken = None if takes is None else frozenset(takes) | {"expand"}

    def register(run: Run) -> Run:
        made = Operation(f"{method} {path}", method, tuple(path.split("/")), run, taken)
        if "{" in path:
            _patterns.setdefault((method, len(made.segments)), []).append(made)
        else:
            _static[method, path] = made
        return run

    return register


def find(method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
    """The operation of a request and the values in its path; fixed words win over placeholders."""
    exact = _static.get((method, path))
    if exact is not None:
        return exact, {}
    segments = path.split("/")
    for candidate in _patterns.get((method, len(segments)), ()):
        values = {}
        for wanted, given in zip(candidate.segments, segments, strict=True):
            if wanted[:1] == "{" and given:
                values[wanted[1:-1]] = given
            elif wanted != given:
                break
        else:
            return candidate, values
    return None


def registered() -> dict[str, Operation]:
    """Every operation that is here, by its name."""
    found = [*_static.values(), *(one for some in _patterns.values() for one in some)]
    return {one.name: one for one in found}
