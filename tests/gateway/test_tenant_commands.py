"""Tenants from the command line: looked at before anything is done, continued after a fault, closed if that is safe."""

import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import pytest

from gateway.settings import environment_for
from storage.database import DatabaseUrl
from tests.support.commands import Operators, Said, operators_of

KEY = "sk_test_commands"
CLINIC = ["--name", "Mercy Health", "--industry", "healthcare", "--email", "billing@mercy.example"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """A real sandbox, and its address."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    with subprocess.Popen(
        [sys.executable, "-m", "gateway", "sandbox", "--port", str(port)],
        env=environment_for({"STRIPE_API_KEY": KEY, "STRIPE_API_BASE": ""}),
    ) as process:
        try:
            deadline = time.monotonic() + 30
            while not _answers(base):
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield base
        finally:
            process.terminate()


def _answers(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/_sandbox/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture
def gateway(database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> Operators:
    """Stripe is at an address where nobody listens: whatever is refused is refused before it is asked."""
    made = operators_of(database_url, monkeypatch)
    made.set(stripe_api_key=KEY, stripe_api_base="http://127.0.0.1:1")
    return made


def add(gateway: Operators, slug: str = "mercy", *more: str) -> Said:
    return gateway("tenants", "add", slug, *CLINIC, *more)


def shown(gateway: Operators, slug: str) -> dict[str, str]:
    return {row[0]: row[1] for row in gateway("tenants", "show", slug).rows}


@pytest.mark.parametrize(
    ("slug", "options", "said"),
    [
        ("Bad_Slug", [], "'Bad_Slug' is no slug: 1 to 40 small letters"),
        ("-a", [], "'-a' is no slug"),
        ("a" * 41, [], "is no slug"),
        ("a\n", [], "is no slug"),
        ("mercy", ["--country", "ZZ"], "--country: 'ZZ' is no country's code"),
        ("mercy", ["--country", "USA"], "--country"),
        ("mercy", ["--currency", "zzz"], "--currency: 'zzz' is no currency's code"),
        ("mercy", ["--currency", "us"], "--currency"),
        ("mercy", ["--mcc", "7372"], "--mcc: '7372' is no category of healthcare; these are: 8062, 8011"),
        ("mercy", ["--email", "nobody"], "--email"),
        ("mercy", ["--email", "a b@mercy.example"], "--email"),
        ("mercy", ["--name", " "], "--name: 1 to 100 characters"),
        ("mercy", ["--name", "x" * 101], "--name"),
        ("mercy", ["--return-url", "ftp://mercy.example"], "--return-url"),
    ],
)
def test_what_could_not_be_a_tenant_is_refused_before_anything_is_done(
    gateway: Operators, slug: str, options: list[str], said: str
) -> None:
    before = gateway.state()
    asked = gateway("tenants", "add", *CLINIC, *options, "--", slug)
    assert said in asked.error
    assert gateway.state() == before


def test_a_tenant_that_stripe_did_not_hear_of_waits_and_the_same_command_goes_on(
    gateway: Operators, sandbox: str
) -> None:
    assert add(gateway).error == (
        "Stripe can't be reached now. mercy is pending: repeat the command to go on, or `gateway tenants remove mercy`"
    )
    assert gateway("tenants", "list").rows == [["mercy", "pending", "-", "Mercy Health"]]
    gateway.set(stripe_api_base=sandbox)
    link = add(gateway, "mercy", "--name", "Mercy Health Network", "--mcc", "8011").out.strip()
    assert link.startswith("http")
    found = shown(gateway, "mercy")
    assert (found["status"], found["name"], found["mcc"]) == ("active", "Mercy Health Network", "8011")
    assert found["account_id"].startswith("acct_")
    assert found["charges_enabled"] == "no"
    assert gateway.ask("select count(*) from tenants") == [(1,)]
    assert add(gateway, "mercy", "--name", "Mercy Health Network", "--mcc", "8011").out.strip() != link


def test_a_tenant_with_its_account_is_not_made_another_one(gateway: Operators, sandbox: str) -> None:
    gateway.set(stripe_api_base=sandbox)
    assert add(gateway, "other").code == 0
    before = gateway.state()
    said = add(gateway, "other", "--country", "DE", "--currency", "eur")
    assert said.error == "other has its account at Stripe already, with country US, default_currency usd"
    assert gateway.state() == before


def test_stripes_own_reason_is_told_and_the_tenant_can_be_removed(gateway: Operators, sandbox: str) -> None:
    gateway.set(stripe_api_base=sandbox)
    said = add(gateway, "far", "--country", "NP", "--currency", "npr")
    assert "country=NP" in said.error
    assert "far is pending" in said.error
    assert gateway("tenants", "remove", "far").code == 0
    assert gateway("tenants", "list").out == ""
    assert gateway("tenants", "list", "--all").rows == [["far", "closed", "-", "Mercy Health"]]
    actions = [row[2] for row in gateway("audit", "list", "far").rows]
    assert actions == ["tenantClose", "tenantCreate"]


def test_an_answer_that_stripe_keeps_is_told_of_and_the_first_options_still_count(
    gateway: Operators, sandbox: str
) -> None:
    gateway.set(stripe_api_base=sandbox)
    far = ["--country", "NP", "--currency", "npr"]
    first = add(gateway, "again", *far).error
    assert "Stripe keeps its answer to an earlier try for again for a day" in add(gateway, "again").error
    assert shown(gateway, "again")["account_id"] == "-"
    assert add(gateway, "again", *far).error == first


def test_what_was_removed_has_no_commands_until_it_is_added_again(gateway: Operators) -> None:
    add(gateway)
    assert gateway("tokens", "issue", "--tenant", "mercy", "--name", "key").code == 0
    ((key, *_),) = gateway("tokens", "list", "mercy").rows
    assert gateway("tenants", "remove", "mercy").code == 0
    before = gateway.state()
    for arguments in (
        ["tokens", "issue", "--tenant", "mercy", "--name", "key"],
        ["tenants", "set", "mercy", "--no-features"],
        ["tenants", "remove", "mercy"],
    ):
        assert gateway(*arguments).error.startswith("the tenant mercy was removed")
    assert gateway.state() == before
    assert "mercy is pending" in add(gateway).error
    assert [row[:2] for row in gateway("tokens", "list", "mercy").rows] == [[key, "revoked"]]
    assert shown(gateway, "mercy")["status"] == "pending"


@pytest.mark.parametrize("status", ["active", "disconnected"])
def test_a_tenant_with_an_account_is_not_removed(gateway: Operators, status: str) -> None:
    gateway.two_tenants()
    gateway.ask("update tenants set status = $1 where slug = 'clinic'", status)
    before = gateway.state()
    assert gateway("tenants", "remove", "clinic").error.startswith("clinic has the account acct_clinic at Stripe and")
    assert gateway.state() == before


def test_a_tenant_shows_all_that_it_has(gateway: Operators) -> None:
    gateway.two_tenants()
    options = ["--feature", "portal", "--feature", "checkout", "--origin", "https://app.example.org", "--trusted-only"]
    assert gateway("tenants", "set", "clinic", *options).code == 0
    assert shown(gateway, "clinic") == {
        "slug": "clinic",
        "name": "Clinic Inc.",
        "industry": "healthcare",
        "mcc": "8011",
        "country": "US",
        "default_currency": "usd",
        "livemode": "no",
        "status": "active",
        "features": "checkout,portal",
        "origins": "https://app.example.org",
        "trusted_only": "yes",
        "account_id": "acct_clinic",
        "charges_enabled": "-",
    }


@pytest.mark.parametrize("options", [[], ["--feature", "portal", "--no-features"], ["--origin", "x", "--no-origins"]])
def test_setting_nothing_or_its_opposite_too_is_a_mistake(gateway: Operators, options: list[str]) -> None:
    gateway.two_tenants()
    before = gateway.state()
    said = gateway("tenants", "set", "clinic", *options)
    assert (said.code, said.out) == (2, "")
    assert "Usage:" in said.err
    assert gateway.state() == before


def test_only_adding_asks_for_a_key_of_stripes(gateway: Operators) -> None:
    gateway.two_tenants()
    gateway.set(stripe_api_key="", stripe_api_base="")
    for arguments in (
        ["tenants", "list"],
        ["tenants", "show", "clinic"],
        ["tenants", "set", "clinic", "--any-document"],
        ["audit", "list", "clinic"],
        ["audit", "verify"],
        ["inbox", "status"],
        ["invariants"],
        ["tokens", "list", "clinic"],
        ["providers", "list", "clinic"],
        ["documents", "list", "clinic"],
        ["mirror", "dump", "--tenant", "clinic"],
    ):
        said = gateway(*arguments)
        assert said.code == 0, said
    assert add(gateway).error == "STRIPE_API_KEY must be set (docs/settings.md says to what)"


def test_a_database_that_is_away_is_one_line(gateway: Operators) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        port = reserved.getsockname()[1]
        gateway.set(database_url=f"postgresql://me:hidden@127.0.0.1:{port}/billing")
        said = gateway("tenants", "list")
    assert said.error.startswith(f"can't reach the database billing on 127.0.0.1:{port}")
    assert "hidden" not in said.err


def test_a_wrong_password_is_one_line(gateway: Operators) -> None:
    gateway.set(gateway_system_password="wrong-and-hidden")
    assert "does not let the gateway's roles in" in (error := gateway("tenants", "list").error)
    assert "wrong-and-hidden" not in error


def test_tables_of_an_older_version_are_one_line(gateway: Operators) -> None:
    gateway.ask("drop table platform_entries")
    said = gateway("audit", "list", "--platform")
    assert said.error.endswith("has tables of another version: run `gateway migrate`")


def test_a_host_that_nobody_knows_is_one_line(gateway: Operators) -> None:
    gateway.set(database_url="postgresql://me:hidden@nowhere.invalid/billing")
    assert gateway("tenants", "list").error.startswith("can't reach the database billing on nowhere.invalid:5432")
