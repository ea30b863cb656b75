"""From a bearer token to a caller, over PostgreSQL: revoked at once, expired, of the other mode, or the platform's."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from joserfc.jwk import OKPKey

from storage.binding import bound_tenant
from storage.buckets import MemoryStore
from storage.cache import LookupCache
from storage.database import Database
from storage.feed import RevisionBook
from tenants import tokens
from tenants.auth import AuthenticationError, Authenticator, Refusal
from tenants.context import ROLE_SCOPES, Role, Scope
from tenants.last_used import LastUsed
from tenants.models import Tenant
from tenants.providers import Providers
from tenants.registry import issue_key, issue_platform_key, revoke_key, save_tenant
from tenants.safe_fetch import fetch
from tenants.sessions import SessionKeys
from tests.support.tenants import Two, new_tenant

SESSIONS = SessionKeys([OKPKey.generate_key("Ed25519").as_pem(private=True).decode()])


@pytest.fixture
async def door(opened: Database) -> AsyncIterator[Authenticator]:
    yield Authenticator(
        opened,
        RevisionBook(opened),
        LookupCache(),
        SESSIONS,
        MemoryStore(),
        LastUsed(),
        Providers(opened, partial(fetch, private=True)),
    )
    assert bound_tenant() is None


async def _refusal(door: Authenticator, bearer: str, *, acting_for: str | None = None) -> Refusal:
    with pytest.raises(AuthenticationError) as caught:
        await door.authenticate(bearer, acting_for=acting_for)
    return caught.value.refusal


def _session(tenant: Tenant, *, customer: str = "cus_1", livemode: bool = False, age: timedelta = timedelta(0)) -> str:
    now = datetime.now(UTC) - age
    lifetime = timedelta(minutes=15)
    return SESSIONS.mint(tenant=tenant.slug, customer=customer, livemode=livemode, now=now, lifetime=lifetime)


@pytest.mark.parametrize("role", [Role.PARTNER, Role.ADMIN, Role.SUPPORT])
async def test_a_key_opens_its_own_tenant_with_its_roles_scopes(
    opened: Database, two: Two, door: Authenticator, role: Role
) -> None:
    text = await issue_key(opened, two.school, role=role, name="key")
    caller = await door.authenticate(text)
    assert (caller.tenant.slug, caller.role, caller.scopes) == ("school", role, ROLE_SCOPES[role])
    assert caller.customer is None
    assert caller.actor == f"{role}:{tokens.parse(text).public_id}"


async def test_the_billing_tenant_header_moves_no_tenants_key(opened: Database, two: Two, door: Authenticator) -> None:
    text = await issue_key(opened, two.school, role=Role.ADMIN, name="key")
    assert (await door.authenticate(text, acting_for="clinic")).tenant.slug == "school"
    session = _session(two.school)
    assert (await door.authenticate(session, acting_for="clinic")).tenant.slug == "school"


async def test_a_key_is_never_given_more_than_its_role(opened: Database, two: Two, door: Authenticator) -> None:
    text = await issue_key(opened, two.clinic, role=Role.SUPPORT, name="key")
    assert (await door.authenticate(text)).scopes == {Scope.READ}
    await opened.system.execute_query("update api_tokens set scopes = array['read', 'tenant:admin', 'everything']")
    assert (await door.authenticate(text)).scopes == {Scope.READ}


async def test_a_revoked_key_is_refused_at_once(opened: Database, two: Two, door: Authenticator) -> None:
    text = await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    assert await door.authenticate(text)
    await revoke_key(opened, tokens.parse(text).public_id)
    assert await _refusal(door, text) is Refusal.UNAUTHENTICATED


async def test_an_expired_key_is_refused_and_told_so(opened: Database, two: Two, door: Authenticator) -> None:
    past, future = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
    old = await issue_key(opened, two.clinic, role=Role.PARTNER, name="old", expires_at=past)
    new = await issue_key(opened, two.clinic, role=Role.PARTNER, name="new", expires_at=future)
    assert await _refusal(door, old) is Refusal.TOKEN_EXPIRED
    assert (await door.authenticate(new)).tenant.slug == "clinic"


async def test_an_expired_key_with_a_wrong_secret_is_not_told_that_it_existed(
    opened: Database, two: Two, door: Authenticator
) -> None:
    past = datetime.now(UTC) - timedelta(hours=1)
    right = await issue_key(opened, two.clinic, role=Role.PARTNER, name="old", expires_at=past)
    assert await _refusal(door, _other_secret(right)) is Refusal.UNAUTHENTICATED


def _other_secret(text: str) -> str:
    body = text[: -43 - 6] + "0" * 43
    return body + tokens._checksum(body)


async def test_a_known_id_with_another_secret_is_refused(opened: Database, two: Two, door: Authenticator) -> None:
    text = await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    assert await _refusal(door, _other_secret(text)) is Refusal.UNAUTHENTICATED
    assert await _refusal(door, tokens.generate(livemode=False)[0]) is Refusal.UNAUTHENTICATED


async def test_a_mistyped_key_is_refused_without_a_look_up(opened: Database, two: Two, door: Authenticator) -> None:
    text = await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")

    async def asked(*_: Any) -> None:
        raise AssertionError("the database was asked")

    with patch.object(Authenticator, "_token_row", asked):
        for wrong in (text[:-1] + ("A" if text[-1] != "A" else "B"), text[:-1], text + "0", "bgw_"):
            assert await _refusal(door, wrong) is Refusal.TOKEN_MALFORMED
        with pytest.raises(AssertionError, match="was asked"):
            await door.authenticate(text)


async def test_a_key_of_a_tenant_that_went_live_is_refused(opened: Database, two: Two, door: Authenticator) -> None:
    text = await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    two.clinic.livemode = True
    await save_tenant(opened, two.clinic)
    assert await _refusal(door, text) is Refusal.UNAUTHENTICATED
    assert await _refusal(door, _session(two.clinic)) is Refusal.UNAUTHENTICATED


async def test_a_key_whose_text_claims_the_other_mode_is_refused(
    opened: Database, two: Two, door: Authenticator
) -> None:
    text = await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    body = text[:-6].replace("_test_", "_live_")
    assert await _refusal(door, body + tokens._checksum(body)) is Refusal.UNAUTHENTICATED


async def test_a_platform_key_acts_for_the_tenant_that_it_names(
    opened: Database, two: Two, door: Authenticator
) -> None:
    text = await issue_platform_key(opened, name="ops", livemode=False)
    assert await _refusal(door, text) is Refusal.TENANT_REQUIRED
    assert await _refusal(door, text, acting_for="nobody") is Refusal.UNAUTHENTICATED
    for slug in ("clinic", "school"):
        caller = await door.authenticate(text, acting_for=slug)
        assert (caller.tenant.slug, caller.role, caller.scopes) == (slug, Role.PLATFORM, ROLE_SCOPES[Role.PLATFORM])


async def test_a_platform_key_of_one_mode_opens_no_tenant_of_the_other(opened: Database, door: Authenticator) -> None:
    await new_tenant(opened, "real", livemode=True)
    text = await issue_platform_key(opened, name="ops", livemode=False)
    assert await _refusal(door, text, acting_for="real") is Refusal.UNAUTHENTICATED
    body = text[:-6].replace("_test_", "_live_")
    assert await _refusal(door, body + tokens._checksum(body), acting_for="real") is Refusal.UNAUTHENTICATED


async def test_a_session_token_speaks_for_one_customer(two: Two, door: Authenticator) -> None:
    caller = await door.authenticate(_session(two.clinic, customer="cus_7"))
    assert (caller.tenant.slug, caller.role, caller.customer) == ("clinic", Role.CUSTOMER, "cus_7")
    assert caller.scopes == {Scope.READ}


async def test_a_session_token_is_refused_when_it_is_over_of_the_other_mode_or_of_no_tenant(
    two: Two, door: Authenticator
) -> None:
    assert await _refusal(door, _session(two.clinic, age=timedelta(hours=1))) is Refusal.TOKEN_EXPIRED
    assert await _refusal(door, _session(two.clinic, livemode=True)) is Refusal.UNAUTHENTICATED
    assert await _refusal(door, _session(Tenant(slug="nobody"))) is Refusal.UNAUTHENTICATED
    assert await _refusal(door, "not.a.token") is Refusal.UNAUTHENTICATED


async def test_a_tenants_new_settings_are_seen_by_the_next_request(
    opened: Database, two: Two, door: Authenticator
) -> None:
    text = await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    before = (await door.authenticate(text)).tenant
    two.clinic.status = "disconnected"
    await save_tenant(opened, two.clinic)
    assert (await door.authenticate(text)).tenant == replace(before, status="disconnected")
