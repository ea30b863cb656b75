"""What an operation costs: one point for each object in its answer, and more for each request to Stripe.

Before execution the cost is bounded from the document and its page sizes; afterwards it is counted in the answer. The
bound is computed in one pass: a fragment's cost is worked out once for each page size in which it is spread.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLNamedType, GraphQLSchema, get_named_type, is_leaf_type, is_list_type
from graphql.language import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    VariableNode,
)
from graphql.type import GraphQLNonNull, is_interface_type, is_object_type

from mirror.queries import MAX_PAGE

STRIPE_CALL = 10  # points for a request to Stripe
INTROSPECTION = 20
# How long a list without page arguments is taken to be; what it has more is charged afterwards, and all of them in one
# answer hold no more than an operation may cost (schema/context.py).
UNPAGED = 10
_MANY = 10**9


@dataclass(slots=True)
class Bound:
    """Computes the most that an operation may cost."""

    schema: GraphQLSchema
    document: DocumentNode
    variables: Mapping[str, Any]
    _known: dict[tuple[str, str, int], int] = field(default_factory=dict)
    fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    _defaults: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fragments = fragments_of(self.document)

    def of(self, operation: OperationDefinitionNode) -> int:
        """Points of the whole operation; an operation that asks for nothing costs one."""
        root = self.schema.get_root_type(operation.operation)
        if root is None:
            return 1
        self._defaults = {each.variable.name.value: each.default_value for each in operation.variable_definitions or ()}
        total = self._set(operation.selection_set, root, 0)
        if operation.operation is OperationType.MUTATION:
            total += STRIPE_CALL * fields_at_root(operation, self.fragments)
        return max(1, total)

    def _set(self, selections: SelectionSetNode | None, parent: GraphQLNamedType, page: int) -> int:
        total = 0
        for each in selections.selections if selections else ():
            if isinstance(each, FieldNode):
                total += self._field(each, parent, page)
            elif isinstance(each, InlineFragmentNode):
                narrowed = each.type_condition and self.schema.get_type(each.type_condition.name.value)
                total += self._set(each.selection_set, narrowed or parent, page)
            else:
                total += self._spread(each.name.value, page)  # type: ignore[attr-defined]  # a fragment spread
            total = min(total, _MANY)
        return total

    def _spread(self, name: str, page: int) -> int:
        fragment = self.fragments.get(name)
        if fragment is None:
            return 0  # validation says so
        type_ = self.schema.get_type(fragment.type_condition.name.value)
        if type_ is None:
            return 0
        key = (name, type_.name, page)
        if key not in self._known:
            self._known[key] = 0
            self._known[key] = self._set(fragment.selection_set, type_, page)
        return self._known[key]

    def _field(self, node: FieldNode, parent: GraphQLNamedType, page: int) -> int:
        name = node.name.value
        if name.startswith("__"):
            return 0 if name == "__typename" else INTROSPECTION
        known = parent.fields.get(name) if is_object_type(parent) or is_interface_type(parent) else None
        if known is None:
            return 0
        inner = get_named_type(known.type)
        if is_leaf_type(inner):
            return 0
        paged = "first" in known.args
        here = self._page(node) if paged else page
        below = 1 + self._set(node.selection_set, inner, here)
        return min(below * self._times(node, known.type, name, page), _MANY)

    def _times(self, node: FieldNode, type_: Any, name: str, page: int) -> int:
        if not is_list_type(type_.of_type if isinstance(type_, GraphQLNonNull) else type_):
            return 1
        for argument in node.arguments or ():
            if argument.name.value == "ids":
                return max(1, self._length(argument.value))
        return page if page and name in {"edges", "nodes"} else UNPAGED

    def _page(self, node: FieldNode) -> int:
        for argument in node.arguments or ():
            if argument.name.value in {"first", "last"}:
                value: Any = argument.value
                if isinstance(value, IntValueNode) and len(value.value) < 6:
                    return min(max(int(value.value), 1), MAX_PAGE)
                if isinstance(value, VariableNode):
                    given = self.variables.get(value.name.value)
                    return min(max(given, 1), MAX_PAGE) if isinstance(given, int) else MAX_PAGE
        return MAX_PAGE

    def _length(self, value: Any) -> int:
        if isinstance(value, ListValueNode):
            return len(value.values)
        if not isinstance(value, VariableNode):
            return 1
        name = value.name.value
        if name not in self.variables:
            default = self._defaults.get(name)
            return len(default.values) if isinstance(default, ListValueNode) else 1
        given = self.variables[name]
        return min(len(given), MAX_PAGE) if isinstance(given, list) else 1


def fields_at_root(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> int:
    """How many fields the operation has at its root, those of fragments counted at each place."""
    counted, waiting = 0, [operation.selection_set]
    while waiting and counted < _MANY:
        for each in waiting.pop().selections:
            if isinstance(each, FieldNode):
                counted += 1
            elif isinstance(each, InlineFragmentNode):
                waiting.append(each.selection_set)
            elif each.name.value in fragments:  # type: ignore[attr-defined]  # a fragment spread
                waiting.append(fragments[each.name.value].selection_set)  # type: ignore[attr-defined]
    return counted


# How long the lists of the schema about itself are taken to be.
_ABOUT_ITSELF = {"types": 80, "fields": 12, "args": 3, "inputFields": 8, "enumValues": 8, "possibleTypes": 3}


def introspection_weight(bound: Bound, operation: OperationDefinitionNode) -> int:
    """How much an operation asks of the schema about itself: the customary question has about 100,000."""
    return _weight(bound, operation.selection_set, {})


def _weight(bound: Bound, selections: SelectionSetNode | None, known: dict[str, int]) -> int:
    total = 0
    for each in selections.selections if selections else ():
        if isinstance(each, FieldNode):
            if each.selection_set is not None and (each.name.value in {"__schema", "__type"} or known.get("") == 1):
                inside = _weight(bound, each.selection_set, known | {"": 1})
                total += _ABOUT_ITSELF.get(each.name.value, 1) * (1 + inside)
            elif known.get("") == 1:
                total += 1
        elif isinstance(each, InlineFragmentNode):
            total += _weight(bound, each.selection_set, known)
        else:
            fragment = bound.fragments.get(each.name.value)  # type: ignore[attr-defined]  # a fragment spread
            total += _weight(bound, fragment.selection_set if fragment else None, known)
        if total > _MANY:
            return _MANY
    return total


def fragments_of(node: DocumentNode | None) -> dict[str, FragmentDefinitionNode]:
    """The fragments of a document by their names."""
    found = (each for each in (node.definitions if node else ()) if isinstance(each, FragmentDefinitionNode))
    return {each.name.value: each for each in found}


def objects_in(data: Any) -> int:
    """How many objects an answer holds, without the one around it all."""
    counted, waiting = -1 if isinstance(data, dict) else 0, [data]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            counted += 1
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return max(0, counted)
