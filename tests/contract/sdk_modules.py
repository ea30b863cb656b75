"""Reads the installed Stripe SDK as source, so that its annotations can become schemas unimported."""

import ast
import functools
import importlib.util
from dataclasses import dataclass, field
from pathlib import Path


def sdk_folder() -> Path:
    """The folder of the installed `stripe` package."""
    spec = importlib.util.find_spec("stripe")
    if spec is None or spec.origin is None:
        raise RuntimeError("the stripe package is not installed")
    return Path(spec.origin).parent


@functools.cache
def api_version() -> str:
    """The API version that this SDK pins, such as `2026-10-28.endive`."""
    for node in ast.walk(module("stripe._api_version").tree):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "CURRENT":
            return str(ast.literal_eval(node.value))
    raise RuntimeError("stripe._api_version names no CURRENT version")


@dataclass(frozen=True)
class Module:
    """One SDK module: its classes by dotted name, and where its imported names come from."""

    name: str
    tree: ast.Module
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)


@dataclass(frozen=True)
class ClassRef:
    """A class of the SDK: the module that defines it and its dotted name there."""

    module: Module
    name: str

    @property
    def node(self) -> ast.ClassDef:
        return self.module.classes[self.name]

    @property
    def key(self) -> str:
        return f"{self.module.name}.{self.name}"


@functools.cache
def module(name: str) -> Module:
    """Parse the SDK module of that dotted name (once)."""
    path = sdk_folder().parent.joinpath(*name.split("."))
    file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    found = Module(name, ast.parse(file.read_text(encoding="utf-8")))
    for node in ast.walk(found.tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for alias in node.names:
                found.imports[alias.asname or alias.name] = (node.module, alias.name)
    _collect_classes(found, found.tree.body, "")
    return found


def _collect_classes(found: Module, body: list[ast.stmt], prefix: str) -> None:
    for node in body:
        if isinstance(node, ast.ClassDef):
            found.classes[prefix + node.name] = node
            _collect_classes(found, node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.If):
            _collect_classes(found, node.body, prefix)


def resolve(name: str, inside: Module, scope: str) -> ClassRef:
    """Find the class that `name` means at `scope` (a dotted class name, or '') of a module."""
    while True:
        dotted = f"{scope}.{name}" if scope else name
        if dotted in inside.classes:
            return ClassRef(inside, dotted)
        if not scope:
            break
        scope = scope.rpartition(".")[0]
    if name in inside.imports:
        source, original = inside.imports[name]
        if source.startswith("stripe"):
            return resolve(original, module(source), "")
    raise LookupError(f"{inside.name} does not define {name}")


def fields(ref: ClassRef) -> dict[str, tuple[ast.expr, ClassRef]]:
    """Annotated fields of a class and of its bases, each with the class in whose scope it is written."""
    found: dict[str, tuple[ast.expr, ClassRef]] = {}
    for base in ref.node.bases:
        if isinstance(base, ast.Name) and _is_params_base(base.id, ref):
            found.update(fields(resolve(base.id, ref.module, "")))
    for node in ref.node.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        name = node.target.id
        is_class_var = isinstance(node.annotation, ast.Subscript) and "ClassVar" in ast.dump(node.annotation.value)
        if not name.startswith("_") and name != "OBJECT_NAME" and not is_class_var:
            found[name] = (node.annotation, ref)
    return found


def _is_params_base(name: str, ref: ClassRef) -> bool:
    """A base in the same module, or another parameter class; not StripeObject or RequestOptions."""
    if name == ref.name:
        return False
    return name in ref.module.classes or ref.module.imports.get(name, ("", ""))[0].startswith("stripe.params")


def parse_annotation(source: str) -> ast.expr:
    """Parse an annotation written as a string."""
    return ast.parse(source, mode="eval").body
