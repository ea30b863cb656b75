"""Says which operations and parameters of Stripe's are here: sandbox/COVERAGE.md is written by this from the code."""

from collections import Counter

from sandbox import resources
from sandbox.http.parameters import names_of
from sandbox.operations import Operation, registered

_HEAD = """# What the sandbox covers

Written by `python -m sandbox coverage > sandbox/COVERAGE.md`, from the code. Each operation of the core set at the
pinned version is listed. One that is not here answers 501, as does a parameter without effect: nothing is ignored.
An unknown parameter answers 400.

"""


_NAMESPACES = {"billing", "billing_portal", "checkout", "test_helpers"}


def page() -> str:
    """The page as Markdown."""
    resources.load()
    here = registered()
    groups: dict[str, list[str]] = {}
    counts: Counter[bool] = Counter()
    for name in sorted(names_of(), key=lambda one: (one.partition(" ")[2], one)):
        counts[name in here] += 1
        groups.setdefault(_group(name), []).append(_row(name, here.get(name)))
    parts = [f"{_HEAD}{counts[True]} of {counts.total()} operations.\n"]
    for group in sorted(groups):
        rows = "\n".join(groups[group])
        parts.append(f"## {group}\n\n| operation | here | parameters that answer 501 |\n| --- | --- | --- |\n{rows}\n")
    return "\n".join(parts)


def _group(name: str) -> str:
    segments = name.partition(" ")[2].split("/")[2:]
    return "/".join(segments[:2]) if segments[0] in _NAMESPACES else segments[0]


def _row(name: str, operation: Operation | None) -> str:
    if operation is None:
        return f"| `{name}` | no | |"
    left = [] if operation.takes is None else sorted(names_of()[name] - operation.takes)
    return f"| `{name}` | yes | {', '.join(f'`{one}`' for one in left)} |"
