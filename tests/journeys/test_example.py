"""The example front end in a browser: it reads, cancels, and hears of a change that was made elsewhere."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from examples.spa_build import build
from tests.browser import Visit, chromium_page
from tests.journeys.test_sync import command
from tests.sandbox.server import serving
from tests.support.demo import Demo
from tests.support.owner import new_owner

__all__ = ["chromium_page"]

pytestmark = [pytest.mark.slow, pytest.mark.browser]

_UPDATE = """mutation($input: CustomerUpdateInput!) {
  made: customerUpdate(input: $input) { customer { id } errors { code } } }"""


@pytest.fixture
async def origin(demo: Demo, tmp_path: Path) -> AsyncIterator[str]:
    """The built page at an origin that the first tenant has registered."""
    try:
        build(tmp_path / "spa")
    except subprocess.CalledProcessError as error:
        pytest.fail(f"{error.cmd}: {error.output}{error.stderr}")
    async with serving(Starlette(routes=[Mount("/", StaticFiles(directory=tmp_path / "spa", html=True))])) as address:
        done = command(demo, "tenants", "set", demo.tenant()["slug"], "--origin", address)
        assert done.returncode == 0, done.stderr
        yield address


async def test_a_customer_cancels_and_hears_of_what_its_back_end_does(
    demo: Demo, origin: str, chromium_page: Visit
) -> None:
    owner = new_owner(demo)
    page = chromium_page.page
    await page.goto(f"{origin}/#api={demo.told['graphql']}&token={owner.token}")
    await page.get_by_text(owner.words["email"]).wait_for()
    subscriptions = page.locator("#subscriptions li")
    assert await subscriptions.count() == 1
    assert ": active" in await subscriptions.first.inner_text()
    assert await page.locator("#plans li").count() >= 1
    assert await page.locator("#invoices li").count() == 1
    await subscriptions.first.get_by_role("button", name="Cancel").click()
    await page.get_by_text("ends with the period").wait_for()
    asked = "query($id: ID!) { subscription(id: $id) { cancelAtPeriodEnd } }"
    told = demo.ask(owner.token, asked, {"id": owner.ids["Subscription"]})
    assert told["subscription"]["cancelAtPeriodEnd"] is True
    email = f"{uuid4().hex}@moved.example"
    given = {"customer": owner.ids["Customer"], "email": email}
    assert demo.ask(demo.tenant()["partner_key"], _UPDATE, {"input": given})["made"]["errors"] == []
    await page.get_by_text(email).wait_for()  # nobody reloaded the page
    assert await page.locator("#problem").is_hidden()
    assert chromium_page.errors == []


async def test_a_page_that_is_not_registered_is_told_so(demo: Demo, tmp_path: Path, chromium_page: Visit) -> None:
    owner = new_owner(demo)
    build(tmp_path / "spa")
    async with serving(Starlette(routes=[Mount("/", StaticFiles(directory=tmp_path / "spa", html=True))])) as address:
        page = chromium_page.page
        await page.goto(f"{address}/#api={demo.told['graphql']}&token={owner.token}")
        await page.locator("#problem").wait_for(state="visible")
        assert await page.locator("#subscriptions li").count() == 0
