"""GraphQL documents made from the schema itself, so that a new field is asked for without anybody's doing."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

from gateway.graphql import build
from gateway.signatures import Signature
from gateway.signatures import build as signed
from tenants.context import ROLE_SCOPES, Feature, Role

SCHEMA: GraphQLSchema = build_schema(build().as_str())
_PAGE = "(first: 5)"
Covered = set[tuple[str, str]]


def roots() -> Mapping[str, GraphQLField]:
    """The fields of Query."""
    assert SCHEMA.query_type is not None
    fields: Mapping[str, GraphQLField] = SCHEMA.query_type.fields
    return fields


def targets(field: GraphQLField) -> list[GraphQLObjectType]:
    """The object types that a field may answer."""
    type_ = get_named_type(field.type)
    if isinstance(type_, GraphQLInterfaceType):
        return sorted(SCHEMA.get_possible_types(type_), key=lambda one: one.name)
    assert isinstance(type_, GraphQLObjectType)
    return [type_]


def selection(type_: GraphQLNamedType, depth: int) -> str:
    """Every field of an object, and of the objects in it, down to `depth` objects one within the other."""
    assert isinstance(type_, GraphQLObjectType), type_
    parts = ["__typename"]
    for name, field in type_.fields.items():
        inner = get_named_type(field.type)
        if is_leaf_type(inner):
            parts.append(name)
        elif depth > 1 or _is_value(inner):
            parts.append(f"{name}{_page(field)} {selection(inner, depth - 1)}")
    return f"{{ {' '.join(parts)} }}"


def document(root: str, target: GraphQLObjectType, arguments: Mapping[str, Any] | None = None, depth: int = 4) -> str:
    """A query of one root field for one type that it may answer; without arguments its first page."""
    field = roots()[root]
    given = _arguments(arguments) if arguments else _page(field)
    asked = selection(target, depth)
    if isinstance(get_named_type(field.type), GraphQLInterfaceType):
        asked = f"{{ __typename ... on {target.name} {asked} }}"
    return f"{{ __typename {root}{given} {asked} }}"


def payload(type_: GraphQLNamedType) -> str:
    """What a mutation answers: all of its own fields, and of an object in it no more than that it is there."""
    assert isinstance(type_, GraphQLObjectType), type_
    objects = {"errors": "errors { code field message }"}
    parts = [
        name if is_leaf_type(get_named_type(field.type)) else objects.get(name, f"{name} {{ __typename }}")
        for name, field in type_.fields.items()
    ]
    return f"{{ {' '.join(parts)} }}"


def visible(role: Role) -> set[str]:
    """The roots that a role's schema has, in a tenant with every feature."""
    schema = signed(Signature(role, ROLE_SCOPES[role], frozenset(Feature))).core
    assert schema.query_type is not None
    return set(schema.query_type.fields)


def reads(ids: Mapping[str, str], depth: int = 4, *, role: Role = Role.ADMIN) -> Iterator[str]:
    """Documents that together hold every read of a role; `ids` has an object of each type with an id."""
    for root, field in roots().items():
        if root not in visible(role):
            continue
        for target in targets(field):
            arguments: dict[str, Any] = {}
            if "id" in field.args:
                arguments = {"id": ids[target.name]}
            elif "ids" in field.args:
                arguments = {"ids": [ids[target.name]]}
            yield document(root, target, arguments, depth)


def reachable() -> Covered:
    """Every field, with its type's name, that a query can come to."""
    assert SCHEMA.query_type is not None
    found: Covered = set()
    waiting, seen = [SCHEMA.query_type], {SCHEMA.query_type.name}
    while waiting:
        type_ = waiting.pop()
        for name, field in type_.fields.items():
            found.add((type_.name, name))
            inner = [] if is_leaf_type(get_named_type(field.type)) else targets(field)
            waiting += [one for one in inner if one.name not in seen]
            seen |= {one.name for one in inner}
    return found


def answered(data: Any) -> Covered:
    """Every field, with its type's name, that an answer holds."""
    if isinstance(data, list):
        return set().union(*(answered(one) for one in data))
    if not isinstance(data, dict):
        return set()
    own = {(data["__typename"], name) for name in data if name != "__typename"}
    return own.union(*(answered(value) for value in data.values()))


def _is_value(type_: GraphQLNamedType) -> bool:
    """Money, a page's place and the like: objects without objects in them, asked for at any depth."""
    fields = type_.fields.values() if isinstance(type_, GraphQLObjectType) else ()
    return all(
        is_leaf_type(get_named_type(field.type)) and not any(map(is_required_argument, field.args.values()))
        for field in fields
    )


def _page(field: GraphQLField) -> str:
    needed = [name for name, argument in field.args.items() if is_required_argument(argument)]
    assert not needed, f"a new argument needs a value here: {needed}"
    return _PAGE if "first" in field.args else ""


def _arguments(given: Mapping[str, Any]) -> str:
    return f"({', '.join(f'{name}: {_literal(value)}' for name, value in given.items())})"


def _literal(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name}: {_literal(one)}' for name, one in value.items())}}}"
    return json.dumps(value)
