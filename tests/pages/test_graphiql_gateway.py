"""GraphiQL in a real browser over the gateway's own endpoint: live operations, and the examples of each audience."""

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import httpx
import pytest
from playwright.async_api import Page, expect
from starlette.applications import Starlette

from gateway.app import create_app, endpoint_of
from gateway.examples import EXAMPLES
from gateway.runtime import Runtime
from gateway.settings import Settings
from pages.graphiql import ASSETS
from storage import revisions
from storage.database import Database
from tenants.context import Role
from tenants.registry import issue_key
from tests.browser import STEP_MILLISECONDS, Visit, served
from tests.pages.axe import faults
from tests.support.gateway import endpoint_client
from tests.support.tenants import Two

ANSWER = ".graphiql-response .view-lines"
FOR_CUSTOMERS = {
    "Who am I?", "Plans", "Customers, page by page", "Change a customer", "Subscriptions", "Preview the next invoice",
    "Checkout page", "Billing portal", "Payment methods", "Save a payment method", "Invoices", "Live changes",
}  # fmt: skip
FOR_ADMINISTRATORS = {
    "API keys", "Issue an API key", "Rotate an API key", "End an API key", "Audit entries", "How the mirror stands",
    "Check the mirror",
}  # fmt: skip

expect.set_options(timeout=STEP_MILLISECONDS)
built = pytest.mark.skipif(
    not (ASSETS / "manifest.json").exists() and os.environ.get("CI") != "true",
    reason="GraphiQL is not built: run `make setup`",
)


@dataclass
class Gateway:
    """A served application of two tenants, of which the clinic's tokens are used."""

    address: str
    runtime: Runtime
    two: Two

    async def token(self, role: Role) -> str:
        clinic = self.two.clinic
        if role is not Role.CUSTOMER:
            return await issue_key(self.runtime.database, clinic, role=role, name="page")
        return self.runtime.sessions.mint(
            tenant=clinic.slug, customer="cus_1", livemode=False, now=datetime.now(UTC), lifetime=timedelta(minutes=5)
        )

    async def change(self) -> int:
        """Something of the tenant has changed, as every process hears it."""
        wanted = (self.two.clinic.id, revisions.EVERYTHING)
        async with self.runtime.database.system_transaction() as connection:
            number = await revisions.bump(connection, {wanted})
        self.runtime.book.hear(json.dumps([number, [list(wanted)]]))
        return number


def app_of(runtime: Runtime) -> Starlette:
    """The application as it is served, over what the test holds open."""
    app = create_app(Settings())
    app.state.endpoint = endpoint_of(runtime)
    return app


@pytest.fixture
async def gateway(opened: Database, two: Two) -> AsyncIterator[Gateway]:
    async with endpoint_client(opened) as (_, runtime), served(app_of(runtime)) as address:
        yield Gateway(address, runtime, two)


async def opened_with(page: Page, gateway: Gateway, role: Role) -> None:
    await page.goto(f"{gateway.address}/")
    await page.get_by_label("Access token").fill(await gateway.token(role))
    await page.get_by_role("button", name="Use token").click()
    await expect(page.get_by_role("status")).to_have_text("Schema loaded")


async def opened_example(page: Page, name: str) -> None:
    await page.get_by_role("button", name="Examples").click()
    await page.get_by_role("menuitem", name=name, exact=True).click()


async def offered(page: Page) -> set[str]:
    await page.get_by_role("button", name="Examples").click()
    await page.get_by_role("menu").wait_for()
    names = await page.get_by_role("menuitem").all_inner_texts()
    await page.keyboard.press("Escape")
    assert len(names) == len(set(names))
    return set(names)


@built
@pytest.mark.browser
async def test_a_live_operation_shows_what_is_changed_elsewhere_until_it_is_stopped(
    gateway: Gateway, chromium_page: Visit
) -> None:
    page = chromium_page.page
    await opened_with(page, gateway, Role.PARTNER)
    await opened_example(page, "Live changes")
    async with page.expect_response(lambda answer: "text/event-stream" in answer.headers["content-type"]):
        await page.get_by_role("button", name="Execute query").click()
    for _ in range(2):
        revision = await gateway.change()
        await expect(page.locator(ANSWER)).to_contain_text(f'"revision": "{revision}"')
    async with page.expect_event("requestfailed"):  # the connection is closed, not left open
        await page.get_by_role("button", name="Stop query").click()
    await expect(page.get_by_role("button", name="Execute query")).to_be_visible()
    assert chromium_page.policy_violations() == []
    assert chromium_page.errors == []


@built
@pytest.mark.browser
async def test_a_live_operation_goes_with_the_token_of_the_headers_panel_and_a_refusal_is_shown(
    gateway: Gateway, chromium_page: Visit
) -> None:
    page = chromium_page.page
    await opened_with(page, gateway, Role.PARTNER)
    await opened_example(page, "Live changes")
    await page.get_by_role("button", name="Headers").click()
    await page.locator(".graphiql-editor-tool .graphiql-editor:not(.hidden) .view-lines").click()
    await page.keyboard.insert_text('{"Authorization": "Bearer bgw_test_nobody"}')
    await page.get_by_role("button", name="Execute query").click()
    await expect(page.locator(ANSWER)).to_contain_text("TOKEN_MALFORMED")
    await expect(page.get_by_role("button", name="Execute query")).to_be_visible()
    assert chromium_page.errors == []


