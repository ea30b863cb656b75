"""Trusted documents from the command line: each is one that the endpoint would run, or none is registered."""

from pathlib import Path

import pytest

from gateway.wire import hash_of
from storage.database import DatabaseUrl
from tests.support.commands import Operators, operators_of

GOOD = "query Plans { plans(first: 3) { nodes { id name } } }"
DEEP = "{ viewer { tenant { " + "a { " * 20 + "b" + " }" * 20 + " } } }"


@pytest.fixture
def gateway(database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> Operators:
    made = operators_of(database_url, monkeypatch)
    made.two_tenants()
    return made


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "plans.graphql"
    path.write_text(GOOD)
    return path


def test_good_documents_are_registered_under_their_hashes(gateway: Operators, good: Path) -> None:
    assert gateway("documents", "trust", "clinic", str(good)).rows == [[hash_of(GOOD), "plans"]]
    assert gateway("documents", "list", "clinic").rows == [[hash_of(GOOD), "plans"]]
    assert gateway("documents", "list", "school").out == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{ nope }", "Cannot query field 'nope' on type 'Query'."),
        (b"{ plans(first: 3) { nodes { id name } }", "Syntax Error: Expected Name, found <EOF>."),
        (b"", "Syntax Error"),
        (b"fragment F on Plan { id }", "Fragment 'F' is never used."),
        (b"query($id: ID!) { viewer { role } }", "Variable '$id' is never used."),
        (DEEP.encode(), "levels"),
        (b"\xff\xfe", "can't be read as UTF-8 text"),
        (b"{ viewer { role } } \0", "Syntax Error"),
    ],
)
def test_one_that_the_endpoint_would_refuse_registers_none(
    gateway: Operators, good: Path, tmp_path: Path, text: bytes, said: str
) -> None:
    bad = tmp_path / "bad.graphql"
    bad.write_bytes(text)
    before = gateway.state()
    error = gateway("documents", "trust", "clinic", str(good), str(bad)).error
    assert str(bad) in error
    assert said in error
    assert str(good) not in error
    assert gateway.state() == before


def test_every_file_that_is_wrong_is_named(gateway: Operators, good: Path, tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.graphql", "b.graphql")]
    for path in paths:
        path.write_text("{ nope }")
    error = gateway("documents", "trust", "clinic", *map(str, paths), str(good)).error
    assert all(f"{path}: Cannot query field" in error for path in paths)
    assert gateway("documents", "list", "clinic").out == ""


def test_the_audit_log_is_a_tenants_or_the_platforms(gateway: Operators) -> None:
    for arguments in ([], ["clinic", "--platform"]):
        said = gateway("audit", "list", *arguments)
        assert (said.code, said.out) == (2, "")
        assert "Usage:" in said.err
    assert gateway("audit", "list", "nobody").error == "there is no tenant nobody"
