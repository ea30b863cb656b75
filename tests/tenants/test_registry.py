"""Tenants and keys are written with their revision, no secret is stored, and the audit log only grows."""

from uuid import uuid4

import pytest
from tortoise.exceptions import IntegrityError, OperationalError

from storage import revisions
from storage.binding import bind_tenant
from storage.database import Database
from tenants import audit, tokens
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


async def test_a_key_stores_only_scopes_of_its_role(opened: Database, two: Two) -> None:
    await issue_key(opened, two.clinic, role=Role.PARTNER, name="key", scopes=[Scope.READ, Scope.TENANT_ADMIN])
    with bind_tenant(two.clinic.id):
        (token,) = await ApiToken.all()
    assert token.scopes == ["read"]


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


def _caller(two: Two) -> Caller:
    return Caller(two.clinic.info(), Role.ADMIN, ROLE_SCOPES[Role.ADMIN], token="abc")


async def test_an_entry_says_who_did_what_and_what_came_of_it(opened: Database, two: Two) -> None:
    operation = uuid4()
    with bind_tenant(two.clinic.id):
        await audit.record(
            opened.app, _caller(two), action="customerCreate", outcome="ok", target="cus_1", operation_id=operation
        )
        (entry,) = await opened.app.execute_query_dict("select * from audit_entries")
    assert (entry["actor"], entry["action"], entry["target"], entry["outcome"], entry["operation_id"]) == (
        "admin:abc",
        "customerCreate",
        "cus_1",
        "ok",
        operation,
    )


async def test_nobody_writes_an_entry_for_another_tenant(opened: Database, two: Two) -> None:
    with bind_tenant(two.school.id), pytest.raises(OperationalError, match="row-level security"):
        await audit.record(opened.app, _caller(two), action="customerCreate", outcome="ok")


@pytest.mark.parametrize("statement", ["update {} set {} = 'x'", "delete from {}", "truncate {}"])
@pytest.mark.parametrize(("table", "column"), [("audit_entries", "outcome"), ("changes", "source")])
async def test_what_was_recorded_can_be_neither_changed_nor_removed(
    opened: Database, two: Two, statement: str, table: str, column: str
) -> None:
    with bind_tenant(two.clinic.id):
        await audit.record(opened.app, _caller(two), action="customerCreate", outcome="ok")
        for connection in (opened.app, opened.system):
            with pytest.raises(OperationalError, match="permission denied"):
                await connection.execute_query(statement.format(table, column))
