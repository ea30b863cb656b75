"""Reads what the documents say, and what codes the sources answer with, so that tests can compare the two."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "sandbox" / "README.md"])


def text(path: str) -> str:
    """A file of the tree, by its path from the root."""
    return (ROOT / path).read_text(encoding="utf-8")


def table(document: str, heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head; backticks are taken off."""
    section = document.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return [[cell.strip(" `") for cell in row] for row in rows]


def shell_blocks(document: str) -> list[str]:
    """What a reader is meant to paste."""
    return re.findall(r"^```sh\n(.*?)^```", document, flags=re.MULTILINE | re.DOTALL)


def queries(block: str) -> list[str]:
    """The GraphQL documents in a shell block: what stands in single quotes and begins like one."""
    return re.findall(r"'((?:query|mutation|\{)[^']*)'", block)


def snippets(document: str, language: str) -> list[str]:
    """The code blocks of one language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", document, flags=re.MULTILINE | re.DOTALL)


def graphql(snippet: str) -> list[str]:
    """The GraphQL documents in a snippet of Python or TypeScript: strings that begin like one, and have a brace."""
    begins = r"(?:(?:query|mutation|subscription)\b[^\"`{]*)?\{[^\"`]"
    found = re.findall(rf'(?s)"""({begins}.*?)"""|(?<!")"({begins}[^"\n]*)"(?!")|`({begins}[^`]*)`', snippet)
    return ["".join(each) for each in found]


def commands(document: str) -> set[tuple[str, ...]]:
    """The `gateway …` commands that a document names: in backticks, or at the start of an indented line."""
    named = re.findall(r"(?:`|^    )gateway ([a-z]+)(?: ([a-z]+))?", document, flags=re.MULTILINE)
    return {tuple(word for word in words if word) for words in named}


def command_lines(document: str) -> list[str]:
    """The same commands whole, with their arguments; line breaks within backticks count as spaces."""
    found = re.findall(r"`(gateway [a-z][^`]*)`|^    (gateway [a-z].*)$", document, flags=re.MULTILINE)
    return [" ".join("".join(each).split()) for each in found]


def refusals(path: str, function: str) -> set[tuple[str, int]]:
    """The codes and HTTP statuses that a file hands to a function whose arguments begin with a status and a code."""
    return {
        (str(code.value), int(str(status.value)))
        for node in ast.walk(ast.parse(text(path)))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function
        for status, code in [node.args[:2]]
        if isinstance(code, ast.Constant) and isinstance(status, ast.Constant)
    }


def assigned(path: str, name: str) -> set[str]:
    """The strings that a file assigns to a name."""
    return {value for node in ast.walk(ast.parse(text(path))) for value in _strings(node, name)}


def _strings(node: ast.AST, name: str) -> Iterator[str]:
    if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
        values = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
        yield from (each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str))
