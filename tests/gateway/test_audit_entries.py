"""The audit log over the API: paged, narrowed, with its place in the chain; looking at it leaves an entry too."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from compliance.chain import seal, verify
from storage.database import Database
from tenants.context import Role
from tenants.registry import issue_key
from tests.support.gateway import endpoint_client
from tests.support.tenants import Two

PAGE = """query ($first: Int, $last: Int, $after: String, $before: String, $order: Order!, $filter: AuditFilter) {
  auditEntries(first: $first, last: $last, after: $after, before: $before, order: $order, filter: $filter) {
    totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
    nodes { id at actor action target outcome requestId place hash } } }"""


@pytest.fixture
async def admin(opened: Database, two: Two) -> AsyncIterator[httpx.AsyncClient]:
    key = await issue_key(opened, two.clinic, role=Role.ADMIN, name="admin")
    await issue_key(opened, two.school, role=Role.ADMIN, name="elsewhere")
    async with endpoint_client(opened) as (client, _):
        client.headers["authorization"] = f"Bearer {key}"
        yield client


async def _page(admin: httpx.AsyncClient, order: str = "NEWEST_FIRST", **given: Any) -> dict[str, Any]:
    answer = (await admin.post("/graphql", json={"query": PAGE, "variables": {"order": order, **given}})).json()
    assert "errors" not in answer, answer
    found: dict[str, Any] = answer["data"]["auditEntries"]
    return found


@pytest.mark.parametrize("order", ["NEWEST_FIRST", "OLDEST_FIRST"])
async def test_pages_cover_the_log_in_both_orders_and_from_both_ends(admin: httpx.AsyncClient, order: str) -> None:
    for number in range(7):
        issue = f'mutation {{ apiTokenIssue(input: {{ name: "key {number}" }}) {{ errors {{ code }} }} }}'
        assert (await admin.post("/graphql", json={"query": issue})).status_code == 200
    only = {"filter": {"action": "apiTokenIssue"}}
    whole = [node["id"] for node in (await _page(admin, order, first=50, **only))["nodes"]]
    assert len(whole) == 8  # the administrator's own key too
    forward, cursor = [], None
    while True:
        page = await _page(admin, order, first=3, after=cursor, **only)
        assert page["totalCount"] == len(whole)
        forward += [node["id"] for node in page["nodes"]]
        cursor = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break
    backward: list[str] = []
    cursor = None
    while True:
        page = await _page(admin, order, last=3, before=cursor, **only)
        backward[:0] = [node["id"] for node in page["nodes"]]
        cursor = page["pageInfo"]["startCursor"]
        if not page["pageInfo"]["hasPreviousPage"]:
            break
    assert forward == backward == whole
    other = await _page(admin, "NEWEST_FIRST" if order == "OLDEST_FIRST" else "OLDEST_FIRST", first=50, **only)
    assert [node["id"] for node in other["nodes"]] == whole[::-1]


async def test_what_is_done_and_what_is_looked_at_is_told(admin: httpx.AsyncClient, opened: Database) -> None:
    issue = 'mutation { apiTokenIssue(input: { name: "key" }) { apiToken { publicId } } }'
    made = (await admin.post("/graphql", json={"query": issue}, headers={"x-request-id": "request-0001"})).json()
    public_id = made["data"]["apiTokenIssue"]["apiToken"]["publicId"]
    (entry,) = (await _page(admin, first=5, filter={"target": public_id}))["nodes"]
    assert (entry["action"], entry["outcome"], entry["requestId"]) == ("apiTokenIssue", "ok", "request-0001")
    assert entry["actor"].startswith("admin:")
    assert (entry["place"], entry["hash"]) == (None, None)
    for query in ("{ apiTokens { name } }", "{ syncStatus { deadEvents } }"):
        assert "errors" not in (await admin.post("/graphql", json={"query": query})).json()
    newest = (await _page(admin, first=3))["nodes"]
    told = [(one["action"], one["outcome"]) for one in newest]
    assert told == [("auditEntries", "read"), ("syncStatus", "read"), ("apiTokens", "read")]
    await seal(opened)
    (sealed,) = (await _page(admin, first=5, filter={"target": public_id}))["nodes"]
    chain = await opened.system.execute_query_dict(
        "select c.seq, c.hash from audit_chain c join audit_entries e"
        " on e.tenant_id = c.tenant_id and e.id = c.entry_id where e.target = $1",
        [public_id],
    )
    assert (sealed["place"], sealed["hash"]) == (str(chain[0]["seq"]), bytes(chain[0]["hash"]).hex())
    assert await verify(opened) == []


@pytest.mark.parametrize(
    "given", [{"after": "x"}, {"after": "MTpjdXNfMQ=="}, {"filter": {"action": "\0"}}, {"first": 0}]
)
async def test_what_can_not_be_looked_for_is_told_so(admin: httpx.AsyncClient, given: dict[str, Any]) -> None:
    variables = {"order": "NEWEST_FIRST", "first": 5, **given}
    answer = (await admin.post("/graphql", json={"query": PAGE, "variables": variables})).json()
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_USER_INPUT"]
