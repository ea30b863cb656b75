"""GraphiQL in a real browser, against an endpoint that refuses everything without its token."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import strawberry
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pages import graphiql
from pages.graphiql import ASSETS, Example
from tests.browser import STEP_MILLISECONDS, Visit, served

TOKEN = "test-token-of-one-tenant"
EXAMPLES = [
    Example("Greeting", "query Greeting($name: String!) {\n  greeting(name: $name)\n}", {"name": "Ada"}),
    Example("Count", "query Count {\n  count\n}"),
]
ANSWER = ".graphiql-response .view-lines"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (ASSETS / "manifest.json").exists() and os.environ.get("CI") != "true",
        reason="GraphiQL is not built: run `make setup`",
    ),
]
expect.set_options(timeout=STEP_MILLISECONDS)


@strawberry.type
class Query:
    @strawberry.field
    def greeting(self, name: str) -> str:
        return f"Hello {name}"

    @strawberry.field
    def count(self) -> int:
        return 42


@dataclass
class Api:
    """The address of the page, and each operation's name with the answer's status."""

    url: str = ""
    answered: list[tuple[str, int]] = field(default_factory=list)


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    seen = Api()
    schema = strawberry.Schema(Query)

    async def endpoint(request: Request) -> Response:
        body = json.loads(await request.body())
        status = 200 if request.headers.get("authorization") == f"Bearer {TOKEN}" else 401
        seen.answered.append((body["operationName"], status))
        if status == 401:
            return JSONResponse({"errors": [{"message": "This token is not known."}]}, status)
        result = await schema.execute(body["query"], body.get("variables"), operation_name=body["operationName"])
        return JSONResponse({"data": result.data})

    async def page(_: Request) -> Response:
        return graphiql.respond(endpoint="/graphql", examples=EXAMPLES)

    routes = [
        Route("/graphql", endpoint, methods=["POST"]),
        Route("/graphiql", page),
        graphiql.static_files(),
    ]
    async with served(Starlette(routes=routes)) as base:
        seen.url = f"{base}/graphiql"
        yield seen


async def use_token(page: Page, token: str) -> None:
    await page.get_by_label("Access token").fill(token)
    await page.get_by_role("button", name="Use token").click()


async def test_a_query_runs_with_the_token_and_everything_stays_on_this_machine(api: Api, chromium_page: Visit) -> None:
    page = chromium_page.page
    await page.goto(api.url)
    await expect(page.locator(".graphiql-query-editor .view-lines")).to_contain_text("greeting")
    assert api.answered == []

    await use_token(page, TOKEN)
    await expect(page.get_by_role("status")).to_have_text("Schema loaded")
    await page.get_by_role("button", name="Execute query").click()
    await expect(page.locator(ANSWER)).to_contain_text("Hello Ada")

    assert api.answered == [("IntrospectionQuery", 200), ("Greeting", 200)]
    assert chromium_page.foreign_requests() == []
    assert chromium_page.policy_violations() == []
    assert chromium_page.errors == []


async def test_the_keyboard_alone_gives_the_token_and_opens_and_runs_an_example(api: Api, chromium_page: Visit) -> None:
    page = chromium_page.page
    await page.goto(api.url)
    await expect(page.locator(".graphiql-query-editor .view-lines")).to_contain_text("greeting")
    await page.keyboard.press("Tab")
    await page.keyboard.type(TOKEN)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status")).to_have_text("Schema loaded")

    await page.get_by_role("button", name="Examples").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem", name="Greeting")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("menuitem", name="Count")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator(".graphiql-query-editor .view-lines")).to_contain_text("count")
    await page.get_by_role("button", name="Execute query").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator(ANSWER)).to_contain_text("42")
    assert chromium_page.policy_violations() == []


async def test_the_editor_checks_a_query_against_the_schema_in_a_worker(api: Api, chromium_page: Visit) -> None:
    page = chromium_page.page
    await page.goto(api.url)
    await use_token(page, TOKEN)
    await expect(page.get_by_role("status")).to_have_text("Schema loaded")
    await page.locator(".graphiql-query-editor .view-lines").click()
    await page.keyboard.press("ControlOrMeta+a")
    await page.keyboard.type("{ nonsense")
    await expect(page.locator(".graphiql-query-editor .squiggly-error").first).to_be_visible()
    assert any("/graphql.worker-" in url for url in chromium_page.requests)
    assert chromium_page.foreign_requests() == []
    assert chromium_page.policy_violations() == []
    assert chromium_page.errors == []


async def test_a_refused_token_is_reported_once_and_a_good_one_mends_it(api: Api, chromium_page: Visit) -> None:
    page = chromium_page.page
    await page.goto(api.url)
    await use_token(page, "wrong")
    await expect(page.get_by_role("status")).to_contain_text("HTTP 401: This token is not known.")
    assert api.answered == [("IntrospectionQuery", 401)]

    await use_token(page, TOKEN)
    await expect(page.get_by_role("status")).to_have_text("Schema loaded")
    async with page.expect_response("**/graphql"):
        await use_token(page, TOKEN)
    assert api.answered == [("IntrospectionQuery", status) for status in (401, 200, 200)]


async def test_the_token_lives_in_session_storage_only_and_can_be_forgotten(api: Api, chromium_page: Visit) -> None:
    page = chromium_page.page
    await page.goto(api.url)
    await use_token(page, TOKEN)
    await expect(page.get_by_role("status")).to_have_text("Schema loaded")
    assert TOKEN in await page.evaluate("JSON.stringify(sessionStorage)")
    assert TOKEN not in await page.evaluate("JSON.stringify(localStorage) + document.cookie")

    await page.get_by_role("button", name="Forget").click()
    await expect(page.get_by_label("Access token")).to_have_value("")
    await expect(page.get_by_role("status")).to_contain_text("No token yet")
    assert TOKEN not in await page.evaluate("JSON.stringify(sessionStorage) + JSON.stringify(localStorage)")
