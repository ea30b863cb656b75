"""The documents say what the code does: codes, commands, queries, paths and links."""

import re
from pathlib import Path

import click
import pytest
from graphql import build_schema, parse, validate

from billing.errors import Code
from gateway import access_commands, admin_commands, mirror_commands, token_commands
from gateway.cli import cli
from tenants.auth import Refusal
from tests.docs import reading

ERRORS = reading.text("docs/errors.md")
README = reading.text("README.md")
QUERIES = [query for block in reading.shell_blocks(README) for query in reading.queries(block)]
# a path that begins at the root of somebody's disk
MACHINE_PATH = re.compile(r"(?<![\w.<>/])/(?:home|root|work|tmp|mnt|srv|Users|private)/\w|\b[A-Z]:\\")


def codes_and_statuses(heading: str) -> set[tuple[str, int]]:
    rows = reading.table(ERRORS, heading)
    assert len(rows) == len({row[0] for row in rows})
    return {(row[0], int(row[1])) for row in rows}


def test_every_code_of_a_payload_is_explained_in_the_order_of_the_code() -> None:
    assert [row[0] for row in reading.table(ERRORS, "In a mutation's payload")] == list(Code)


def test_every_refusal_to_let_in_is_explained() -> None:
    assert [row[0] for row in reading.table(ERRORS, "Not let in")] == list(Refusal)


def test_every_refusal_of_the_endpoint_is_explained_with_its_status() -> None:
    paths = ("endpoint", "execution", "live", "origins", "persisted", "wire")
    answered = {one for path in paths for one in reading.refusals(f"gateway/{path}.py", "BadRequestError")}
    assert codes_and_statuses("Not executed") == answered


def test_every_code_of_an_executed_request_is_explained() -> None:
    rows = reading.table(ERRORS, "In the answer's `errors`")
    assert {row[0] for row in rows} == reading.assigned("gateway/graphql.py", "code")


def test_every_limit_of_a_document_is_explained() -> None:
    rows = {row[0] for row in reading.table(ERRORS, "Beyond a limit")}
    used = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', reading.text("gateway/document_limits.py")))
    assert rows == used - {"BAD_USER_INPUT"}


def test_every_refusal_of_a_webhook_is_explained_with_its_status() -> None:
    assert codes_and_statuses("Webhooks") == reading.refusals("webhooks/app.py", "refuse")


def test_every_code_that_closes_a_socket_is_explained() -> None:
    closed = set(re.findall(r"(?:CloseError|\.close)\((\d{4})", reading.text("gateway/live.py")))
    assert len(closed) > 5
    assert {row[0] for row in reading.table(ERRORS, "Over WebSocket")} == closed


def all_groups() -> dict[str, click.Group]:
    groups = {"tenants": admin_commands.tenants, "tokens": token_commands.tokens}
    groups |= {name: getattr(access_commands, name) for name in ("audit", "documents", "providers")}
    return groups | {"inbox": mirror_commands.inbox, "mirror": mirror_commands.mirror}


def all_commands() -> set[tuple[str, ...]]:
    groups = all_groups()
    assert all(isinstance(group, click.Group) for group in groups.values())
    parts = {(name, part) for name, group in groups.items() for part in group.commands}
    return {(name,) for name in cli.commands if name not in groups} | parts


def test_the_readme_names_every_command_and_no_other() -> None:
    assert reading.commands(README) == all_commands()


@pytest.mark.parametrize("path", reading.DOCUMENTS, ids=lambda path: str(path.relative_to(reading.ROOT)))
def test_commands_in_any_document_exist(path: Path) -> None:
    known = all_commands() | {(name,) for name in cli.commands}
    assert reading.commands(path.read_text(encoding="utf-8")) <= known


def options(line: str) -> tuple[list[str], set[str]]:
    """The options that a command line has, and those that its command takes."""
    words = line.split()[1:]
    lazy = {"schema": admin_commands.schema, "invariants": mirror_commands.invariants}
    group = all_groups().get(words[0])
    command = group.commands[words[1]] if group and len(words) > 1 else lazy.get(words[0], cli.commands[words[0]])
    return [word for word in words if word.startswith("--")], {
        name for each in command.params for name in (*each.opts, *each.secondary_opts)
    }


