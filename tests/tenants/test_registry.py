"""Tenants and keys are written with their revision, no secret is stored, and the audit log only grows."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from tortoise.exceptions import IntegrityError, OperationalError

from storage import revisions
from storage.binding import bind_tenant
from storage.database import Database
from tenants import audit, registry, tokens
from tenants.context import ROLE_SCOPES, Caller, Role, Scope
from tenants.models import ApiToken
from tenants.registry import UnknownTokenError, issue_key, issue_platform_key, revoke_key, save_tenant
from tests.support.tenants import Two, new_tenant


async def _settings(database: Database, tenant_id: int) -> int:
    return (await revisions.current(database.system, tenant_id, [revisions.SETTINGS]))[revisions.SETTINGS]


async def test_every_write_raises_the_settings_of_its_tenant_only(opened: Database, two: Two) -> None:
    school = await _settings(opened, two.school.id)
    seen = [await _settings(opened, two.clinic.id)]
    text = await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    seen.append(await _settings(opened, two.clinic.id))
    await revoke_key(opened, tokens.parse(text).public_id)
    seen.append(await _settings(opened, two.clinic.id))
    two.clinic.name = "New name"
    await save_tenant(opened, two.clinic)
    seen.append(await _settings(opened, two.clinic.id))
    assert seen == sorted(set(seen))
    assert await _settings(opened, two.school.id) == school


async def test_no_part_of_a_secret_is_stored(opened: Database, two: Two) -> None:
    texts = [
        await issue_key(opened, two.clinic, role=Role.ADMIN, name="key"),
        await issue_platform_key(opened, name="ops", livemode=False),
    ]
    for text, table in zip(texts, ("api_tokens", "platform_tokens"), strict=True):
        (row,) = await opened.system.execute_query_dict(f"select t::text as stored from {table} t")
        secret = text.rpartition("_")[2]
        assert tokens.parse(text).public_id in row["stored"]
        assert secret[:10] not in row["stored"]
        assert secret.encode().hex() not in row["stored"]


@pytest.mark.parametrize(
    ("role", "scopes", "said"),
    [
        (Role.PARTNER, [Scope.READ, Scope.TENANT_ADMIN], "a partner key can't have tenant:admin; it may have"),
        (Role.SUPPORT, [Scope.CUSTOMERS_WRITE], "a support key can't have customers:write; it may have read"),
        (Role.PARTNER, [], "a key needs a scope"),
    ],
)
async def test_a_key_with_scopes_that_its_role_cannot_have_or_with_none_is_not_made(
    opened: Database, two: Two, role: Role, scopes: list[Scope], said: str
) -> None:
    before = await _settings(opened, two.clinic.id)
    with pytest.raises(registry.ScopesError, match=said):
        await issue_key(opened, two.clinic, role=role, name="key", scopes=scopes)
    with bind_tenant(two.clinic.id):
        assert await ApiToken.all() == []
        assert await opened.app.execute_query_dict("select 1 from audit_entries where action = 'apiTokenIssue'") == []
    assert await _settings(opened, two.clinic.id) == before


async def test_a_key_has_the_scopes_that_were_asked_for(opened: Database, two: Two) -> None:
    await issue_key(opened, two.clinic, role=Role.PARTNER, name="key", scopes=[Scope.READ, Scope.CUSTOMERS_WRITE])
    with bind_tenant(two.clinic.id):
        (token,) = await ApiToken.all()
    assert token.scopes == ["customers:write", "read"]


async def test_a_key_is_replaced_once_also_by_two_at_once(opened: Database, two: Two) -> None:
    old = tokens.parse(await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")).public_id
    rotations = (registry.rotate_key(opened, old, overlap=timedelta(hours=1)) for _ in range(2))
    results = await asyncio.gather(*rotations, return_exceptions=True)
    (text,) = [one for one in results if isinstance(one, str)]
    (refused,) = [one for one in results if isinstance(one, registry.ReplacedTokenError)]
    new = tokens.parse(text).public_id
    assert (refused.by, str(refused)) == (new, f"{old} was already replaced by {new}")
    rows = await opened.system.execute_query_dict("select public_id, replaced_by from api_tokens order by id")
    assert [tuple(row.values()) for row in rows] == [(old, new), (new, None)]
    count = await opened.system.execute_query_dict("select 1 from audit_entries where action = 'apiTokenRotate'")
    assert len(count) == 1
    assert await registry.rotate_key(opened, new, overlap=timedelta(0))


async def test_a_tenant_without_an_account_can_be_closed_and_its_keys_end(opened: Database, two: Two) -> None:
    pending = await new_tenant(opened, "pending", account_id=None, status="pending")
    await issue_key(opened, pending, role=Role.PARTNER, name="key")
    before = await _settings(opened, pending.id)
    assert await registry.close_tenant(opened, pending.id, by=audit.Author("operator:ann"))
    (row,) = await opened.system.execute_query_dict(
        "select t.status, k.revoked_at from tenants t join api_tokens k on k.tenant_id = t.id where t.id = $1",
        [pending.id],
    )
    assert row["status"] == "closed"
    assert row["revoked_at"] is not None
    (entry,) = await opened.system.execute_query_dict("select actor from audit_entries where action = 'tenantClose'")
    assert entry["actor"] == "operator:ann"
    assert await _settings(opened, pending.id) > before
    assert not await registry.close_tenant(opened, pending.id)


async def test_a_tenant_with_an_account_is_not_closed(opened: Database, two: Two) -> None:
    await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    before = await _settings(opened, two.clinic.id)
    assert not await registry.close_tenant(opened, two.clinic.id)
    (row,) = await opened.system.execute_query_dict(
        "select t.status, k.revoked_at, (select count(*) from audit_entries where action = 'tenantClose') as entries"
        " from tenants t join api_tokens k on k.tenant_id = t.id where t.id = $1",
        [two.clinic.id],
    )
    assert dict(row) == {"status": "active", "revoked_at": None, "entries": 0}
    assert await _settings(opened, two.clinic.id) == before


async def test_revoking_keeps_the_first_moment_and_an_unknown_key_is_an_error(opened: Database, two: Two) -> None:
    public_id = tokens.parse(await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")).public_id
    moments = []
    for _ in range(2):
        await revoke_key(opened, public_id)
        (row,) = await opened.system.execute_query_dict("select revoked_at from api_tokens")
        moments.append(row["revoked_at"])
    assert moments[0] == moments[1] is not None
    with pytest.raises(UnknownTokenError):
        await revoke_key(opened, "0" * 16)


@pytest.mark.parametrize("slug", ["", "Clinic", "-a", "a-", "a b", "a" * 41, "a/b", "a\n"])
async def test_a_slug_that_could_not_stand_in_a_header_is_refused(opened: Database, slug: str) -> None:
    with pytest.raises(IntegrityError):
        await new_tenant(opened, slug)


async def test_one_account_at_stripe_belongs_to_one_tenant(opened: Database, two: Two) -> None:
    with pytest.raises(IntegrityError):
        await new_tenant(opened, "thief", account_id=two.clinic.account_id)


def _author(two: Two) -> audit.Author:
    return audit.author(Caller(two.clinic.info(), Role.ADMIN, ROLE_SCOPES[Role.ADMIN], token="abc"))


async def test_an_entry_says_who_did_what_and_what_came_of_it(opened: Database, two: Two) -> None:
    operation = uuid4()
    with bind_tenant(two.clinic.id):
        await audit.record(
            opened.app, two.clinic.id, _author(two), action="customerCreate", target="cus_1", operation_id=operation
        )
        entry = (await opened.app.execute_query_dict("select * from audit_entries order by id"))[-1]
    assert (entry["actor"], entry["action"], entry["target"], entry["outcome"], entry["operation_id"]) == (
        "admin:abc",
        "customerCreate",
        "cus_1",
        "ok",
        operation,
    )


async def test_every_write_is_audited_with_who_did_it(opened: Database, two: Two) -> None:
    school, by = two.school, audit.Author("operator:ann", "request-1")
    await registry.save_tenant(opened, school, by=by)
    key = tokens.parse(await issue_key(opened, school, role=Role.ADMIN, name="key", by=by)).public_id
    new = tokens.parse(await registry.rotate_key(opened, key, overlap=timedelta(0), by=by)).public_id
    await revoke_key(opened, new, by=by)
    await registry.end_sessions(opened, school.id, "cus_1", by=by)
    audience = await registry.add_provider(
        opened, school, issuer="https://id.example", jwks_url="https://id.example/keys", claim="sub",
        algorithms=["RS256"], by=by,
    )  # fmt: skip
    assert await registry.remove_provider(opened, school.id, audience, by=by)
    await registry.trust_documents(opened, school.id, {"0" * 64: ("all", "{ viewer { role } }")}, by=by)
    assert await registry.forget_document(opened, school.id, "0" * 64, by=by)
    rows = await opened.system.execute_query_dict(
        "select tenant_id, action, target, outcome, request_id from audit_entries"
        " where actor = 'operator:ann' order by id"
    )
    assert [(row["action"], row["target"]) for row in rows] == [
        ("tenantUpdate", school.account_id),
        ("apiTokenIssue", key),
        ("apiTokenRotate", new),
        ("apiTokenRevoke", new),
        ("customerSessionsEnd", "cus_1"),
        ("providerAdd", audience),
        ("providerRemove", audience),
        ("documentTrust", "0" * 64),
        ("documentForget", "0" * 64),
    ]
    assert {(row["tenant_id"], row["outcome"], row["request_id"]) for row in rows} == {(school.id, "ok", "request-1")}


async def test_what_is_refused_leaves_no_entry_and_what_is_not_audited_is_not_done(opened: Database, two: Two) -> None:
    by = audit.Author("operator:ann")
    with pytest.raises(UnknownTokenError):
        await revoke_key(opened, "0" * 16, by=by)
    assert not await registry.remove_provider(opened, two.clinic.id, "nobody", by=by)
    assert not await registry.forget_document(opened, two.clinic.id, "0" * 64, by=by)
    with pytest.raises(OperationalError):  # an actor that the log can't take
        await issue_key(opened, two.clinic, role=Role.ADMIN, name="unaudited", by=audit.Author("a\0b"))
    (count,) = await opened.system.execute_query_dict(
        "select (select count(*) from audit_entries where actor <> 'system') as entries,"
        " (select count(*) from api_tokens) as keys"
    )
    assert dict(count) == {"entries": 0, "keys": 0}


async def test_nobody_writes_an_entry_for_another_tenant(opened: Database, two: Two) -> None:
    with bind_tenant(two.school.id), pytest.raises(OperationalError, match="row-level security"):
        await audit.record(opened.app, two.clinic.id, _author(two), action="customerCreate")


@pytest.mark.parametrize("statement", ["update {} set {} = 'x'", "delete from {}", "truncate {}"])
@pytest.mark.parametrize(("table", "column"), [("audit_entries", "outcome"), ("changes", "source")])
async def test_what_was_recorded_can_be_neither_changed_nor_removed(
    opened: Database, two: Two, statement: str, table: str, column: str
) -> None:
    with bind_tenant(two.clinic.id):
        await audit.record(opened.app, two.clinic.id, _author(two), action="customerCreate")
        for connection in (opened.app, opened.system):
            with pytest.raises(OperationalError, match="permission denied"):
                await connection.execute_query(statement.format(table, column))
