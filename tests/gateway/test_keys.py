"""Keys that keys make: never with more than their maker has, by issuing and by rotating alike."""

from typing import Any

import httpx
import pytest

from storage.database import Database
from tenants import tokens
from tenants.context import Role, Scope
from tenants.registry import issue_key, issue_platform_key
from tests.support.gateway import endpoint_client
from tests.support.tenants import Two

ISSUE = """mutation ($input: ApiTokenIssueInput!) { made: apiTokenIssue(input: $input) {
  token apiToken { role scopes } errors { code field } } }"""
ROTATE = """mutation ($input: ApiTokenRotateInput!) { made: apiTokenRotate(input: $input) {
  token apiToken { scopes } errors { code field } } }"""


async def _do(client: httpx.AsyncClient, key: str, query: str, tenant: str = "", **given: Any) -> dict[str, Any]:
    headers = {"authorization": f"Bearer {key}"} | ({"billing-tenant": tenant} if tenant else {})
    answer = (
        await client.post("/graphql", json={"query": query, "variables": {"input": given}}, headers=headers)
    ).json()
    assert "errors" not in answer, answer
    found: dict[str, Any] = answer["data"]["made"]
    return found


async def _count(opened: Database) -> int:
    rows = await opened.system.execute_query_dict("select count(*) as n from api_tokens")
    return int(rows[0]["n"])


@pytest.mark.parametrize("kind", ["an administrator with one scope", "the platform"])
async def test_a_key_can_not_make_one_that_may_do_more(opened: Database, two: Two, kind: str) -> None:
    strong = await issue_key(opened, two.clinic, role=Role.PARTNER, name="strong")
    if kind == "the platform":
        key, tenant = await issue_platform_key(opened, name="platform", livemode=False), "clinic"
        own = ["READ", "TENANT_ADMIN"]
    else:
        key = await issue_key(opened, two.clinic, role=Role.ADMIN, name="weak", scopes=[Scope.TENANT_ADMIN])
        tenant, own = "", ["TENANT_ADMIN"]
    async with endpoint_client(opened) as (client, _):
        before = await _count(opened)
        for scopes in (["PAYMENTS_WRITE"], ["TENANT_ADMIN", "SUBSCRIPTIONS_WRITE"], []):
            refused = await _do(client, key, ISSUE, tenant, name="more", role="ADMIN", scopes=scopes)
            assert (refused["token"], refused["errors"]) == (None, [{"code": "FORBIDDEN", "field": "scopes"}])
        rotated = await _do(client, key, ROTATE, tenant, publicId=tokens.parse(strong).public_id)
        assert (rotated["token"], rotated["errors"]) == (None, [{"code": "FORBIDDEN", "field": "scopes"}])
        assert await _count(opened) == before
        made = await _do(client, key, ISSUE, tenant, name="as much", role="ADMIN")
        assert (made["errors"], made["apiToken"]) == ([], {"role": "ADMIN", "scopes": own})
        again = await _do(client, key, ROTATE, tenant, publicId=tokens.parse(made["token"]).public_id)
        assert (again["errors"], again["apiToken"]) == ([], {"scopes": own})


async def test_an_administrator_makes_and_rotates_every_kind_of_key(opened: Database, two: Two) -> None:
    key = await issue_key(opened, two.clinic, role=Role.ADMIN, name="admin")
    async with endpoint_client(opened) as (client, _):
        for role in ("PARTNER", "ADMIN", "SUPPORT"):
            made = await _do(client, key, ISSUE, name=role, role=role)
            assert made["errors"] == []
            assert made["apiToken"]["role"] == role
            public_id = tokens.parse(made["token"]).public_id
            rotated = await _do(client, key, ROTATE, publicId=public_id)
            assert rotated["apiToken"]["scopes"] == made["apiToken"]["scopes"]
            twice = await _do(client, key, ROTATE, publicId=public_id)
            assert (twice["token"], twice["errors"]) == (None, [{"code": "INVALID_INPUT", "field": "publicId"}])
        before = await _count(opened)
        odd = await _do(client, key, ISSUE, name="odd", role="SUPPORT", scopes=["READ", "CUSTOMERS_WRITE"])
        assert (odd["token"], odd["errors"]) == (None, [{"code": "INVALID_INPUT", "field": "scopes"}])
        assert await _count(opened) == before
