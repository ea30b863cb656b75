"""Tokens under attack and over time: mistyped, guessed, rotated, revoked, signed by strangers, brought by providers."""

import asyncio
import base64
import hmac
import json
import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from storage.buckets import MemoryStore
from storage.cache import LookupCache
from storage.database import Database
from storage.feed import RevisionBook
from tenants import tokens
from tenants.auth import AuthenticationError, Authenticator, Refusal
from tenants.context import Role
from tenants.last_used import LastUsed
from tenants.providers import Providers
from tenants.registry import (
    UnknownTokenError,
    add_provider,
    end_sessions,
    issue_key,
    remove_provider,
    revoke_key,
    rotate_key,
)
from tenants.safe_fetch import fetch
from tenants.sessions import AUDIENCE, ISSUER, SessionKeys
from tests.sandbox.server import serving
from tests.support.tenants import Two

OWN = OKPKey.generate_key("Ed25519")
SESSIONS = SessionKeys([OWN.as_pem(private=True).decode()])
MISTYPED = int(os.environ.get("MISTYPED_TOKENS", "20000"))


@pytest.fixture
def door(opened: Database) -> Authenticator:
    return Authenticator(
        opened,
        RevisionBook(opened),
        LookupCache(),
        SESSIONS,
        MemoryStore(),
        LastUsed(),
        Providers(opened, partial(fetch, private=True)),
    )


async def _refusal(door: Authenticator, bearer: str, peer: str = "") -> Refusal:
    with pytest.raises(AuthenticationError) as caught:
        await door.authenticate(bearer, peer=peer)
    return caught.value.refusal


def _mistype(chance: random.Random, text: str) -> str:
    """One or two characters changed, swapped or lost, anywhere behind the prefix."""
    found = list(text)
    for _ in range(chance.choice((1, 2))):
        place = chance.randrange(len("bgw_"), len(found) - 1)
        way = chance.choice(("change", "swap", "lose"))
        if way == "change":
            found[place] = chance.choice("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-")
        elif way == "swap":
            found[place], found[place + 1] = found[place + 1], found[place]
        else:
            del found[place]
    return "".join(found)


