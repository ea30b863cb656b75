"""Hostile documents are refused before anything works on them, in time that grows with their size alone."""

import pytest
from graphql import GraphQLSyntaxError, get_introspection_query, validate

from gateway.document_limits import DocumentRefusedError, Documents, check_variables
from tests.support.documents import SCHEMA


def _refusal(query: str) -> str | None:
    try:
        Documents().read(query)
    except DocumentRefusedError as error:
        return error.code
    return None


def _bomb(leaf: str) -> str:
    doubling = (f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(50))
    return f"{{ ...F0 }} {''.join(doubling)} fragment F50 on Query {{ {leaf} }}"


def _repeated(levels: tuple[tuple[str, int], ...], leaf: str) -> str:
    asked = leaf
    for name, times in reversed(levels):
        asked = f"{name} {{ {asked} }} " * times
    return f"{{ {asked} }}"


HOSTILE = {
    "a cycle of fragments": ("{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }", "QUERY_CYCLIC"),
    "a fragment in itself": ("{ ...A } fragment A on Query { viewer { role } ...A }", "QUERY_CYCLIC"),
    "doubling fragments": (_bomb("viewer { role }"), "TOO_MANY_ROOT_FIELDS"),
    "doubling fragments without a field": (_bomb("...Nothing"), "QUERY_TOO_COMPLEX"),
    "a deep document": ("{" + "a{" * 30_000, "QUERY_TOO_DEEP"),
    "a deep document within the tokens": ("{" + "a{" * 500 + "b" + "}" * 501, "QUERY_TOO_DEEP"),
    "levels of fields": ("{" + "a{" * 20 + "b" + "}" * 21, "QUERY_TOO_DEEP"),
    "a deep list": (f"{{ plans(first: {'[' * 800}1{']' * 800}) {{ nodes {{ id }} }} }}", "QUERY_TOO_DEEP"),
    "a list in lists": (f"{{ plans(first: {'[' * 20}1{']' * 20}) {{ nodes {{ id }} }} }}", "QUERY_TOO_DEEP"),
    "a long number": (f"{{ plans(first: {'9' * 5_000}) {{ nodes {{ id }} }} }}", "BAD_USER_INPUT"),
    "aliases": ("{ viewer {" + " ".join(f"a{n}: role" for n in range(100)) + "} }", "TOO_MANY_ALIASES"),
    "root fields": ("{" + " ".join(f"f{n}" for n in range(500)) + "}", "TOO_MANY_ROOT_FIELDS"),
    "directives": ("{ viewer " + "@skip(if: false) " * 100 + "{ role } }", "TOO_MANY_DIRECTIVES"),
    "fields": ("{ viewer {" + "role " * 1_500 + "} }", "QUERY_TOO_COMPLEX"),
    "fragments": (
        "{ ...F0 }" + "".join(f"fragment F{n} on Query {{ viewer {{ role }} }} " for n in range(100)),
        "QUERY_TOO_COMPLEX",
    ),
    "a size": ("#" * 70_000 + "\n{ viewer { role } }", "QUERY_TOO_LARGE"),
    "the same objects again and again": (
        _repeated((("customers", 1), ("nodes", 6), ("subscriptions", 6), ("nodes", 6)), "id status"),
        "QUERY_TOO_COMPLEX",
    ),
}


@pytest.mark.parametrize(("query", "code"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_document_is_refused_with_its_code(query: str, code: str) -> None:
    assert _refusal(query) == code


def test_what_tools_and_people_send_is_let_through() -> None:
    for query in (
        get_introspection_query(descriptions=True, input_value_deprecation=True, specified_by_url=True),
        "query($id: ID!) { customer(id: $id) { subscriptions(first: 10) { nodes { items { plan { name } } } } } }",
        "{ ...A ...A } fragment A on Query { viewer { ...B ...B } } fragment B on Viewer { role }",
    ):
        assert validate(SCHEMA, Documents().read(query).node) == []


def test_what_is_no_document_is_left_to_the_parsers_own_words() -> None:
    with pytest.raises(GraphQLSyntaxError):
        Documents().read("{ viewer {")


def test_only_so_much_of_documents_is_remembered() -> None:
    documents = Documents(kept=20)
    for number in range(10):
        documents.read(f"{{ a{number} }}")
        documents.read("{ a9 }")
    assert list(documents._good) == ["{ a7 }", "{ a8 }", "{ a9 }"]
    documents.read("{ aVeryLongName }")
    assert list(documents._good) == ["{ aVeryLongName }"]
    documents.read("{ aNameThatIsTooLongForAll }")
    assert list(documents._good) == []
    documents.read("{ a1 }")
    assert list(documents._good) == ["{ a1 }"]


@pytest.mark.parametrize(
    "variables", [{"a": [[[[[[[[[[[[[1]]]]]]]]]]]]]}, {"a": list(range(10_001))}, {str(n): n for n in range(10_001)}]
)
def test_variables_too_deep_or_too_many_are_refused(variables: dict[str, object]) -> None:
    with pytest.raises(DocumentRefusedError) as caught:
        check_variables(variables)
    assert caught.value.code == "VARIABLES_TOO_LARGE"
