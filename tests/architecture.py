"""Reads the imports, files and functions of the tree: what the architecture test judges, and the figures it prints."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent

LEVELS: Mapping[str, int] = {
    "observability": 0,
    "storage": 0,
    "sandbox": 0,
    "tenants": 1,
    "mirror": 2,
    "notifications": 2,
    "billing": 3,
    "schema": 4,
    "webhooks": 4,
    "resolvers": 5,
    "pages": 5,
    "compliance": 5,
    "gateway": 6,
    "bench": 7,
    "examples": 7,
}


@dataclass(frozen=True, slots=True)
class Module:
    """One Python file of a room: `imports` are the dotted names of our own modules that it imports."""

    name: str
    path: Path
    lines: int
    imports: frozenset[str]
    functions: tuple[tuple[str, int], ...]

    @property
    def room(self) -> str:
        return self.name.partition(".")[0]


def modules() -> list[Module]:
    """Every file of every room."""
    paths = [
        path for room in LEVELS for path in sorted((ROOT / room).rglob("*.py")) if "node_modules" not in path.parts
    ]
    names = {_name(path) for path in paths}
    return [_read(path, names) for path in paths]


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(path: Path, names: set[str]) -> Module:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    functions = tuple(
        (f"{_name(path)}.{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return Module(_name(path), path, len(text.splitlines()), frozenset(_imports(tree, names)), functions)


def _imports(tree: ast.AST, names: set[str]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in LEVELS)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] in LEVELS:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in names else node.module


def upward_imports(found: list[Module]) -> list[str]:
    """Imports from a lower room to a higher one, or between two rooms of one level."""
    return [
        f"{module.name} imports {target}"
        for module in found
        for target in sorted(module.imports)
        if (room := target.partition(".")[0]) != module.room and LEVELS[room] >= LEVELS[module.room]
    ]


def circles(found: list[Module]) -> list[list[str]]:
    """Groups of files that import one another, by Tarjan's algorithm."""
    graph = {module.name: sorted(module.imports) for module in found}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph.get(node, ()):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            group = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(group) > 1 or node in graph.get(node, ()):
                groups.append(sorted(group))

    for name in graph:
        if name not in index:
            visit(name)
    return groups


def figures(found: list[Module]) -> str:
    """Median and longest file, longest function, circles: one paragraph for people."""
    longest = max(found, key=lambda module: module.lines)
    function, length = max((f for module in found for f in module.functions), key=lambda f: f[1])
    sizes = [module.lines for module in found if module.functions]
    return (
        f"files: {len(found)}, median {median(sizes):.0f} lines; longest {longest.name} ({longest.lines}); "
        f"longest function {function} ({length}); import circles: {len(circles(found))}"
    )