async def test_a_mistyped_key_is_refused_without_a_look_up(
    door: Authenticator, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(*_: Any) -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(Authenticator, "_token_row", asked)
    chance = random.Random(7)
    tried = 0
    while tried < MISTYPED:
        text, _ = tokens.generate(livemode=False)
        for _ in range(100):
            wrong = _mistype(chance, text)
            if wrong != text:
                tried += 1
                assert await _refusal(door, wrong) is Refusal.TOKEN_MALFORMED, (text, wrong)
    print(f"{tried} mistyped keys refused without a look-up")


async def test_unknown_keys_from_one_address_are_held_up(opened: Database, two: Two, door: Authenticator) -> None:
    good = await issue_key(opened, two.clinic, role=Role.PARTNER, name="good")
    assert (await door.authenticate(good, peer="10.0.0.9")).tenant.slug == "clinic"
    found = [await _refusal(door, tokens.generate(livemode=False)[0], "10.0.0.9") for _ in range(150)]
    assert found[:100] == [Refusal.UNAUTHENTICATED] * 100
    assert Refusal.TOO_MANY_ATTEMPTS in found
    assert await _refusal(door, tokens.generate(livemode=False)[0], "10.0.0.8") is Refusal.UNAUTHENTICATED
    assert (await door.authenticate(good, peer="10.0.0.9")).tenant.slug == "clinic"  # who is known comes in


async def test_a_key_is_rotated_under_load_without_a_failed_request(
    opened: Database, two: Two, door: Authenticator
) -> None:
    key = await issue_key(opened, two.clinic, role=Role.PARTNER, name="backend")
    used, done, asked = [key], asyncio.Event(), 0

    async def load() -> None:
        nonlocal asked
        while not done.is_set():
            assert (await door.authenticate(used[-1])).tenant.slug == "clinic"
            asked += 1
            await asyncio.sleep(0)

    loads = [asyncio.create_task(load()) for _ in range(4)]
    for round_ in range(1, 6):
        while asked < 300 * round_ and not any(each.done() for each in loads):  # noqa: ASYNC110 (it counts)
            await asyncio.sleep(0.001)
        old = used[-1]
        used.append(await rotate_key(opened, tokens.parse(old).public_id, overlap=timedelta(minutes=5)))
        assert (await door.authenticate(old)).scopes == (await door.authenticate(used[-1])).scopes
    done.set()
    await asyncio.gather(*loads)
    print(f"5 rotations under {asked} requests")
    rows = await opened.system.execute_query_dict("select replaced_by, expires_at from api_tokens order by id")
    assert [row["replaced_by"] for row in rows][:-1] == [tokens.parse(each).public_id for each in used[1:]]
    assert rows[-1]["replaced_by"] is None


async def test_a_rotated_key_ends_with_its_overlap(opened: Database, two: Two, door: Authenticator) -> None:
    key = await issue_key(opened, two.clinic, role=Role.SUPPORT, name="key")
    public_id = tokens.parse(key).public_id
    with pytest.raises(UnknownTokenError):
        await rotate_key(opened, public_id, overlap=timedelta(0), tenant_id=two.school.id)
    new = await rotate_key(opened, public_id, overlap=timedelta(0))
    assert await _refusal(door, key) is Refusal.TOKEN_EXPIRED
    assert (await door.authenticate(new)).role is Role.SUPPORT
    with pytest.raises(UnknownTokenError):
        await rotate_key(opened, public_id, overlap=timedelta(0))


async def test_nowhere_in_the_database_is_a_secret(opened: Database, two: Two) -> None:
    text = await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    tables = await opened.system.execute_query_dict(
        "select table_name as name from information_schema.tables"
        " where table_schema = 'public' and table_type = 'BASE TABLE'"
    )
    secret = text.split("_")[3]
    for table in tables:
        if table["name"].startswith("tortoise"):
            continue
        rows = await opened.system.execute_query_dict(f"select t::text as row from {table['name']} t")
        assert not [row for row in rows if secret in row["row"] or secret[:43] in row["row"]], table


async def test_the_last_use_is_noted(opened: Database, two: Two, door: Authenticator) -> None:
    key = await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    before = datetime.now(UTC)
    await door.authenticate(key)
    assert await door.used.write(opened) == 1
    assert await door.used.write(opened) == 0
    rows = await opened.system.execute_query_dict("select last_used_at from api_tokens")
    assert rows[0]["last_used_at"] >= before


def _session(customer: str = "cus_1", **more: Any) -> str:
    given = {"tenant": "clinic", "livemode": False, "now": datetime.now(UTC), "lifetime": timedelta(minutes=5)}
    return SESSIONS.mint(customer=customer, **(given | more))  # type: ignore[arg-type]


async def test_sessions_end_for_a_customer_or_for_all(opened: Database, two: Two, door: Authenticator) -> None:
    one, other = _session(), _session("cus_2")
    await end_sessions(opened, two.clinic.id, "cus_1")
    assert await _refusal(door, one) is Refusal.UNAUTHENTICATED
    assert (await door.authenticate(other)).customer == "cus_2"
    assert (await door.authenticate(_session())).customer == "cus_1"  # a new one is good
    await end_sessions(opened, two.clinic.id, None)
    assert await _refusal(door, other) is Refusal.UNAUTHENTICATED
    assert (await door.authenticate(_session("cus_2"))).customer == "cus_2"


async def test_a_revoked_key_is_refused_in_every_process(opened: Database, two: Two, door: Authenticator) -> None:
    key = await issue_key(opened, two.clinic, role=Role.PARTNER, name="key")
    assert await door.authenticate(key)
    await revoke_key(opened, tokens.parse(key).public_id)
    assert await _refusal(door, key) is Refusal.UNAUTHENTICATED


def _part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _shared(header: dict[str, Any], claims: dict[str, Any], secret: bytes) -> str:
    """Signed with a shared secret, as a careless library would let a public key be."""
    signed = f"{_part(header)}.{_part(claims)}"
    return f"{signed}.{_part(hmac.new(secret, signed.encode(), 'sha256').digest())}"


def _claims(**changes: Any) -> dict[str, Any]:
    now = datetime.now(UTC).timestamp()
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "cus_1", "tenant": "clinic", "livemode": False}
    return claims | {"iat": int(now), "exp": int(now) + 300} | changes


