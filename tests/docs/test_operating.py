"""The page for operators, compared with the code: event types, rules of identity providers, limits."""

import re
import typing

import stripe
from stripe.params import WebhookEndpointCreateParams

from mirror.kinds import KINDS
from tenants import providers, safe_fetch
from tests.docs import reading
from webhooks import accounts, app

PAGE = reading.text("docs/operating.md")
WORDS = " ".join(PAGE.split())
# Stripe names an event after its object, and subscriptions after their customer too.
OBJECTS = {"customer.subscription": "subscription"}
# Its invoice is not there yet.
NOT_MIRRORED = {"invoice.upcoming"}


def known_to_stripe() -> set[str]:
    """The event types that an endpoint of our API version may have."""
    (types,) = typing.get_args(WebhookEndpointCreateParams.__annotations__["enabled_events"])
    return set(typing.get_args(types))


def test_the_events_to_subscribe_to_are_those_of_mirrored_objects() -> None:
    (block,) = reading.snippets(PAGE, "text")
    listed = block.split()
    assert len(listed) == len(set(listed))
    objects = {name: name.rpartition(".")[0] for name in known_to_stripe()}
    mirrored = {name for name, object_ in objects.items() if OBJECTS.get(object_, object_) in KINDS}
    assert mirrored > NOT_MIRRORED
    assert set(listed) == mirrored - NOT_MIRRORED | accounts.TYPES


def test_every_kind_of_the_mirror_has_events() -> None:
    objects = {name.rpartition(".")[0] for name in reading.snippets(PAGE, "text")[0].split()}
    assert set(KINDS) <= {OBJECTS.get(object_, object_) for object_ in objects}


def test_the_endpoint_is_ours() -> None:
    assert f"API version `{stripe.api_version}`" in WORDS
    assert f"https://<sidecar>{app.PATH}`" in WORDS


def test_rules_for_tokens_of_identity_providers_are_those_of_the_code() -> None:
    rules = dict(reading.table(PAGE.replace("| length", "| `length"), "Identity providers"))
    assert rules["length"] == f"{providers.LONGEST_TOKEN:,} characters"
    assert f"Clocks may differ by {providers.LEEWAY} seconds" in WORDS
    assert f"at most {providers.LONGEST_LIFE // 3600} hours apart" in WORDS
    assert f"{safe_fetch.MOST_BYTES // 1024} KiB and {providers._MOST_KEYS} keys at the most" in WORDS
    assert f"within {safe_fetch.SECONDS:g} seconds" in WORDS
    assert f"every {providers.RETRY_UNKNOWN:g} seconds at the most" in WORDS
    assert (providers.KEYS_LIVE, providers.KEYS_LAST) == (600.0, 24 * 3600.0)  # ten minutes, a day
    families = {re.sub(r"\d+$", "", name) for name in providers.ALGORITHMS}
    assert families == {"RS", "PS", "ES", "Ed", "EdDSA"}  # RSA, ECDSA and Ed25519


def test_settings_that_the_page_names_exist() -> None:
    settings = reading.text("docs/settings.md")
    named = set(re.findall(r"`((?:GATEWAY|STRIPE|GRAPHQL|DATABASE|REDIS)_[A-Z_]+)`", PAGE))
    assert len(named) >= 10
    assert {name for name in named if f"| `{name}` |" not in settings} == set()
