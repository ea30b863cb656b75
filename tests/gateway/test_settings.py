"""Settings come from the environment, say clearly what is wrong with them, and never show a secret."""

import json
from pathlib import Path

import pytest
from joserfc.jwk import OKPKey
from pydantic import ValidationError

from gateway.session_keys import new_session_key, session_keys
from gateway.settings import LogFormat, Settings, SettingsError
from gateway.settings_page import settings_page

ROOT = Path(__file__).parents[2]
GIVEN = {
    "DATABASE_URL": "postgresql://gateway_owner:own-er@db.example:5433/billing?sslmode=require",
    "GATEWAY_APP_PASSWORD": "app-word",
    "GATEWAY_SYSTEM_PASSWORD": "system-word",
    "STRIPE_API_KEY": "sk_test_123456",
    "STRIPE_WEBHOOK_SECRETS": "whsec_one, whsec_two,",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def test_each_role_gets_its_own_login_to_the_same_database() -> None:
    settings = Settings.load()
    urls = [settings.owner_url(), settings.app_url(), settings.system_url()]
    assert [(url.user, url.password) for url in urls] == [
        ("gateway_owner", "own-er"),
        ("gateway_app", "app-word"),
        ("gateway_system", "system-word"),
    ]
    assert {(url.host, url.port, url.database, url.ssl) for url in urls} == {("db.example", 5433, "billing", "require")}


def test_webhook_secrets_are_separated_by_commas() -> None:
    assert Settings.load().webhook_secrets() == ("whsec_one", "whsec_two")


def test_defaults_listen_on_the_loopback_interface_only() -> None:
    settings = Settings.load()
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.gateway_log_format is LogFormat.JSON


@pytest.mark.parametrize(
    ("key", "base", "described", "livemode"),
    [
        ("sk_test_1", "", "Stripe test mode", False),
        ("rk_live_1", "", "Stripe LIVE mode", True),
        ("sk_test_1", "http://127.0.0.1:12111/", "sandbox at http://127.0.0.1:12111", False),
    ],
)
def test_it_says_which_stripe_it_talks_to(
    environment: pytest.MonkeyPatch, key: str, base: str, described: str, livemode: bool
) -> None:
    environment.setenv("STRIPE_API_KEY", key)
    environment.setenv("STRIPE_API_BASE", base)
    settings = Settings.load()
    assert settings.stripe_description() == described
    assert settings.livemode is livemode


@pytest.mark.parametrize("key", ["sk_live_verysecret", "rk_live_verysecret"])
def test_a_live_key_never_meets_a_stand_in(environment: pytest.MonkeyPatch, key: str) -> None:
    environment.setenv("STRIPE_API_KEY", key)
    environment.setenv("STRIPE_API_BASE", "http://127.0.0.1:12111")
    with pytest.raises(SettingsError, match="a live key is only ever sent to Stripe itself") as refusal:
        Settings.load()
    assert "verysecret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("DATABASE_URL", "mysql://u:hidden@h/d", "DATABASE_URL: the database URL must start with postgresql://"),
        ("DATABASE_URL", "postgresql://u:hid/den@h/d", "DATABASE_URL: can't be read as a URL"),
        ("STRIPE_API_KEY", "pk_test_hidden", "STRIPE_API_KEY: must begin with sk_test_"),
        ("STRIPE_API_BASE", "ftp://hidden", "STRIPE_API_BASE: must be an address that begins with http://"),
        ("GATEWAY_PORT", "hidden", "GATEWAY_PORT: Input should be a valid integer"),
        ("GATEWAY_PORT", "70000", "GATEWAY_PORT: Input should be less than or equal to 65535"),
        ("STRIPE_TIMEOUT", "0", "STRIPE_TIMEOUT: Input should be greater than 0"),
        ("GATEWAY_LOG_FORMAT", "hidden", "GATEWAY_LOG_FORMAT: Input should be 'json' or 'console'"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line_without_its_value(
    environment: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    environment.setenv(name, value)
    with pytest.raises(SettingsError) as refusal:
        Settings.load()
    assert str(refusal.value).startswith(message)
    assert "hid" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_missing_settings_are_named_together(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("STRIPE_API_KEY", "")
    with pytest.raises(SettingsError, match="STRIPE_API_KEY, GATEWAY_SESSION_KEY must be set"):
        Settings.load("database_url", "stripe_api_key", "gateway_session_key")


def test_no_secret_shows_when_settings_are_printed() -> None:
    shown = repr(Settings.load()) + str(Settings.load())
    assert not [word for word in ("own-er", "app-word", "system-word", "123456", "whsec_one") if word in shown]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings.load().gateway_port = 1


def test_a_session_key_may_be_pem_or_jwk_one_or_several() -> None:
    first, second = new_session_key(), new_session_key()
    jwk = [OKPKey.import_key(pem).as_dict(private=True) for pem in (first, second)]
    assert session_keys(first) == [first]
    assert session_keys(first + second) == [first, second]
    assert session_keys(first.replace("\n", "\\n")) == [first]
    assert session_keys(json.dumps(jwk[0])) == [first]
    assert session_keys(json.dumps({"keys": jwk})) == [first, second]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hidden",
        "{",
        '{"keys": []}',
        '{"keys": 5}',
        '{"kty": "oct", "k": "aGlkZGVu"}',
        "-----BEGIN PRIVATE KEY-----\nhidden\n-----END PRIVATE KEY-----",
        json.dumps(OKPKey.generate_key("Ed25519").as_dict(private=False)),
        json.dumps(OKPKey.generate_key("X25519").as_dict(private=True)),
    ],
)
def test_anything_else_is_no_session_key(text: str) -> None:
    with pytest.raises(SettingsError, match="Ed25519 private keys") as refusal:
        session_keys(text)
    assert "hidden" not in str(refusal.value)


def test_every_field_says_what_it_means() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_page_of_settings_is_what_the_code_says() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == settings_page()
