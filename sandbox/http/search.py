"""Stripe's search query language: `email:"a@b.c" AND metadata["plan"]:"pro" -status:"canceled" created>1700000000`."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Any

from sandbox.context import Context
from sandbox.errors import StripeError, invalid
from sandbox.http.lists import MAX_LIMIT
from sandbox.store import Object

MAX_CLAUSES = 10
_SHORTEST = 3  # letters of a substring
_CLAUSE = re.compile(
    r"""\s*(?P<not>-?)(?P<field>[a-z_.0-9]+)(?:\[(?P<quote>["'])(?P<key>[^"']+)(?P=quote)\])?"""
    r"""\s*(?P<sign>>=|<=|[:~><=])\s*(?P<value>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"']+)""",
    re.VERBOSE,
)
_JOINT = re.compile(r"\s+(?P<word>AND|OR)\s+|\s+", re.IGNORECASE)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {">": gt, "<": lt, ">=": ge, "<=": le}
Read = Callable[[Object], Any]


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition; `value` is None for `null`."""

    field: str
    key: str | None
    sign: str
    value: str | None
    negated: bool

    def holds(self, found: Any) -> bool:
        return self._holds(found) is not self.negated

    def _holds(self, found: Any) -> bool:
        if found is None or self.value is None:
            return found is None and self.value is None
        if self.sign == "~":
            return self.value.lower() in str(found).lower()
        if self.sign in _COMPARE:
            return _COMPARE[self.sign](found, int(self.value))
        if isinstance(found, bool):
            return self.value.lower() == str(found).lower()
        return self.value.lower() == str(found).lower()


def parse(query: str, fields: Mapping[str, Read]) -> tuple[list[Clause], bool]:
    """The clauses of a query, and whether one of them is enough; raises Stripe's error for what can't be read."""
    clauses: list[Clause] = []
    words: set[str] = set()
    place = 0
    text = query.strip()
    while place < len(text):
        found = _CLAUSE.match(text, place)
        if found is None:
            raise _unreadable(f"We were unable to parse your search query at character {place + 1}.")
        clauses.append(_clause(found, fields))
        place = found.end()
        joint = _JOINT.match(text, place)
        if place < len(text) and joint is None:
            raise _unreadable(f"We were unable to parse your search query at character {place + 1}.")
        if joint is not None:
            words.add((joint["word"] or "AND").upper())
            place = joint.end()
            if place >= len(text):
                raise _unreadable("The query ends with a conjunction.")
    if not clauses:
        raise _unreadable("The query is empty.")
    if len(clauses) > MAX_CLAUSES:
        raise _unreadable(f"A query has at most {MAX_CLAUSES} clauses.")
    if len(words) > 1:
        raise _unreadable("AND and OR can't be used in one query.")
    return clauses, words == {"OR"}


def search(ctx: Context, kind: str, url: str, fields: Mapping[str, Read]) -> Object:
    """A page of what the request's `query` finds, newest first; `page` is the former answer's `next_page`."""
    limit = ctx.params.get("limit", 10)
    if not 1 <= limit <= MAX_LIMIT:
        raise invalid(f"Invalid integer: limit must be between 1 and {MAX_LIMIT}", param="limit")
    clauses, any_is_enough = parse(ctx.params["query"] or "", fields)
    enough = any if any_is_enough else all
    after = _place(ctx.params.get("page"))
    found: list[Object] = []
    past = after is None
    for value in ctx.tx.newest(ctx.account, kind):
        if past and not value.get("deleted") and enough(one.holds(_read(one, value, fields)) for one in clauses):
            found.append(value)
            if len(found) > limit:
                break
        past = past or value["id"] == after
    data, more = found[:limit], len(found) > limit
    following = urlsafe_b64encode(data[-1]["id"].encode()).decode() if more else None
    return {"object": "search_result", "data": data, "has_more": more, "next_page": following, "url": url}


def _clause(found: re.Match[str], fields: Mapping[str, Read]) -> Clause:
    field, key, sign, raw = found["field"], found["key"], found["sign"], found["value"]
    if field not in fields or (field == "metadata") is (key is None):
        raise _unreadable(f"Field `{field}` is an unsupported search field for this resource.")
    quoted = raw[0] in "\"'"
    value = re.sub(r"\\(.)", r"\1", raw[1:-1]) if quoted else raw
    if sign in _COMPARE and not re.fullmatch(r"-?\d{1,18}", value):
        raise _unreadable(f"Field `{field}` is compared with a number.")
    if sign == "~" and len(value) < _SHORTEST:
        raise _unreadable(f"A substring has at least {_SHORTEST} letters.")
    null = not quoted and value.lower() == "null"
    return Clause(field, key, sign, None if null else value, found["not"] == "-")


def _read(clause: Clause, value: Object, fields: Mapping[str, Read]) -> Any:
    found = fields[clause.field](value)
    return found.get(clause.key) if clause.key is not None and isinstance(found, dict) else found


def _place(page: str | None) -> str | None:
    if page is None:
        return None
    try:
        return urlsafe_b64decode(page.encode()).decode()
    except ValueError:
        raise invalid("The `page` is not one of a former answer.", param="page") from None


def _unreadable(message: str) -> StripeError:
    return invalid(message, param="query")