@built
@pytest.mark.browser
async def test_each_audience_is_offered_the_examples_that_its_own_schema_allows(
    gateway: Gateway, chromium_page: Visit
) -> None:
    page = chromium_page.page
    everything = {example.name for example in EXAMPLES}
    for role, names in (
        (Role.CUSTOMER, FOR_CUSTOMERS),
        (Role.PARTNER, everything - FOR_ADMINISTRATORS),
        (Role.ADMIN, everything),
    ):
        await opened_with(page, gateway, role)
        assert await offered(page) == names, role
        await page.get_by_role("button", name="Forget").click()
        await expect(page.get_by_role("button", name="Examples")).to_be_hidden()


@built
@pytest.mark.browser
async def test_an_example_that_needs_a_key_has_a_fresh_one_each_time(gateway: Gateway, chromium_page: Visit) -> None:
    page = chromium_page.page
    await opened_with(page, gateway, Role.PARTNER)
    keys = set()
    for _ in range(2):
        await opened_example(page, "Create a customer")
        variables = page.locator(".graphiql-editor-tool .view-lines").first
        await expect(variables).to_contain_text('"graphiql-')
        keys.add((await variables.inner_text()).partition('"graphiql-')[2].partition('"')[0])
    assert len(keys) == 2
    assert all(len(key) == 24 for key in keys)


@built
@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
async def test_axe_finds_nothing_with_two_tabs_an_answer_and_the_documentation(
    width: int, scheme: Literal["light", "dark"], gateway: Gateway, chromium_page: Visit
) -> None:
    page = chromium_page.page
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 900})
    await opened_with(page, gateway, Role.PARTNER)
    await opened_example(page, "Plans")
    await page.get_by_role("button", name="Execute query").click()
    await expect(page.locator(ANSWER)).to_contain_text('"totalCount"')
    await page.get_by_role("button", name="Show Documentation Explorer").click()
    await page.get_by_role("link", name="Query", exact=True).wait_for()
    assert await faults(page) == []
    await page.get_by_role("link", name="Query", exact=True).click()
    await page.get_by_role("link", name="viewer", exact=True).wait_for()
    assert await faults(page) == []


@built
@pytest.mark.browser
async def test_tabs_are_a_list_of_buttons_of_which_one_is_current(gateway: Gateway, chromium_page: Visit) -> None:
    page = chromium_page.page
    await opened_with(page, gateway, Role.PARTNER)
    await opened_example(page, "Plans")
    tabs = page.get_by_role("list", name="Select active operation")
    current = tabs.locator('[aria-current="true"]')
    await expect(current).to_have_text("Plans")
    await tabs.get_by_role("button", name="Who", exact=True).focus()
    await page.keyboard.press("Enter")
    await expect(current).to_have_text("Who")
    await tabs.get_by_role("button", name="Close tab Who").click()
    await expect(tabs.get_by_role("listitem")).to_have_count(1)


@built
@pytest.mark.browser
async def test_on_a_telephone_the_panes_stand_below_one_another(gateway: Gateway, chromium_page: Visit) -> None:
    page = chromium_page.page
    await page.set_viewport_size({"width": 375, "height": 812})
    await opened_with(page, gateway, Role.PARTNER)
    await page.get_by_role("button", name="Execute query").click()
    await expect(page.locator(ANSWER)).to_contain_text("PARTNER")
    bottom = 0.0
    for pane in (".graphiql-query-editor", ".graphiql-editor-tool", ".graphiql-response"):
        box = await page.locator(pane).bounding_box()
        assert box is not None
        assert box["y"] >= bottom
        assert box["width"] > 300
        assert box["height"] > 100
        bottom = box["y"] + box["height"]
    text = await page.locator(".graphiql-query-editor .monaco-editor").bounding_box()
    assert text is not None
    assert text["width"] > 200
    assert await page.evaluate("document.documentElement.scrollWidth") == 375


@pytest.mark.parametrize(
    ("accept", "status"),
    [("text/html,application/xhtml+xml,*/*;q=0.8", 302), ("application/json", 404), ("*/*", 404), ("", 404)],
)
async def test_the_root_leads_a_browser_to_graphiql_and_answers_others_with_json(accept: str, status: int) -> None:
    transport = httpx.ASGITransport(create_app(Settings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        answer = await client.get("/", headers={"accept": accept})
    assert answer.status_code == status
    assert answer.headers["vary"] == "Accept"
    if status == 302:
        assert answer.headers["location"] == "/graphql"
    else:
        assert answer.headers["content-type"] == "application/json; charset=utf-8"
        assert answer.json()["errors"][0]["extensions"] == {"code": "NOT_FOUND"}