def _forged() -> dict[str, str]:
    """The attacks that RFC 8725 names, on our own session tokens."""
    OWN.ensure_kid()
    header = {"alg": "Ed25519", "typ": "session+jwt", "kid": OWN.kid}
    good = jwt.encode(header, _claims(), OWN, algorithms=["Ed25519"])
    first, body, signature = good.split(".")
    public = OWN.as_pem(private=False)
    stranger = OKPKey.generate_key("Ed25519")
    embedded = header | {"jwk": stranger.as_dict(private=False)}
    return {
        "none": f"{_part({**header, 'alg': 'none'})}.{body}.",
        "None in another spelling": f"{_part({**header, 'alg': 'nOnE'})}.{body}.",
        "no signature": f"{first}.{body}.",
        "the public key as a shared secret": _shared(header | {"alg": "HS256"}, _claims(), public),
        "a key of its own in the header": jwt.encode(embedded, _claims(), stranger, algorithms=["Ed25519"]),
        "a key elsewhere": jwt.encode(
            header | {"jku": "http://127.0.0.1/keys"}, _claims(), stranger, algorithms=["Ed25519"]
        ),
        "another type": jwt.encode(header | {"typ": "JWT"}, _claims(), OWN, algorithms=["Ed25519"]),
        "no type": jwt.encode({"alg": "Ed25519", "kid": OWN.kid}, _claims(), OWN, algorithms=["Ed25519"]),
        "another audience": jwt.encode(header, _claims(aud="elsewhere"), OWN, algorithms=["Ed25519"]),
        "several audiences": jwt.encode(header, _claims(aud=[AUDIENCE, "x"]), OWN, algorithms=["Ed25519"]),
        "no expiry": jwt.encode(
            header, {k: v for k, v in _claims().items() if k != "exp"}, OWN, algorithms=["Ed25519"]
        ),
        "a life too long": jwt.encode(
            header, _claims(exp=int(datetime.now(UTC).timestamp()) + 90_000), OWN, algorithms=["Ed25519"]
        ),
        "issued in the future": jwt.encode(
            header, _claims(iat=int(datetime.now(UTC).timestamp()) + 900), OWN, algorithms=["Ed25519"]
        ),
        "an expiry in words": jwt.encode(header, _claims(exp="tomorrow"), OWN, algorithms=["Ed25519"]),
        "the customer as a list": jwt.encode(header, _claims(sub=["cus_1"]), OWN, algorithms=["Ed25519"]),
        "another tenant's body": f"{first}.{_part(_claims(tenant='school'))}.{signature}",
        "critical extensions": jwt.encode(header, _claims(), OWN, algorithms=["Ed25519"]).replace(
            first, _part(header | {"crit": ["exp"]})
        ),
        "encrypted": "a.b.c.d.e",
        "another alphabet": good.replace(".", "\u3002"),
    }


@pytest.mark.parametrize("attack", sorted(_forged()))
async def test_the_attacks_of_rfc_8725_are_refused(two: Two, door: Authenticator, attack: str) -> None:
    assert await _refusal(door, _forged()[attack]) is Refusal.UNAUTHENTICATED


@dataclass
class Provider:
    """An identity provider of the clinic's, with its keys."""

    issuer: str
    audience: str
    key: RSAKey
    keys: list[dict[str, Any]]
    fetched: int = 0

    def token(self, *, key: Any = None, alg: str = "RS256", **changes: Any) -> str:
        signing = key or self.key
        signing.ensure_kid()
        now = int(datetime.now(UTC).timestamp())
        claims = {"iss": self.issuer, "aud": self.audience, "sub": "patient-1", "iat": now, "exp": now + 300}
        claims = {name: value for name, value in (claims | changes).items() if value is not None}
        return jwt.encode({"alg": alg, "kid": signing.kid}, claims, signing, algorithms=[alg])


@pytest.fixture
async def provider(opened: Database, two: Two) -> AsyncIterator[Provider]:
    key = RSAKey.generate_key(2048)
    key.ensure_kid()
    found = Provider("https://id.clinic.example", "", key, [key.as_dict(private=False)])

    async def keys(_: Request) -> Response:
        found.fetched += 1
        return JSONResponse({"keys": found.keys})

    async with serving(Starlette(routes=[Route("/keys", keys)])) as address:
        found.audience = await add_provider(
            opened,
            two.clinic,
            issuer=found.issuer,
            jwks_url=f"{address}/keys",
            claim="sub",
            algorithms=["RS256", "ES256"],
        )
        await opened.system.execute_query(
            "insert into customers"
            " (tenant_id, livemode, stripe_id, external_id, balance, stamp, source, created, digest, data)"
            " select id, false, 'cus_p1', 'patient-1', 0, now(), 'api', now(), '\\x00', '{}' from tenants",
        )
        yield found