@pytest.mark.parametrize("path", reading.DOCUMENTS, ids=lambda path: str(path.relative_to(reading.ROOT)))
def test_options_of_commands_in_any_document_exist(path: Path) -> None:
    for line in reading.command_lines(path.read_text(encoding="utf-8")):
        given, known = options(line)
        assert set(given) <= known, line


def test_options_in_a_document_are_found() -> None:
    (line,) = reading.command_lines("with `gateway tokens rotate PUBLIC_ID\n--overlap-hours 24` or without")
    given, known = options(line)
    assert given == ["--overlap-hours"]
    assert given[0] in known
    assert "--overlap" not in known


def test_the_tour_has_its_queries() -> None:
    assert len(QUERIES) == 10


@pytest.mark.parametrize("query", QUERIES)
def test_queries_of_the_readme_fit_the_schema(query: str) -> None:
    assert validate(build_schema(reading.text("schema/schema.graphql")), parse(query)) == []


@pytest.mark.parametrize("path", reading.DOCUMENTS, ids=lambda path: str(path.relative_to(reading.ROOT)))
def test_a_document_names_no_path_of_a_machine_and_no_file_that_is_missing(path: Path) -> None:
    document = path.read_text(encoding="utf-8")
    assert MACHINE_PATH.findall(document) == []
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", document)
    assert [link for link in links if not (path.parent / link).exists()] == []
    # in the sandbox's own page, paths begin at its folder
    named = re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|sql|md|graphql|example))`", document)
    assert [name for name in named if not any((base / name).exists() for base in (reading.ROOT, path.parent))] == []


def test_a_path_of_a_machine_is_recognised() -> None:
    found = [text for text in ("/home/me/x", "see `/tmp/data`", "C:\\data") if MACHINE_PATH.search(text)]
    assert found == ["/home/me/x", "see `/tmp/data`", "C:\\data"]
    assert not MACHINE_PATH.search("https://example.com/srv/x and docs/tmp/x and a tmpfs at /tmp")


def test_every_decision_is_in_the_list_of_decisions() -> None:
    folder = reading.ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("[0-9]*.md"))


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "pages/graphiql/package-lock.json"])
def test_a_lock_file_names_no_address(lock: str) -> None:
    assert "://" not in (reading.ROOT / lock).read_text(encoding="utf-8")


CLIENTS = {
    language: reading.snippets(reading.text("docs/clients.md"), language) for language in ("python", "ts", "graphql")
}


def test_every_document_for_clients_fits_the_schema() -> None:
    schema = build_schema(reading.text("schema/schema.graphql"))
    found = [query for snippets in CLIENTS.values() for each in snippets for query in reading.graphql(each)]
    assert len(found) == 52
    for query in found:
        assert validate(schema, parse(query)) == [], query


def test_no_document_for_clients_is_overlooked() -> None:
    whole = reading.text("docs/clients.md")
    assert whole.count("```") == 2 * sum(len(snippets) for snippets in CLIENTS.values())
    for snippet in (each for snippets in CLIENTS.values() for each in snippets):
        for query in reading.graphql(snippet):
            snippet = snippet.replace(query, "")
        # what every document of the page has in it
        assert (
            re.findall(r"\b(?:query|mutation|subscription)\s*[({]|\b(?:errors|nodes|viewer|input:) \{", snippet) == []
        )


def test_both_languages_ask_the_same() -> None:
    asked = {
        language: [" ".join(query.split()) for each in snippets for query in reading.graphql(each)]
        for language, snippets in CLIENTS.items()
    }
    assert asked["python"] == asked["ts"]


def test_a_document_in_a_snippet_is_found() -> None:
    python = (
        '''ONE = """query ($a: ID!) { node(id: $a) { id } }"""\nask(token, "{ viewer { role } }", {"query": ONE})'''
    )
    assert reading.graphql(python) == ["query ($a: ID!) { node(id: $a) { id } }", "{ viewer { role } }"]
    assert reading.graphql("const one = `mutation { x }`; send(`Bearer ${token}`)") == ["mutation { x }"]


@pytest.mark.parametrize("path", reading.DOCUMENTS, ids=lambda path: str(path.relative_to(reading.ROOT)))
def test_a_link_into_a_document_leads_to_a_heading(path: Path) -> None:
    for name, anchor in re.findall(r"\]\((?!https?:)([^)#]+)#([^)]+)\)", path.read_text(encoding="utf-8")):
        headings = re.findall(r"^#+ (.+)$", (path.parent / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
