"""Judges a GraphQL document before anything else looks at it: one pass over its nodes, each fragment once.

The stock limiters walk a fragment as often as it is spread, which is the attack itself: 945 bytes keep one of them busy
for half a minute. Here a fragment's figures are computed once and added wherever it is spread.
"""

from collections import Counter, OrderedDict
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakSet

from graphql import GraphQLSchema, GraphQLSyntaxError, parse
from graphql.language import (
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    ListValueNode,
    Node,
    ObjectValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
)

_MANY = 10**6  # figures stop growing here: a document can spread more fields than a number may hold
_NESTED = "The document is nested too deeply to be read."
_LONGEST_NUMBER = 40
_DEEPEST_VALUE = 12
_NUL = "A text holds a NUL."  # PostgreSQL takes none, and nobody means one


class DocumentRefusedError(Exception):
    """The document is beyond a limit, or can't be one; nothing of it was executed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """Most of each in one document; what fragments spread counts at each place."""

    size: int = 65_536
    tokens: int = 4_000
    depth: int = 16
    aliases: int = 60
    root_fields: int = 30
    fields: int = 1_000
    directives: int = 40
    fragments: int = 60
    spreads: int = 25
    comparisons: int = 10_000


@dataclass(frozen=True, slots=True)
class Document:
    """A document within the limits."""

    node: DocumentNode
    operations: tuple[str | None, ...]
    valid_for: "WeakSet[GraphQLSchema]" = field(default_factory=WeakSet)
    """The schemas that have found it valid: they need not look again."""


@dataclass(slots=True)
class _Figures:
    depth: int = 0
    fields: int = 0
    aliases: int = 0
    directives: int = 0
    root: int = 0

    def add(self, other: "_Figures") -> None:
        self.depth = max(self.depth, other.depth)
        self.fields = min(self.fields + other.fields, _MANY)
        self.aliases = min(self.aliases + other.aliases, _MANY)
        self.directives = min(self.directives + other.directives, _MANY)
        self.root = min(self.root + other.root, _MANY)


@dataclass(slots=True)
class Documents:
    """Parses and judges, and remembers the latest documents that were good: clients send few different ones.

    `kept` bounds the characters of what is remembered; once parsed each takes up to 120 bytes. `most` bounds the
    documents: the smallest of six characters takes 3 KB.
    """

    limits: DocumentLimits = field(default_factory=DocumentLimits)
    kept: int = 500_000
    most: int = 2_000
    _good: "OrderedDict[str, Document]" = field(default_factory=OrderedDict)
    _size: int = 0

    def unread(self, query: str) -> int:
        """How many characters are to be read; none of a document that is known, or that is refused for its size."""
        return 0 if query in self._good or len(query) > self.limits.size else len(query)

    def read(self, query: str) -> Document:
        """Raises DocumentRefusedError, or GraphQLSyntaxError for what is no document."""
        found = self._good.get(query)
        if found is None:
            found = _read(query, self.limits)
            self._good[query] = found
            self._size += len(query)
            while self._size > self.kept or len(self._good) > self.most:
                self._size -= len(self._good.popitem(last=False)[0])
        else:
            self._good.move_to_end(query)
        return found


def _read(query: str, limits: DocumentLimits) -> Document:
    if len(query.encode("utf-8", "surrogatepass")) > limits.size:
        raise DocumentRefusedError("QUERY_TOO_LARGE", f"The document is larger than {limits.size} bytes.")
    try:
        node = parse(query, max_tokens=limits.tokens)
    except RecursionError:
        raise DocumentRefusedError("QUERY_TOO_DEEP", _NESTED) from None
    except GraphQLSyntaxError as error:
        if "nested too deeply" in error.message:
            raise DocumentRefusedError("QUERY_TOO_DEEP", _NESTED) from None
        if "tokens. Parsing aborted" in error.message:
            raise DocumentRefusedError(
                "QUERY_TOO_LARGE", f"The document has more than {limits.tokens} tokens."
            ) from None
        raise
    judge = _Judge(node, limits)
    operations = [each for each in node.definitions if isinstance(each, OperationDefinitionNode)]
    judge.judge(operations)
    return Document(node, tuple(each.name.value if each.name else None for each in operations))


class _Judge:
    """Computes the figures of one document; each selection set is walked once."""

    def __init__(self, node: DocumentNode, limits: DocumentLimits) -> None:
        self._limits = limits
        self._fragments = {
            each.name.value: each for each in node.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._known: dict[str, _Figures] = {}
        self._open: set[str] = set()
        self._spreads = 0
        self._definitions = node.definitions

    def judge(self, operations: list[OperationDefinitionNode]) -> None:
        limits = self._limits
        if len(self._definitions) > limits.fragments:
            raise DocumentRefusedError(
                "QUERY_TOO_COMPLEX", f"The document has more than {limits.fragments} operations and fragments."
            )
        for name in self._fragments:
            self._fragment(name)
        for operation in operations:
            figures = self._set(operation.selection_set)
            self._directives(operation.directives, figures)
            for variable in operation.variable_definitions or ():
                self._value(variable.default_value)
            found = (
                ("QUERY_TOO_DEEP", "levels of fields", figures.depth, limits.depth),
                ("TOO_MANY_ALIASES", "aliases", figures.aliases, limits.aliases),
                ("TOO_MANY_ROOT_FIELDS", "fields at the root", figures.root, limits.root_fields),
                ("TOO_MANY_DIRECTIVES", "directives", figures.directives, limits.directives),
                ("QUERY_TOO_COMPLEX", "fields", figures.fields, limits.fields),
            )
            for code, what, counted, most in found:
                if counted > most:
                    raise DocumentRefusedError(code, f"The operation has more than {most} {what}.")
            if self._comparisons(operation.selection_set) > limits.comparisons:
                raise DocumentRefusedError("QUERY_TOO_COMPLEX", "The operation asks for the same fields too often.")

    def _comparisons(self, root: SelectionSetNode) -> int:
        """How many pairs of fields validation compares, to tell whether those of one path agree.

        The operation has few fields by now, those of fragments counted wherever they are spread, so it is walked whole.
        """
        paths: Counter[tuple[int, str]] = Counter()
        numbers: dict[tuple[int, str], int] = {}
        waiting: list[tuple[SelectionSetNode | None, int]] = [(root, 0)]
        while waiting:
            selections, place = waiting.pop()
            for each in selections.selections if selections else ():
                if isinstance(each, FieldNode):
                    path = (place, each.alias.value if each.alias else each.name.value)
                    paths[path] += 1
                    waiting.append((each.selection_set, numbers.setdefault(path, len(numbers) + 1)))
                elif isinstance(each, InlineFragmentNode):
                    waiting.append((each.selection_set, place))
                elif isinstance(each, FragmentSpreadNode) and each.name.value in self._fragments:
                    waiting.append((self._fragments[each.name.value].selection_set, place))
        return sum(count * (count - 1) // 2 for count in paths.values())

    def _fragment(self, name: str) -> _Figures:
        if name in self._known:
            return self._known[name]
        if name in self._open:
            raise DocumentRefusedError("QUERY_CYCLIC", f"The fragment {name} spreads itself.")
        fragment = self._fragments.get(name)
        if fragment is None:
            return _Figures()  # validation says so
        self._open.add(name)
        figures = self._set(fragment.selection_set)
        self._directives(fragment.directives, figures)
        self._open.discard(name)
        self._known[name] = figures
        return figures

    def _set(self, selections: SelectionSetNode | None) -> _Figures:
        """Figures of a selection set; `root` counts its own fields, those of fragments in it included."""
        total = _Figures()
        spreads = 0
        for each in selections.selections if selections else ():
            if isinstance(each, FieldNode):
                inner = self._set(each.selection_set)
                figures = _Figures(inner.depth + 1, inner.fields + 1, inner.aliases, inner.directives, 1)
                figures.aliases += each.alias is not None
                for argument in each.arguments or ():
                    self._value(argument.value)
            else:
                spreads += 1
                figures = self._spread(each)
            self._directives(each.directives, figures)
            total.add(figures)
        if spreads > self._limits.spreads:
            raise DocumentRefusedError(
                "QUERY_TOO_COMPLEX", f"One place spreads more than {self._limits.spreads} fragments."
            )
        return total

    def _spread(self, node: Node) -> _Figures:
        self._spreads += 1
        if self._spreads > 2 * self._limits.fragments:
            raise DocumentRefusedError(
                "QUERY_TOO_COMPLEX", f"The document spreads more than {2 * self._limits.fragments} fragments."
            )
        if isinstance(node, InlineFragmentNode):
            inner = self._set(node.selection_set)
        else:
            assert isinstance(node, FragmentSpreadNode)
            inner = self._fragment(node.name.value)
        # a spread counts like a field: fragments may spread each other a million times and hold no field at all
        return replace(inner, fields=min(inner.fields + 1, _MANY))

    def _directives(self, directives: tuple[DirectiveNode, ...] | Any, figures: _Figures) -> None:
        for directive in directives or ():
            figures.directives += 1
            for argument in directive.arguments or ():
                self._value(argument.value)

    def _value(self, value: ValueNode | None) -> None:
        """Literals: lists in lists and endless numbers are nobody's honest input."""
        waiting: list[tuple[Any, int]] = [(value, 1)] if value else []
        while waiting:
            node, depth = waiting.pop()
            if depth > _DEEPEST_VALUE:
                raise DocumentRefusedError("QUERY_TOO_DEEP", f"A value is nested more than {_DEEPEST_VALUE} deep.")
            if isinstance(node, ListValueNode):
                waiting += [(each, depth + 1) for each in node.values]
            elif isinstance(node, ObjectValueNode):
                waiting += [(each.value, depth + 1) for each in node.fields]
            elif node.kind == "string_value" and "\0" in node.value:
                raise DocumentRefusedError("BAD_USER_INPUT", _NUL)
            elif node.kind in {"int_value", "float_value"} and len(node.value) > _LONGEST_NUMBER:
                raise DocumentRefusedError("BAD_USER_INPUT", f"A number has more than {_LONGEST_NUMBER} digits.")


def check_variables(variables: Any, *, deepest: int = _DEEPEST_VALUE, most: int = 10_000) -> None:
    """Refuse variables that are nested too deeply, have too many parts, or hold what no database keeps."""
    waiting: list[tuple[Any, int]] = [(variables, 0)]
    count = 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        if depth > deepest:
            raise DocumentRefusedError("VARIABLES_TOO_LARGE", f"The variables are nested more than {deepest} deep.")
        if count > most:
            raise DocumentRefusedError("VARIABLES_TOO_LARGE", f"The variables have more than {most} parts.")
        if isinstance(value, dict):
            waiting += [(each, depth + 1) for each in value.values()]
        elif isinstance(value, list):
            waiting += [(each, depth + 1) for each in value]
        elif isinstance(value, str) and "\0" in value:
            raise DocumentRefusedError("BAD_USER_INPUT", _NUL)