async def test_a_providers_token_speaks_for_the_customer_with_the_external_id(
    two: Two, door: Authenticator, provider: Provider
) -> None:
    caller = await door.authenticate(provider.token())
    assert (caller.tenant.slug, caller.role, caller.customer) == ("clinic", Role.CUSTOMER, "cus_p1")
    for _ in range(5):
        await door.authenticate(provider.token())
    assert provider.fetched == 1


async def test_a_rolled_key_is_fetched(
    door: Authenticator, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    await door.authenticate(provider.token())
    new = ECKey.generate_key("P-256")
    new.ensure_kid()
    provider.keys.append(new.as_dict(private=False))
    assert await _refusal(door, provider.token(key=new, alg="ES256")) is Refusal.UNAUTHENTICATED  # asked a moment ago
    monkeypatch.setattr("tenants.providers.RETRY_UNKNOWN", 0.0)
    assert (await door.authenticate(provider.token(key=new, alg="ES256"))).customer == "cus_p1"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://elsewhere.example"},
        {"aud": "billing-gateway:school:0000"},
        {"aud": ["a", "b"]},
        {"sub": "patient-2"},
        {"sub": None},
        {"sub": 7},
        {"exp": None},
        {"iat": None},
        {"nbf": 4_000_000_000},
        {"exp": 4_000_000_000},
    ],
)
async def test_a_providers_token_that_is_not_right_is_refused(
    door: Authenticator, provider: Provider, changes: dict[str, Any]
) -> None:
    assert await _refusal(door, provider.token(**changes)) is Refusal.UNAUTHENTICATED


async def test_a_provider_can_not_make_our_own_tokens_nor_sign_with_its_public_key(
    door: Authenticator, provider: Provider
) -> None:
    claims = json.loads(base64.urlsafe_b64decode(provider.token().split(".")[1] + "=="))
    header = {"alg": "HS256", "kid": provider.key.kid}
    shared = _shared(header, claims, provider.key.as_pem(private=False))
    assert await _refusal(door, shared) is Refusal.UNAUTHENTICATED
    assert await _refusal(door, provider.token(iss=ISSUER, aud=AUDIENCE)) is Refusal.UNAUTHENTICATED
    stranger = RSAKey.generate_key(2048)
    assert await _refusal(door, provider.token(key=stranger)) is Refusal.UNAUTHENTICATED
    assert await _refusal(door, provider.token(alg="PS256")) is Refusal.UNAUTHENTICATED  # not one of those registered


async def test_an_ended_provider_or_session_is_refused(
    opened: Database, two: Two, door: Authenticator, provider: Provider
) -> None:
    token = provider.token(iat=int(datetime.now(UTC).timestamp()) - 5)
    assert await door.authenticate(token)
    await end_sessions(opened, two.clinic.id, "cus_p1")
    assert await _refusal(door, token) is Refusal.UNAUTHENTICATED
    await remove_provider(opened, two.clinic.id, provider.audience)
    assert await _refusal(door, provider.token()) is Refusal.UNAUTHENTICATED


async def test_a_provider_that_does_not_answer_is_asked_seldom_and_its_old_keys_end(
    door: Authenticator, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    async def silent(_: str) -> bytes:
        nonlocal asked
        asked += 1
        raise OSError

    working = door.providers.fetch
    door.providers.fetch = silent
    tried = await asyncio.gather(*(_refusal(door, provider.token()) for _ in range(20)))
    assert (set(tried), asked) == ({Refusal.UNAUTHENTICATED}, 1)
    monkeypatch.setattr("tenants.providers.RETRY_FAILED", 0.0)
    door.providers.fetch = working
    assert (await door.authenticate(provider.token())).customer == "cus_p1"
    door.providers.fetch = silent
    monkeypatch.setattr("tenants.providers.KEYS_LIVE", 0.0)
    assert (await door.authenticate(provider.token())).customer == "cus_p1"  # the old keys do for a while
    monkeypatch.setattr("tenants.providers.KEYS_LAST", 0.0)
    assert await _refusal(door, provider.token()) is Refusal.UNAUTHENTICATED
