"""Derives the JSON Schema of an answer from the SDK's annotations: the oracle for what the sandbox sends.

The annotations cannot say "may be null" and "may be absent" apart, so `always_present.json` adds the keys
that real Stripe always sends. Open enums (`Union[Literal[…], str]`) take any string.
"""

import ast
from typing import Any

from tests.contract.operations import Operation
from tests.contract.sdk_modules import ClassRef, Module, fields, module, parse_annotation, resolve

Schema = dict[str, Any]

SCALARS: dict[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "bool": {"type": "boolean"},
    "Decimal": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"},
    "Any": {},
    "object": {},
    "StripeObject": {"type": "object"},
    "UntypedStripeObject": {"type": "object"},
}
NULL: Schema = {"type": "null"}

# What real Stripe sends though the SDK does not name it, seen in recorded traffic.
UNDOCUMENTED: dict[str, dict[str, Schema]] = {
    "Charge": {"destination": {"type": ["string", "null"]}, "dispute": {}, "order": {}},
    "Subscription": {"plan": {}, "quantity": {"type": ["integer", "null"]}},
}


class Definitions:
    """Collects the schemas of the classes that answers reach; `root` wraps one with all of them."""

    def __init__(self) -> None:
        self.defs: dict[str, Schema] = {}

    def answer(self, operation: Operation) -> Schema:
        """The schema of the 2xx body of an operation."""
        return self._schema(parse_annotation(operation.returns), operation.module, operation.service)

    def object(self, module_name: str, class_name: str) -> Schema:
        """The schema of one object class, such as `stripe._customer`, `Customer`."""
        return self._of_class(resolve(class_name, module(module_name), ""))

    def root(self, schema: Schema) -> Schema:
        """A schema that stands alone."""
        return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "$defs": self.defs}

    def _schema(self, annotation: ast.expr, inside: Module, scope: str) -> Schema:
        if isinstance(annotation, ast.Constant) and annotation.value is None:
            return NULL
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
            return self._schema(parse_annotation(annotation.value), inside, scope)
        if isinstance(annotation, ast.BinOp):
            return _union([self._schema(side, inside, scope) for side in (annotation.left, annotation.right)])
        if isinstance(annotation, ast.Name):
            if annotation.id in SCALARS:
                return SCALARS[annotation.id]
            return self._of_class(resolve(annotation.id, inside, scope))
        if isinstance(annotation, ast.Subscript):
            return self._generic(annotation, inside, scope)
        raise TypeError(f"{inside.name}: cannot read {ast.unparse(annotation)}")

    def _generic(self, annotation: ast.Subscript, inside: Module, scope: str) -> Schema:
        kind = ast.unparse(annotation.value).rpartition(".")[2]
        inner = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        if kind == "Literal":
            return {"enum": [ast.literal_eval(element) for element in inner]}
        schemas = [self._schema(element, inside, scope) for element in inner]
        if kind == "Optional":
            return _union([*schemas, NULL])
        if kind == "Union":
            return _union(schemas)
        if kind == "ExpandableField":
            return _union([SCALARS["str"], *schemas])
        if kind in {"List", "Sequence"}:
            return {"type": "array", "items": schemas[0]}
        if kind in {"Dict", "Mapping", "UntypedStripeObject"}:
            return {"type": "object", "additionalProperties": schemas[-1]}
        if kind in {"ListObject", "SearchResultObject"}:
            return _page(kind, schemas[0])
        raise TypeError(f"{inside.name}: cannot read {ast.unparse(annotation)}")

    def _of_class(self, ref: ClassRef) -> Schema:
        if ref.key not in self.defs:
            self.defs[ref.key] = {}  # a class may reach itself
            self.defs[ref.key] = self._object(ref)
        return {"$ref": f"#/$defs/{ref.key}"}

    def _object(self, ref: ClassRef) -> Schema:
        properties: dict[str, Schema] = {}
        required: list[str] = []
        for name, (annotation, owner) in fields(ref).items():
            properties[name] = self._schema(annotation, owner.module, owner.name)
            if not ast.unparse(annotation).startswith("Optional["):
                required.append(name)
        properties |= UNDOCUMENTED.get(ref.name, {})
        schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
        if required:
            schema["required"] = sorted(required)
        if "deleted" not in properties or "id" not in properties:
            return schema
        # An object is either whole, or the stub that a deletion leaves: {"id", "object", "deleted": true}.
        del properties["deleted"]
        schema["required"] = sorted(set(required) - {"deleted"})
        stub = {"type": "object", "required": ["id", "object", "deleted"]}
        return {"if": {"type": "object", "required": ["deleted"]}, "then": stub, "else": schema}


def _union(schemas: list[Schema]) -> Schema:
    members: list[Schema] = []
    for schema in schemas:
        members += schema["anyOf"] if set(schema) == {"anyOf"} else [schema]
    return {"anyOf": members}


def _page(kind: str, item: Schema) -> Schema:
    is_list = kind == "ListObject"
    properties: dict[str, Schema] = {
        "object": {"const": "list" if is_list else "search_result"},
        "data": {"type": "array", "items": item},
        "has_more": {"type": "boolean"},
        "url": {"type": "string"},
        "total_count": {"type": "integer"},
    }
    if not is_list:
        properties["next_page"] = {"type": ["string", "null"]}
    required = ["data", "has_more", "object", "url"]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
