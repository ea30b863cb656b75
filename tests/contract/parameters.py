"""Derives `sandbox/parameters.json`, the table of allowed request parameters, from the SDK's annotations.

`python -m tests.contract.parameters --write` writes it; without `--write` it says whether it is up to date.
`sandbox/http/parameters.py` reads the table and describes the notation.
"""

import ast
import sys
from pathlib import Path
from typing import Any

import orjson

import sandbox
from tests.contract.operations import Operation, core_operations
from tests.contract.sdk_modules import ClassRef, Module, fields, parse_annotation, resolve

TABLE = Path(sandbox.__file__).parent / "parameters.json"

SCALARS = {
    "str": "string",
    "int": "int",
    "float": "number",
    "bool": "bool",
    "Decimal": "decimal",
    "Any": "any",
    "object": "any",
}
MAPS = {"Dict", "Mapping", "UntypedStripeObject"}
CLEAR = {"clear": True}  # stands for Literal[''] inside a union, until the union is simplified

Spec = Any  # a type in the table's notation: str, list of str, or dict


def table() -> dict[str, Spec]:
    """The parameters of every core operation, by operation name."""
    return {name: _of_operation(operation) for name, operation in core_operations().items()}


def render(specs: dict[str, Spec]) -> bytes:
    """One operation a line, in the order given, so that a new SDK shows as a readable difference."""
    lines = [orjson.dumps(name) + b":" + orjson.dumps(spec) for name, spec in specs.items()]
    return b"{\n" + b",\n".join(lines) + b"\n}\n"


def _of_operation(operation: Operation) -> Spec:
    if operation.params is None:
        return {"fields": {}}
    return _of_class(resolve(operation.params, operation.module, ""), ())


def _of_class(ref: ClassRef, above: tuple[str, ...]) -> Spec:
    if ref.key in above:
        return "any"
    found: dict[str, Spec] = {}
    for name, (annotation, owner) in sorted(fields(ref).items()):
        optional = _generic(annotation) == "NotRequired"
        if name != "expand":  # always allowed: the checker knows it
            found[name if optional else name + "!"] = _spec(annotation, owner.module, (*above, ref.key))
    return {"fields": found}


def _spec(annotation: ast.expr, inside: Module, above: tuple[str, ...]) -> Spec:
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        return _spec(parse_annotation(annotation.value), inside, above)
    if isinstance(annotation, ast.BinOp):
        return _union([_spec(side, inside, above) for side in (annotation.left, annotation.right)])
    if isinstance(annotation, ast.Name):
        if annotation.id in SCALARS:
            return SCALARS[annotation.id]
        return _of_class(resolve(annotation.id, inside, ""), above)
    if isinstance(annotation, ast.Subscript):
        return _generic_spec(annotation, inside, above)
    raise TypeError(f"{inside.name}: cannot read {ast.unparse(annotation)}")


def _generic_spec(annotation: ast.Subscript, inside: Module, above: tuple[str, ...]) -> Spec:
    kind = _generic(annotation)
    inner = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
    if kind == "Literal":
        values = [ast.literal_eval(element) for element in inner]
        return CLEAR if values == [""] else sorted(map(str, values))
    specs = [_spec(element, inside, above) for element in inner]
    if kind in {"NotRequired", "Optional"}:
        return specs[0]
    if kind == "Union":
        return _union(specs)
    if kind in {"List", "Sequence"}:
        return {"list": specs[0]}
    if kind in MAPS:
        return {"map": specs[-1]}
    raise TypeError(f"{inside.name}: cannot read {ast.unparse(annotation)}")


def _generic(annotation: ast.expr) -> str:
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name):
        return annotation.value.id
    return ""


def _union(specs: list[Spec]) -> Spec:
    flat: list[Spec] = []
    clearable = False
    for spec in specs:
        clearable = clearable or _is_clearable(spec)
        plain = _without_clear(spec)
        members = plain["any"] if isinstance(plain, dict) and "any" in plain else [plain]
        flat += [member for member in members if member and member not in flat]
    if any(isinstance(member, list) for member in flat):
        # Union[Literal[…], str] is the SDK's open enum: Stripe's API itself refuses values outside the list.
        flat = [member for member in flat if member != "string"]
    spec = flat[0] if len(flat) == 1 else {"any": flat}
    return _clearable(spec) if clearable else spec


def _is_clearable(spec: Spec) -> bool:
    if isinstance(spec, dict):
        return spec.get("clear") is True
    return spec.endswith("?") if isinstance(spec, str) else "" in spec


def _without_clear(spec: Spec) -> Spec:
    if isinstance(spec, dict):
        return {key: value for key, value in spec.items() if key != "clear"}
    return spec.removesuffix("?") if isinstance(spec, str) else [value for value in spec if value]


def _clearable(spec: Spec) -> Spec:
    if isinstance(spec, str):
        return spec + "?"
    if isinstance(spec, list):
        return ["", *spec]
    return {**spec, "clear": True}


def main(arguments: list[str]) -> int:
    """Write the table, or say whether the committed one equals the derivation."""
    derived = render(table())
    if "--write" in arguments:
        TABLE.write_bytes(derived)
        print(f"{TABLE.name}: {derived.count(b':{')} types, {len(derived):,} bytes")
        return 0
    same = TABLE.exists() and TABLE.read_bytes() == derived
    print(f"{TABLE.name} is up to date" if same else f"{TABLE.name} differs: run with --write")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
