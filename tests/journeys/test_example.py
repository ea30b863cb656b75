"""The example front end in a browser: what a customer sees and does, with a token that stays in its tab."""

import json
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from playwright.async_api import Locator, Page, expect

from examples.spa_build import build, server
from tests.browser import STEP_MILLISECONDS, Visit, chromium_page
from tests.journeys.test_sync import command
from tests.pages.axe import faults
from tests.support.demo import Demo
from tests.support.owner import Owner, new_owner

__all__ = ["chromium_page"]

pytestmark = [pytest.mark.slow, pytest.mark.browser]
expect.set_options(timeout=STEP_MILLISECONDS)

_UPDATE = """mutation($input: CustomerUpdateInput!) {
  made: customerUpdate(input: $input) { customer { id } errors { code } } }"""
_CREATE = """mutation($input: CustomerCreateInput!) {
  made: customerCreate(input: $input) { customer { id stripeId } errors { code } } }"""
_SUBSCRIBE = """mutation($input: SubscriptionCreateInput!) {
  made: subscriptionCreate(input: $input) { subscription { id } errors { code } } }"""
_MINT = "mutation($id: ID!) { made: customerTokenCreate(input: { customer: $id }) { token errors { code } } }"
_SEEN = "query($id: ID!) { subscription(id: $id) { cancelAtPeriodEnd items { plan { name } } } }"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page as `make example` builds it."""
    folder = tmp_path_factory.mktemp("spa")
    try:
        build(folder)
    except subprocess.CalledProcessError as error:
        pytest.fail(f"{error.cmd}: {error.output}{error.stderr}")
    return folder


@contextmanager
def served(demo: Demo, folder: Path) -> Iterator[str]:
    """The page at an origin of its own, by the server of `make example`."""
    with server(folder, demo.folder / "demo.json") as pages:
        thread = threading.Thread(target=pages.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{pages.server_port}"
        finally:
            pages.shutdown()
            thread.join()


@pytest.fixture
async def origin(demo: Demo, built: Path) -> AsyncIterator[str]:
    """The built page at an origin that the first tenant has registered."""
    with served(demo, built) as address:
        done = command(demo, "tenants", "set", demo.tenant()["slug"], "--origin", address)
        assert done.returncode == 0, done.stderr
        yield address


def new_customer(demo: Demo) -> tuple[str, str]:
    """A customer who has nothing yet: id and token."""
    partner = demo.tenant()["partner_key"]
    made = demo.ask(partner, _CREATE, {"input": {"email": f"{uuid4().hex}@spa.example", "name": "New"}})["made"]
    customer: str = made["customer"]["id"]
    return customer, demo.ask(partner, _MINT, {"id": customer})["made"]["token"]


async def opened(page: Page, origin: str, demo: Demo, token: str) -> None:
    await page.goto(f"{origin}/#api={demo.told['graphql']}&token={token}")
    await expect(page.locator("#who")).to_contain_text(" at ")


def subscriptions(page: Page) -> Locator:
    return page.locator("#subscriptions li")


async def test_a_customer_cancels_and_hears_of_what_its_back_end_does(
    demo: Demo, origin: str, chromium_page: Visit
) -> None:
    owner = new_owner(demo)
    page = chromium_page.page
    await opened(page, origin, demo, owner.token)
    await expect(page.locator("#who")).to_contain_text(owner.words["email"])
    await expect(subscriptions(page)).to_have_count(1)
    await expect(subscriptions(page)).to_contain_text(": active, renews on ")
    assert await page.locator("#plans li").count() >= 1
    await subscriptions(page).get_by_role("button", name="Cancel").click()
    await page.get_by_role("dialog").get_by_role("button", name="Go back").click()
    assert demo.ask(owner.token, _SEEN, {"id": owner.ids["Subscription"]})["subscription"]["cancelAtPeriodEnd"] is False
    await subscriptions(page).get_by_role("button", name="Cancel").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel the subscription").click()
    await expect(subscriptions(page)).to_contain_text(": ends on ")
    await expect(subscriptions(page).get_by_role("button")).to_have_text(["Keep it"])
    assert demo.ask(owner.token, _SEEN, {"id": owner.ids["Subscription"]})["subscription"]["cancelAtPeriodEnd"] is True
    email = f"{uuid4().hex}@moved.example"
    given = {"customer": owner.ids["Customer"], "email": email}
    assert demo.ask(demo.tenant()["partner_key"], _UPDATE, {"input": given})["made"]["errors"] == []
    await expect(page.locator("#who")).to_contain_text(email)  # nobody reloaded the page
    assert await page.locator("#problem").is_hidden()
    assert chromium_page.errors == []
    assert chromium_page.policy_violations() == []


async def test_the_token_goes_to_the_gateway_alone_and_checkout_comes_back_to_the_customer(
    demo: Demo, origin: str, chromium_page: Visit
) -> None:
    _, token = new_customer(demo)
    page = chromium_page.page
    await opened(page, origin, demo, token)
    assert page.url == f"{origin}/"
    await expect(subscriptions(page)).to_have_text("You have no subscription yet: choose a plan.")
    await expect(page.locator("#invoices")).to_have_text("No invoices yet.")
    await page.locator("#plans").get_by_role("button", name="Subscribe").first.click()
    await page.wait_for_url(f"{demo.told['sandbox']}/**")
    (session,) = [one for one in sessions(demo) if origin in one["success_url"]]
    assert session["success_url"] == session["cancel_url"] == f"{origin}/"
    assert token not in json.dumps(session)
    for selector, value in (("card-number", "4242424242424242"), ("card-expiry", "12 / 34"), ("card-cvc", "123")):
        await page.fill(f"#{selector}", value)
    await page.click("#pay")
    await page.wait_for_url(f"{origin}/")
    await expect(subscriptions(page)).to_contain_text(": active")
    await page.get_by_role("button", name="Manage cards and details").click()
    await page.wait_for_url(f"{demo.told['sandbox']}/**")
    assert token not in await page.content()
    assert [url for url in chromium_page.requests if token in url] == []
    await page.go_back()
    await expect(subscriptions(page)).to_contain_text(": active")


def sessions(demo: Demo) -> list[dict[str, str]]:
    return demo.stripe_list("/v1/checkout/sessions", demo.tenant()["account"])


async def test_a_plan_is_changed_after_its_cost_was_shown(demo: Demo, origin: str, chromium_page: Visit) -> None:
    owner = new_owner(demo)
    page = chromium_page.page
    await opened(page, origin, demo, owner.token)
    await subscriptions(page).get_by_role("button", name="Change plan").click()
    dialog = page.get_by_role("dialog")
    consent = dialog.get_by_role("button", name="Change the plan")
    await expect(consent).to_be_enabled()
    await expect(dialog.get_by_role("status")).to_contain_text("Your next invoice: $")
    wanted = await dialog.get_by_label("New plan").locator("option:checked").inner_text()
    name = wanted.partition(", $")[0]
    await consent.click()
    await expect(subscriptions(page)).to_contain_text(f"{name}: active")
    await expect(page.locator("#notice")).to_contain_text(name)
    seen = demo.ask(owner.token, _SEEN, {"id": owner.ids["Subscription"]})["subscription"]
    assert seen["items"] == [{"plan": {"name": name}}]
    assert chromium_page.errors == []


async def test_a_trial_can_be_cancelled_and_invoices_lead_to_their_pages(
    demo: Demo, origin: str, chromium_page: Visit
) -> None:
    customer, token = new_customer(demo)
    partner = demo.tenant()["partner_key"]
    plan = demo.ask(partner, "{ plans(first: 1) { nodes { id } } }")["plans"]["nodes"][0]["id"]
    asked = {"customer": customer, "plan": plan, "trialPeriodDays": 14, "idempotencyKey": uuid4().hex}
    assert demo.ask(partner, _SUBSCRIBE, {"input": asked})["made"]["errors"] == []
    page = chromium_page.page
    await opened(page, origin, demo, token)
    await expect(subscriptions(page)).to_contain_text(": free trial until ")
    link = page.locator("#invoices").get_by_role("link")
    await expect(link).to_have_count(1)
    await subscriptions(page).get_by_role("button", name="Cancel").click()
    await page.get_by_role("button", name="Cancel the subscription").click()
    await expect(subscriptions(page)).to_contain_text(": ends on ")
    await link.click()
    await page.wait_for_url(f"{demo.told['sandbox']}/i/**")


async def test_axe_finds_nothing_and_the_keyboard_is_enough(demo: Demo, origin: str, chromium_page: Visit) -> None:
    owner = new_owner(demo)
    page = chromium_page.page
    await opened(page, origin, demo, owner.token)
    for width in (375, 1280):
        await page.set_viewport_size({"width": width, "height": 812})
        await page.emulate_media(color_scheme="dark" if width == 375 else "light")
        assert await faults(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await press_until_focused(page, "Change plan")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Change the plan")).to_be_enabled()
        assert await faults(page) == []
        await page.keyboard.press("Escape")
        assert await focused(page) == "Change plan"
    await press_until_focused(page, "Cancel")
    await page.keyboard.press("Enter")
    await press_until_focused(page, "Cancel the subscription")
    await page.keyboard.press("Enter")
    await expect(subscriptions(page)).to_contain_text(": ends on ")
    assert await focused(page) == "Your billing"  # the button is gone; the keyboard is not left nowhere


async def focused(page: Page) -> str:
    return str(await page.evaluate("document.activeElement?.textContent ?? ''"))


async def press_until_focused(page: Page, text: str) -> None:
    for _ in range(20):
        await page.keyboard.press("Tab")
        if await focused(page) == text:
            return
    pytest.fail(f"no press of Tab reaches {text!r}")


@pytest.mark.parametrize("fragment", ["", "#token=nonsense"])
async def test_without_a_good_token_the_page_says_so_and_where_to_get_one(
    fragment: str, demo: Demo, origin: str, chromium_page: Visit
) -> None:
    page = chromium_page.page
    api = f"&api={demo.told['graphql']}" if fragment else ""
    await page.goto(f"{origin}/{fragment}{api}")
    await expect(page.get_by_role("alert")).to_contain_text("You are not signed in, or your session has ended.")
    assert await page.locator("#account").is_hidden()
    assert await faults(page) == []
    await page.get_by_role("link", name="Sign in").click()
    await expect(page.locator("#who")).to_contain_text("ada@customers.example")
    assert page.url == f"{origin}/"


async def test_a_link_cannot_have_the_token_sent_elsewhere(demo: Demo, origin: str, chromium_page: Visit) -> None:
    _, token = new_customer(demo)
    page = chromium_page.page
    await opened(page, origin, demo, token)
    await page.goto("about:blank")
    await page.goto(f"{origin}/#api=http://127.0.0.1:9/graphql")
    await expect(page.locator("#who")).to_contain_text(" at ")
    assert [url for url in chromium_page.requests if url.startswith("http://127.0.0.1:9/")] == []


def test_each_sign_in_mints_a_token_and_without_a_gateway_it_says_what_to_start(
    demo: Demo, built: Path, tmp_path: Path
) -> None:
    with served(demo, built) as address:
        tokens = {httpx.get(f"{address}/sign-in").headers["location"] for _ in range(2)}
    assert len(tokens) == 2
    with server(built, tmp_path / "absent.json") as pages:
        threading.Thread(target=pages.handle_request).start()
        answer = httpx.get(f"http://127.0.0.1:{pages.server_port}/sign-in")
    assert answer.status_code == 503
    assert "make run" in answer.text


async def test_a_page_that_is_not_registered_is_told_so(demo: Demo, built: Path, chromium_page: Visit) -> None:
    owner: Owner = new_owner(demo)
    with served(demo, built) as address:
        page = chromium_page.page
        await page.goto(f"{address}/#api={demo.told['graphql']}&token={owner.token}")
        await page.locator("#problem").wait_for(state="visible")
        assert await page.locator("#account").is_hidden()
