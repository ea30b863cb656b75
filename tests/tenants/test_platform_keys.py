"""Platform keys reach every tenant: they rotate with an overlap, end at once everywhere, and leave a record."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from joserfc.jwk import OKPKey
from structlog.testing import capture_logs
from tortoise.exceptions import OperationalError

from storage.buckets import MemoryStore
from storage.cache import LookupCache
from storage.database import Database
from storage.feed import RevisionBook
from tenants import registry, tokens
from tenants.audit import Author
from tenants.auth import AuthenticationError, Authenticator, Refusal
from tenants.context import Role
from tenants.last_used import LastUsed
from tenants.providers import Providers
from tenants.safe_fetch import fetch
from tenants.sessions import SessionKeys
from tests.support.tenants import Two, new_tenant

ANN = Author("operator:ann")


def id_of(text: str) -> str:
    return tokens.parse(text).public_id


@pytest.fixture
def door(opened: Database) -> Callable[[], Authenticator]:
    """Another process's authenticator at each call: nothing is shared but the database."""

    def make() -> Authenticator:
        sessions = SessionKeys([OKPKey.generate_key("Ed25519").as_pem(private=True).decode()])
        providers = Providers(opened, partial(fetch, private=True))
        return Authenticator(
            opened, RevisionBook(opened), LookupCache(), sessions, MemoryStore(), LastUsed(), providers
        )

    return make


async def refusal(door: Authenticator, key: str) -> Refusal | None:
    try:
        await door.authenticate(key, acting_for="clinic")
    except AuthenticationError as error:
        return error.refusal
    return None


async def test_a_revoked_platform_key_opens_no_tenant_in_any_process_from_then_on(
    opened: Database, two: Two, door: Callable[[], Authenticator]
) -> None:
    key = await registry.issue_platform_key(opened, name="ops", livemode=False)
    doors = [door(), door()]
    assert [await refusal(one, key) for one in doors] == [None, None]
    await registry.revoke_platform_key(opened, id_of(key), by=ANN)
    assert [await refusal(one, key) for one in doors] == [Refusal.UNAUTHENTICATED] * 2


async def test_a_rotated_platform_key_goes_on_for_the_overlap_and_no_longer(
    opened: Database, two: Two, door: Callable[[], Authenticator]
) -> None:
    until = datetime.now(UTC) + timedelta(days=30)
    old = await registry.issue_platform_key(opened, name="ops", livemode=False, expires_at=until)
    new = await registry.rotate_platform_key(opened, id_of(old), overlap=timedelta(hours=1), by=ANN)
    assert [await refusal(door(), key) for key in (old, new)] == [None, None]
    rows = await opened.system.execute_query_dict("select * from platform_tokens order by id")
    assert [(row["public_id"], row["name"], row["replaced_by"]) for row in rows] == [
        (id_of(old), "ops", id_of(new)),
        (id_of(new), "ops", None),
    ]
    assert rows[0]["expires_at"] < datetime.now(UTC) + timedelta(hours=1)
    assert rows[1]["expires_at"] == until
    newest = await registry.rotate_platform_key(opened, id_of(new), overlap=timedelta(0))
    assert [await refusal(door(), key) for key in (new, newest)] == [Refusal.TOKEN_EXPIRED, None]


async def test_a_platform_key_is_replaced_once_also_by_two_at_once(opened: Database) -> None:
    old = id_of(await registry.issue_platform_key(opened, name="ops", livemode=False))
    rotations = (registry.rotate_platform_key(opened, old, overlap=timedelta(hours=1)) for _ in range(2))
    results = await asyncio.gather(*rotations, return_exceptions=True)
    (text,) = [one for one in results if isinstance(one, str)]
    (refused,) = [one for one in results if isinstance(one, registry.ReplacedTokenError)]
    assert refused.by == id_of(text)
    assert len(await opened.system.execute_query_dict("select 1 from platform_tokens")) == 2


async def test_what_is_done_with_platform_keys_is_recorded_and_logged_without_the_secret(opened: Database) -> None:
    with capture_logs() as told:
        old = await registry.issue_platform_key(opened, name="ops", livemode=False, by=ANN)
        new = await registry.rotate_platform_key(opened, id_of(old), overlap=timedelta(0), by=ANN)
        await registry.revoke_platform_key(opened, id_of(new), by=ANN)
    expected = [("issue", id_of(old)), ("rotate", id_of(new)), ("revoke", id_of(new))]
    rows = await opened.system.execute_query_dict("select actor, action, target from platform_entries order by id")
    assert [tuple(row.values()) for row in rows] == [("operator:ann", *each) for each in expected]
    lines = [line for line in told if line["event"] == "platform.key"]
    assert [(line["action"], line["key"], line["actor"]) for line in lines] == [
        (*each, "operator:ann") for each in expected
    ]
    assert not any(key.rpartition("_")[2] in str(told) for key in (old, new))


async def test_a_refusal_changes_nothing_and_leaves_no_record(opened: Database, two: Two) -> None:
    key = await registry.issue_key(opened, two.clinic, role=Role.PARTNER, name="a tenant's")
    ended = id_of(await registry.issue_platform_key(opened, name="ops", livemode=False))
    await registry.revoke_platform_key(opened, ended)
    before = await opened.system.execute_query_dict("select t::text from platform_tokens t")
    for public_id in (id_of(key), "0" * 16):
        with pytest.raises(registry.UnknownTokenError):
            await registry.revoke_platform_key(opened, public_id)
    for public_id in (id_of(key), "0" * 16, ended):
        with pytest.raises(registry.UnknownTokenError):
            await registry.rotate_platform_key(opened, public_id, overlap=timedelta(0))
    assert await opened.system.execute_query_dict("select t::text from platform_tokens t") == before
    assert len(await opened.system.execute_query_dict("select 1 from platform_entries")) == 2
    assert await opened.system.execute_query_dict("select 1 from api_tokens where revoked_at is not null") == []


@pytest.mark.parametrize("statement", ["update platform_entries set action = 'x'", "delete from platform_entries"])
async def test_the_record_of_platform_keys_only_grows(opened: Database, statement: str) -> None:
    await registry.issue_platform_key(opened, name="ops", livemode=False)
    with pytest.raises(OperationalError, match="permission denied"):
        await opened.system.execute_query(statement)


async def test_a_closed_tenant_lets_nobody_in_not_even_the_platform(
    opened: Database, two: Two, door: Callable[[], Authenticator]
) -> None:
    pending = await new_tenant(opened, "pending", account_id=None, status="pending")
    own = await registry.issue_key(opened, pending, role=Role.ADMIN, name="key")
    platform = await registry.issue_platform_key(opened, name="ops", livemode=False)
    gate = door()
    assert (await gate.authenticate(platform, acting_for="pending")).tenant.slug == "pending"
    assert (await gate.authenticate(own)).tenant.slug == "pending"
    assert await registry.close_tenant(opened, pending.id)
    for key, acting_for in ((platform, "pending"), (own, None)):
        with pytest.raises(AuthenticationError) as caught:
            await gate.authenticate(key, acting_for=acting_for)
        assert caught.value.refusal is Refusal.UNAUTHENTICATED
    assert (await gate.authenticate(platform, acting_for="clinic")).tenant.slug == "clinic"
