"""The schema is the one that is checked in, every part of it is described, and GraphiQL's examples fit it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
    coerce_input_value,
    parse,
    validate,
)
from graphql.language import OperationDefinitionNode
from graphql.utilities import type_from_ast

from gateway import graphql
from gateway.examples import EXAMPLES
from pages.graphiql import Example
from schema.words import WORDS

CHECKED_IN = (Path(__file__).parents[2] / "schema" / "schema.graphql").read_text(encoding="utf-8")
SCHEMA: GraphQLSchema = build_schema(CHECKED_IN)


def test_the_schema_that_is_checked_in_is_the_one_that_is_served() -> None:
    assert graphql.build().as_str() == CHECKED_IN.rstrip("\n")


def _undescribed(schema: GraphQLSchema) -> Iterator[str]:
    for name, type_ in schema.type_map.items():
        if name.startswith("__") or name in {"String", "Int", "Float", "Boolean", "ID"}:
            continue
        if not type_.description:
            yield name
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType):
            for field_name, field in type_.fields.items():
                if not field.description:
                    yield f"{name}.{field_name}"
                yield from (f"{name}.{field_name}({arg})" for arg, a in field.args.items() if not a.description)
        elif isinstance(type_, GraphQLEnumType):
            yield from (f"{name}.{word}" for word, value in type_.values.items() if not value.description)
        elif isinstance(type_, GraphQLInputObjectType):
            yield from (f"{name}.{field_name}" for field_name, f in type_.fields.items() if not f.description)


def test_every_type_field_argument_and_input_is_described() -> None:
    assert list(_undescribed(SCHEMA)) == []


def test_the_check_for_descriptions_sees_what_is_missing() -> None:
    bare = build_schema("type Query { a(b: Int): C } enum C { D } input E { f: Int }")
    assert set(_undescribed(bare)) == {"Query", "Query.a", "Query.a(b)", "C", "C.D", "E", "E.f"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_each_example_of_graphiql_is_valid_with_its_variables(example: Example) -> None:
    document = parse(example.query)
    assert validate(SCHEMA, document) == []
    (operation,) = (node for node in document.definitions if isinstance(node, OperationDefinitionNode))
    declared = {node.variable.name.value: node.type for node in operation.variable_definitions or ()}
    assert set(declared) == set(example.variables)
    for name, node in declared.items():
        coerce_input_value(example.variables[name], type_from_ast(SCHEMA, node))  # type: ignore[arg-type]


def test_enums_of_stripes_words_have_room_for_new_ones() -> None:
    open_enums = {"SubscriptionStatus", "InvoiceStatus", "PaymentStatus", "Interval", "CheckoutStatus"}
    open_enums |= {"CheckoutPaymentStatus", "CollectionMethod"}
    for name in open_enums:
        enum = SCHEMA.type_map[name]
        assert isinstance(enum, GraphQLEnumType)
        assert "OTHER" in enum.values, name


def test_no_word_is_explained_that_is_not_there() -> None:
    for name, words in WORDS.items():
        enum = SCHEMA.type_map[name]
        assert isinstance(enum, GraphQLEnumType)
        assert set(words) <= set(enum.values), name


def test_every_mutation_takes_one_input_and_answers_a_payload_with_errors() -> None:
    assert SCHEMA.mutation_type is not None
    for name, field in SCHEMA.mutation_type.fields.items():
        assert list(field.args) == ["input"], name
        assert str(field.type).endswith("Payload!"), name
