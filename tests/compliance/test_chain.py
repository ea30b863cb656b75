"""The audit log's chain finds whatever is done to the log: edits, deletions, swaps, truncations, rewrites."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from compliance.chain import Anchor, Anchors, Finding, begin, check, heads, link, read_anchors, seal, verify
from storage.binding import bind_tenant
from storage.database import Database, DatabaseUrl
from tenants import audit
from tenants.context import ROLE_SCOPES, Caller, Role
from tests.support.tenants import Two

TENANT = 7
ROUNDS = 10_000


def written(count: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Entries and their chain."""
    entries: list[dict[str, Any]] = []
    links: list[dict[str, Any]] = []
    before = begin(TENANT)
    for seq in range(1, count + 1):
        entry = {
            "id": seq * 3,
            "at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seq),
            "actor": f"partner:{seq % 4}",
            "action": "customerUpdate",
            "target": f"cus_{seq}",
            "outcome": "ok",
            "request_id": None,
            "operation_id": None,
        }
        before = link(before, TENANT, seq, entry)
        entries.append(entry)
        links.append({"seq": seq, "entry_id": entry["id"], "hash": before})
    return entries, links


def _edit(chance: random.Random, entries: list[dict[str, Any]], links: list[dict[str, Any]]) -> None:
    entry = chance.choice(entries)
    name = chance.choice(("actor", "action", "target", "outcome", "request_id", "at"))
    entry[name] = entry["at"] + timedelta(microseconds=1) if name == "at" else f"x{entry[name]}"


def _delete(chance: random.Random, entries: list[dict[str, Any]], links: list[dict[str, Any]]) -> None:
    place = chance.randrange(len(entries))
    del entries[place]
    if chance.random() < 0.5:
        del links[place]


def _swap(chance: random.Random, entries: list[dict[str, Any]], links: list[dict[str, Any]]) -> None:
    one, other = chance.sample(range(len(entries)), 2)
    if chance.random() < 0.5:
        entries[one]["id"], entries[other]["id"] = entries[other]["id"], entries[one]["id"]
    else:
        links[one]["entry_id"], links[other]["entry_id"] = links[other]["entry_id"], links[one]["entry_id"]


def _truncate(chance: random.Random, entries: list[dict[str, Any]], links: list[dict[str, Any]]) -> None:
    place = chance.randrange(len(entries))
    del entries[place:], links[place:]


def _rewrite(chance: random.Random, entries: list[dict[str, Any]], links: list[dict[str, Any]]) -> None:
    """Everything from some place on anew, hashes and all: only an anchor can tell."""
    place = chance.randrange(len(entries))
    entries[place]["actor"] = "admin:other"
    before = begin(TENANT) if place == 0 else links[place - 1]["hash"]
    for each, entry in zip(links[place:], entries[place:], strict=True):
        before = each["hash"] = link(before, TENANT, each["seq"], entry)


def _insert(chance: random.Random, entries: list[dict[str, Any]], links: list[dict[str, Any]]) -> None:
    entries.append(entries[0] | {"id": 1_000_000})


HOW: dict[str, Callable[[random.Random, list[dict[str, Any]], list[dict[str, Any]]], None]] = {
    "edit": _edit,
    "delete": _delete,
    "swap": _swap,
    "truncate": _truncate,
    "rewrite": _rewrite,
    "insert": _insert,
}


def _findings(entries: list[dict[str, Any]], links: list[dict[str, Any]], anchor: Anchor) -> list[Finding]:
    return list(check(TENANT, links, entries, (), [anchor]))


def test_ten_thousand_changes_are_found() -> None:
    chance = random.Random(1)
    found = dict.fromkeys(HOW, 0)
    for _ in range(ROUNDS):
        entries, links = written(chance.randrange(3, 12))
        anchor = Anchor(TENANT, links[-1]["seq"], links[-1]["hash"].hex())
        assert _findings(entries, links, anchor) == []
        name = chance.choice(list(HOW))
        HOW[name](chance, entries, links)
        assert _findings(entries, links, anchor), (name, entries, links)
        found[name] += 1
    print(f"audit chain: {sum(found.values())} of {ROUNDS} changes found: {found}")


