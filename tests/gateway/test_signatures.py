"""Each caller's own schema: what it hides is absent everywhere, and the generated page of permissions is current."""

from pathlib import Path
from typing import Any

import httpx
import pytest
import strawberry
from graphql import build_schema, get_introspection_query

from gateway.permissions_page import page
from gateway.signatures import Schemas, Signature, build
from storage.database import Database
from tenants.context import DEFAULT_FEATURES, ROLE_SCOPES, Feature, Role, Scope
from tenants.registry import issue_key, save_tenant
from tests.support.gateway import endpoint_client
from tests.support.tenants import Two

ROOT = Path(__file__).parent.parent.parent


def _sdl(role: Role, *, scopes: frozenset[Scope] | None = None, features: tuple[str, ...] = DEFAULT_FEATURES) -> str:
    granted = ROLE_SCOPES[role] if scopes is None else scopes
    return build(Signature(role, granted, frozenset(features))).as_str()


@pytest.mark.parametrize(
    ("role", "seen", "hidden"),
    [
        (
            Role.CUSTOMER,
            {"portalSessionCreate", "customerUpdate"},
            {"customerCreate", "syncStatus", "subscriptionChange"},
        ),
        (Role.PARTNER, {"customerCreate", "subscriptionChange"}, {"syncStatus", "reconcileStart", "apiTokens"}),
        (Role.ADMIN, {"customerCreate", "syncStatus", "reconcileStart", "apiTokens"}, set()),
        (Role.SUPPORT, {"customers", "invoices"}, {"type Mutation", "syncStatus", "BillingError", "Payload"}),
        (Role.PLATFORM, {"syncStatus", "reconcileStart"}, {"customerCreate", "portalSessionCreate"}),
    ],
)
def test_a_roles_schema_holds_what_it_may_use_and_nothing_else(role: Role, seen: set[str], hidden: set[str]) -> None:
    sdl = _sdl(role)
    build_schema(sdl)
    assert {word for word in seen if word not in sdl} == set()
    assert {word for word in hidden if word in sdl} == set()


def test_a_feature_that_is_off_is_nowhere() -> None:
    for feature, words in (
        (Feature.PORTAL, {"portalSessionCreate", "PortalSession"}),
        (Feature.CHECKOUT, {"checkoutSessionCreate"}),
        (Feature.PROMOTION_CODES, {"coupon", "allowPromotionCodes"}),
    ):
        off = tuple(each for each in DEFAULT_FEATURES if each is not feature)
        assert {word for word in words if word in _sdl(Role.ADMIN, features=off)} == set(), feature
        assert {word for word in words if word not in _sdl(Role.ADMIN)} == set(), feature
    assert "subscriptionChange" in _sdl(Role.CUSTOMER, features=(*DEFAULT_FEATURES, Feature.CUSTOMER_CHANGES))


def test_a_token_without_the_scope_to_read_sees_no_noun() -> None:
    sdl = _sdl(Role.PARTNER, scopes=frozenset({Scope.SESSIONS_WRITE}))
    for word in ("customers(", "type Invoice", "type PaymentMethod", "type Payment ", "latestInvoice"):
        assert word not in sdl
    assert "portalSessionCreate" in sdl


def test_signatures_that_see_the_same_share_a_schema() -> None:
    schemas = Schemas(kept=2)
    one = schemas.of(Signature(Role.PARTNER, ROLE_SCOPES[Role.PARTNER], frozenset(DEFAULT_FEATURES)))
    again = schemas.of(Signature(Role.PARTNER, ROLE_SCOPES[Role.PARTNER], frozenset({*DEFAULT_FEATURES})))
    other = schemas.of(Signature(Role.SUPPORT, ROLE_SCOPES[Role.SUPPORT], frozenset(DEFAULT_FEATURES)))
    assert one is again
    assert one is not other


async def _told(client: httpx.AsyncClient, key: str, query: str) -> tuple[int, str]:
    answer = await client.post("/graphql", json={"query": query}, headers={"authorization": f"Bearer {key}"})
    return answer.status_code, answer.text


