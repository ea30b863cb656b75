"""Keys from the command line: whose they are is said aloud, platform keys rotate and end, refusals change nothing."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.session_keys import new_session_key
from storage.database import DatabaseUrl
from tenants import tokens
from tests.support.commands import Operators, operators_of


@pytest.fixture
def gateway(database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> Operators:
    made = operators_of(database_url, monkeypatch)
    made.two_tenants()
    return made


def id_of(text: str) -> str:
    return tokens.parse(text.strip()).public_id


def test_a_platform_key_is_listed_rotated_and_revoked_by_its_public_id(gateway: Operators) -> None:
    first = id_of(gateway("tokens", "issue", "--platform", "--name", "ops").out)
    second = id_of(gateway("tokens", "rotate", first, "--overlap-hours", "1").out)
    rows = gateway("tokens", "list", "--platform").rows
    assert [row[:5] for row in rows] == [
        [first, "replaced", "platform", "-", "ops"],
        [second, "valid", "platform", "-", "ops"],
    ]
    assert [row[7] for row in rows] == [second, "-"]
    for key in (first, second):
        assert gateway("tokens", "revoke", key).code == 0
    assert [row[1] for row in gateway("tokens", "list", "--platform").rows] == ["revoked", "revoked"]
    told = [row[2:] for row in gateway("audit", "list", "--platform").rows]
    assert told == [["revoke", second], ["revoke", first], ["rotate", second], ["issue", first]]
    assert gateway("tokens", "list", "clinic").out == ""


def test_the_log_tells_of_a_platform_key_and_not_of_its_secret(gateway: Operators) -> None:
    said = gateway("tokens", "issue", "--platform", "--name", "ops")
    assert '"event": "platform.key"' in said.err
    assert f'"key": "{id_of(said.out)}"' in said.err
    assert said.out.strip().rpartition("_")[2] not in said.err


def test_whose_key_it_is_has_to_be_said(gateway: Operators) -> None:
    before = gateway.state()
    for options in (
        ["--role", "admin"],
        [],
        ["--tenant", "clinic", "--platform"],
        ["--platform", "--role", "admin"],
        ["--platform", "--scope", "read"],
        ["--tenant", "clinic", "--live"],
    ):
        said = gateway("tokens", "issue", "--name", "x", *options)
        assert (said.code, said.out) == (2, "")
        assert "Usage:" in said.err
    assert gateway.state() == before


@pytest.mark.parametrize("owner", [["--platform"], ["--tenant", "clinic"]])
def test_a_key_ends_when_it_was_said_to(gateway: Operators, owner: list[str]) -> None:
    assert gateway("tokens", "issue", *owner, "--name", "ops", "--days", "3").code == 0
    table = "platform_tokens" if owner == ["--platform"] else "api_tokens"
    ((ends,),) = gateway.ask(f"select expires_at from {table}")
    assert abs(ends - datetime.now(UTC) - timedelta(days=3)) < timedelta(minutes=5)
    gateway.ask(f"update {table} set expires_at = now()")
    listed = ["--platform"] if owner == ["--platform"] else ["clinic"]
    ((public_id, state, *_),) = gateway("tokens", "list", *listed).rows
    assert state == "expired"
    before = gateway.state()
    assert gateway("tokens", "rotate", public_id).error == f"there is no valid key {public_id}"
    assert gateway.state() == before


@pytest.mark.parametrize(
    ("key", "options", "prefix"),
    [
        ("", [], "bgw_test_"),
        ("", ["--live"], "bgw_live_"),
        ("sk_live_1", [], "bgw_live_"),
        ("sk_live_1", ["--test"], "bgw_test_"),
    ],
)
def test_a_platform_key_is_of_the_mode_that_was_said(
    gateway: Operators, key: str, options: list[str], prefix: str
) -> None:
    gateway.set(stripe_api_key=key)
    assert gateway("tokens", "issue", "--platform", "--name", "ops", *options).out.startswith(prefix)


def test_scopes_that_the_role_cannot_have_are_refused(gateway: Operators) -> None:
    before = gateway.state()
    options = ["--tenant", "clinic", "--role", "support", "--scope", "read", "--scope", "customers:write"]
    said = gateway("tokens", "issue", "--name", "desk", *options)
    assert said.error == "a support key can't have customers:write; it may have read"
    assert gateway.state() == before


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_a_key_without_a_proper_name_is_refused(gateway: Operators, name: str) -> None:
    before = gateway.state()
    assert "--name" in gateway("tokens", "issue", "--tenant", "clinic", "--name", name).error
    assert gateway.state() == before


@pytest.mark.parametrize("owner", [["--platform"], ["--tenant", "clinic"]])
def test_a_key_is_replaced_once_and_the_refusal_names_its_replacement(gateway: Operators, owner: list[str]) -> None:
    first = id_of(gateway("tokens", "issue", *owner, "--name", "ops").out)
    second = id_of(gateway("tokens", "rotate", first).out)
    before = gateway.state()
    assert gateway("tokens", "rotate", first).error == f"{first} was already replaced by {second}: rotate that one"
    assert gateway.state() == before


@pytest.mark.parametrize("public_id", ["0" * 16, "nothing", "", "bgw_test_x"])
def test_an_unknown_key_is_neither_rotated_nor_revoked(gateway: Operators, public_id: str) -> None:
    before = gateway.state()
    assert gateway("tokens", "rotate", public_id).error.startswith("there is no valid key")
    assert gateway("tokens", "revoke", public_id).error.startswith("there is no key")
    assert gateway.state() == before


def test_a_session_token_is_minted_for_a_customer_of_the_mirror_alone(gateway: Operators) -> None:
    gateway.set(gateway_session_key=new_session_key())
    columns = "tenant_id, livemode, stripe_id, created, stamp, source, digest, data, balance, deleted"
    for customer, livemode, deleted in (("cus_1", False, False), ("cus_gone", False, True), ("cus_live", True, False)):
        gateway.ask(
            f"insert into customers ({columns}) select id, $1, $2, now(), now(), 'test', '', '{{}}', 0, $3 from tenants"
            " where slug = 'clinic'",
            livemode,
            customer,
            deleted,
        )
    before = gateway.state()
    for tenant, customer in (
        ("clinic", "cus_2"),
        ("clinic", "cus_gone"),
        ("clinic", "cus_live"),
        ("school", "cus_1"),
    ):
        said = gateway("tokens", "session", "--tenant", tenant, "--customer", customer)
        assert said.error == f"{tenant} has no customer {customer}"
    assert gateway.state() == before
    assert gateway("tokens", "session", "--tenant", "clinic", "--customer", "cus_1").out.count(".") == 2
    actions = gateway.ask("select action, target from audit_entries order by id desc limit 1")
    assert actions == [("customerTokenCreate", "cus_1")]


def test_only_minting_a_session_asks_for_the_key_that_signs(gateway: Operators) -> None:
    said = gateway("tokens", "session", "--tenant", "clinic", "--customer", "cus_1")
    assert said.error == "GATEWAY_SESSION_KEY must be set (docs/settings.md says to what)"