def test_one_change_is_one_finding_and_says_where() -> None:
    entries, links = written(9)
    entries[4]["outcome"] = "refused"
    (finding,) = _findings(entries, links, Anchor(TENANT, 9, links[8]["hash"].hex()))
    assert str(finding) == "tenant 7: an entry or its place was changed at place 5 (entry 15)"


async def _write(database: Database, two: Two, count: int) -> None:
    for tenant in (two.clinic, two.school):
        by = audit.author(Caller(tenant.info(), Role.PARTNER, ROLE_SCOPES[Role.PARTNER], token="0123"))
        with bind_tenant(tenant.id):
            for number in range(count):
                await audit.record(database.app, tenant.id, by, action="test", target=f"cus_{number}")


async def test_what_is_written_is_sealed_and_verified(opened: Database, two: Two, tmp_path: Path) -> None:
    await _write(opened, two, 5)
    assert await verify(opened) == []  # what waits for its seal is no finding
    assert await seal(opened) == 12  # and how the two tenants were made
    assert await seal(opened) == 0
    anchors = Anchors(tmp_path / "anchors")
    assert anchors.tell(await heads(opened)) == 2
    assert anchors.tell(await heads(opened)) == 0
    await _write(opened, two, 2)
    assert await seal(opened) == 4
    kept = read_anchors((tmp_path / "anchors").read_text())
    assert [(anchor.tenant, anchor.seq) for anchor in kept] == [(two.clinic.id, 6), (two.school.id, 6)]
    assert await verify(opened, kept) == []


CUT_OFF = """with gone as (delete from audit_chain where tenant_id = $1 and seq > 4)
    delete from audit_entries where tenant_id = $1 and id > (select min(id) + 2 from e)"""


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("update audit_entries set outcome = 'x' where tenant_id = $1 and id = (select min(id) + 1 from e)", "changed"),
        ("delete from audit_entries where tenant_id = $1 and id = (select min(id) + 1 from e)", "missing"),
        ("delete from audit_chain where tenant_id = $1 and seq = 5", "no place"),
        (CUT_OFF, "cut off"),
    ],
)
async def test_what_the_owner_of_the_database_changes_is_found(
    opened: Database, two: Two, database_url: DatabaseUrl, statement: str, what: str
) -> None:
    await _write(opened, two, 5)
    await seal(opened)
    kept = await heads(opened)
    owner = await asyncpg.connect(**database_url.credentials())
    try:
        e = "(select id from audit_entries where tenant_id = $1 and action = 'test') e"
        await owner.execute(statement.replace("from e", f"from {e}"), two.clinic.id)
    finally:
        await owner.close()
    found = await verify(opened, kept)
    assert {finding.tenant for finding in found} == {two.clinic.id}
    assert any(what in finding.what for finding in found), found


async def test_an_entry_that_is_deleted_while_it_waits_for_its_place_is_missed(
    opened: Database, two: Two, database_url: DatabaseUrl
) -> None:
    await _write(opened, two, 1)
    await seal(opened)
    await _write(opened, two, 2)
    owner = await asyncpg.connect(**database_url.credentials())
    try:
        newest = "(select max(id) from audit_entries where tenant_id = $1)"
        await owner.execute(f"delete from audit_entries where tenant_id = $1 and id = {newest}", two.clinic.id)
    finally:
        await owner.close()
    for _ in range(2):
        (finding,) = await verify(opened)
        assert (finding.tenant, finding.what) == (two.clinic.id, "an entry is missing that waited for its place")
        await seal(opened)  # what is left is sealed, and the gap goes on to show


async def test_neither_role_of_the_gateway_can_change_what_is_written(opened: Database, two: Two) -> None:
    await _write(opened, two, 1)
    await seal(opened)
    for table in ("audit_entries", "audit_chain"):
        for verb in (f"update {table} set tenant_id = tenant_id", f"delete from {table}"):
            with pytest.raises(Exception, match="permission denied"):
                await opened.system.execute_query(verb)
            with bind_tenant(two.clinic.id), pytest.raises(Exception, match="permission denied"):
                await opened.app.execute_query(verb)


def test_a_file_that_is_no_file_of_anchors_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2"):
        read_anchors('{"tenant": 1, "seq": 2, "hash": "00"}\nnothing\n')