async def test_what_is_hidden_is_told_like_what_never_was(opened: Database, two: Two) -> None:
    support = await issue_key(opened, two.clinic, role=Role.SUPPORT, name="support")
    async with endpoint_client(opened) as (client, _):
        for query, never in (
            ("{ syncStatus { deadEvents } }", "{ syncStatux { deadEvents } }"),
            ('{ __type(name: "SyncStatus") { name } }', '{ __type(name: "SyncStatux") { name } }'),
        ):
            (status, hidden), (same, missing) = [await _told(client, support, each) for each in (query, never)]
            assert status == same
            known = [text.partition('"requestId"')[0].replace("syncStatux", "syncStatus") for text in (hidden, missing)]
            assert known[0] == known[1]
        status, told = await _told(client, support, get_introspection_query())
        assert status == 200
        for word in ("SyncStatus", "reconcileStart", "customerCreate", "BillingError", "ApiToken"):
            assert word not in told
        assert "Did you mean" not in (await _told(client, support, "{ viever { role } }"))[1]


async def test_a_switched_feature_changes_the_schema_at_once(opened: Database, two: Two) -> None:
    key = await issue_key(opened, two.clinic, role=Role.PARTNER, name="partner")
    query = '{ __type(name: "Mutation") { fields { name } } }'
    async with endpoint_client(opened) as (client, _):
        assert "portalSessionCreate" in (await _told(client, key, query))[1]
        two.clinic.features = [Feature.CHECKOUT.value]
        await save_tenant(opened, two.clinic)
        assert "portalSessionCreate" not in (await _told(client, key, query))[1]


async def test_a_document_that_was_valid_for_one_is_judged_anew_for_another(opened: Database, two: Two) -> None:
    admin = await issue_key(opened, two.clinic, role=Role.ADMIN, name="admin")
    support = await issue_key(opened, two.clinic, role=Role.SUPPORT, name="support")
    query = "{ apiTokens { publicId } }"
    async with endpoint_client(opened) as (client, _):
        for _ in range(2):
            assert '"publicId"' in (await _told(client, admin, query))[1]
            status, told = await _told(client, support, query)
            assert status == 400
            assert "GRAPHQL_VALIDATION_FAILED" in told


async def test_a_schema_is_built_for_the_first_request_alone(
    opened: Database, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[object] = []
    make = strawberry.Schema.__init__

    def counted(schema: strawberry.Schema, *args: Any, **kwargs: Any) -> None:
        built.append(schema)
        make(schema, *args, **kwargs)

    partner = await issue_key(opened, two.clinic, role=Role.PARTNER, name="partner")
    same = await issue_key(opened, two.school, role=Role.PARTNER, name="another tenant's, with the same rights")
    async with endpoint_client(opened) as (client, _):
        await _told(client, partner, "{ viewer { role } }")
        monkeypatch.setattr(strawberry.Schema, "__init__", counted)
        for key in (partner, same, partner):
            assert (await _told(client, key, "{ viewer { role } }"))[0] == 200
        assert built == []
        support = await issue_key(opened, two.clinic, role=Role.SUPPORT, name="support")
        await _told(client, support, "{ viewer { role } }")
        assert len(built) == 1


async def test_a_mutation_judges_again_what_its_schema_should_have_hidden(
    opened: Database, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the tenant's settings had changed between the schema and the resolver."""
    full = Signature(Role.ADMIN, ROLE_SCOPES[Role.ADMIN], frozenset(Feature))
    whole = Schemas().of(full)
    monkeypatch.setattr(Schemas, "of", lambda *_: whole)
    support = await issue_key(opened, two.clinic, role=Role.SUPPORT, name="support")
    async with endpoint_client(opened) as (client, _):
        for name, given in (
            ("customerCreate", 'email: "a@example.org"'),
            ("subscriptionCancel", 'subscription: "sub_1"'),
            ("apiTokenRevoke", 'publicId: "0"'),
            ("portalSessionCreate", 'returnUrl: "https://example.org"'),
        ):
            query = f"mutation {{ {name}(input: {{ {given} }}) {{ errors {{ code }} }} }}"
            assert '"FORBIDDEN"' in (await _told(client, support, query))[1], name


def test_the_page_of_permissions_is_current() -> None:
    written = (ROOT / "docs" / "permissions.md").read_text("utf-8")
    assert written == page(), "run: python -m gateway.permissions_page > docs/permissions.md"
