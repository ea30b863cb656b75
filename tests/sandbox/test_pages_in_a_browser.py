"""The hosted pages in a real browser: by keyboard, without scripts, and with nothing from outside."""

import pytest
import stripe
from playwright.async_api import Page

from tests.browser import Visit, chromium_page
from tests.sandbox.test_authenticate_page import a_waiting_payment, page_of
from tests.sandbox.test_checkout_sessions import a_price

__all__ = ["chromium_page"]

pytestmark = pytest.mark.browser

# What a screen reader needs, checked on every page: labels, one h1, headings in order, names of buttons and links.
STRUCTURE = """
() => {
  const found = [];
  const name = (one) => one.labels?.length ? one.labels[0].textContent.trim() : one.textContent.trim();
  for (const one of document.querySelectorAll('input:not([type=hidden]), button, a, summary'))
    if (!name(one)) found.push('no name: ' + one.outerHTML);
  for (const one of document.querySelectorAll('[aria-labelledby], [aria-describedby]'))
    for (const id of ((one.getAttribute('aria-labelledby') ?? '') + ' ' +
                      (one.getAttribute('aria-describedby') ?? '')).trim().split(/ +/))
      if (!document.getElementById(id)) found.push('no such id: ' + id);
  const ids = [...document.querySelectorAll('[id]')].map((one) => one.id);
  if (new Set(ids).size !== ids.length) found.push('an id is there twice');
  let level = 0;
  for (const one of document.querySelectorAll('h1, h2, h3')) {
    const now = Number(one.tagName[1]);
    if (now > level + 1) found.push('a heading is skipped before: ' + one.textContent);
    level = now;
  }
  if (document.querySelectorAll('h1').length !== 1) found.push('not one h1');
  if (!document.documentElement.lang || !document.title) found.push('no language or title');
  if (document.documentElement.scrollWidth > window.innerWidth) found.push('wider than the window');
  return found;
}
"""


async def assert_well_built(page: Page) -> None:
    assert await page.evaluate(STRUCTURE) == []
    await page.set_viewport_size({"width": 360, "height": 740})
    assert await page.evaluate(STRUCTURE) == []
    await page.set_viewport_size({"width": 1440, "height": 900})


def assert_kept_to_itself(visit: Visit) -> None:
    assert visit.foreign_requests() == []
    assert visit.policy_violations() == []
    assert visit.errors == []


async def type_card(page: Page, number: str) -> None:
    """Fill in the card form by keyboard, from the number on."""
    await page.locator("#card-number").focus()
    await page.keyboard.type(number)
    await page.keyboard.press("Tab")
    await page.keyboard.type("12/40")
    await page.keyboard.press("Tab")
    await page.keyboard.type("123")
    await page.keyboard.press("Enter")


async def a_payment(client: stripe.StripeClient, address: str) -> stripe.checkout.Session:
    price = await a_price(client, 1250, recurring=False)
    return await client.v1.checkout.sessions.create_async(
        {
            "mode": "payment",
            "success_url": f"{address}/_sandbox/health?session={{CHECKOUT_SESSION_ID}}",
            "cancel_url": f"{address}/_sandbox/health?cancelled",
            "line_items": [{"price": price, "quantity": 2}],
        }
    )


async def test_a_decline_then_three_d_secure_then_the_way_back(
    client: stripe.StripeClient, address: str, chromium_page: Visit
) -> None:
    page = chromium_page.page
    session = await a_payment(client, address)
    await page.goto(f"{address}/c/pay/{session.id}")
    await assert_well_built(page)
    assert await page.locator("#amount").inner_text() == "$25.00"
    await page.fill("#email", "ada@example.org")
    await type_card(page, "4000000000000002")
    assert await page.locator("#error").inner_text() == "Your card was declined."
    assert await page.input_value("#email") == "ada@example.org"
    assert await page.input_value("#card-number") == ""
    await assert_well_built(page)
    await type_card(page, "4000002500003155")
    await page.wait_for_selector("#complete-authentication")
    await assert_well_built(page)
    await page.locator("#complete-authentication").press("Enter")
    await page.wait_for_url(f"**/_sandbox/health?session={session.id}")
    done = await client.v1.checkout.sessions.retrieve_async(session.id)
    assert (done.status, done.payment_status) == ("complete", "paid")
    assert_kept_to_itself(chromium_page)


async def test_the_cancel_link_leads_back_without_paying(
    client: stripe.StripeClient, address: str, chromium_page: Visit
) -> None:
    page = chromium_page.page
    session = await a_payment(client, address)
    await page.goto(f"{address}/c/pay/{session.id}")
    await page.click("#cancel")
    await page.wait_for_url("**/_sandbox/health?cancelled")
    assert (await client.v1.checkout.sessions.retrieve_async(session.id)).status == "open"


async def test_the_browser_is_led_on_to_another_origin(
    client: stripe.StripeClient, address: str, chromium_page: Visit
) -> None:
    page = chromium_page.page
    asked: list[str] = []
    intent = await a_waiting_payment(client)

    async def answer(route: object) -> None:
        asked.append(route.request.url)  # type: ignore[attr-defined]
        await route.fulfill(body="back")  # type: ignore[attr-defined]

    await page.route("https://shop.example/**", answer)
    await page.goto(address + page_of(intent))
    await page.click("#fail-authentication")
    await page.wait_for_url("https://shop.example/**")
    assert asked[0].startswith(f"https://shop.example/back?order=7&payment_intent={intent.id}")
    assert chromium_page.policy_violations() == []


async def test_the_portal_replaces_the_card(client: stripe.StripeClient, address: str, chromium_page: Visit) -> None:
    page = chromium_page.page
    customer = await client.v1.customers.create_async({"email": "ada@example.org"})
    portal = await client.v1.billing_portal.sessions.create_async(
        {"customer": customer.id, "return_url": f"{address}/_sandbox/health"}
    )
    await page.goto(f"{address}/p/session/{portal.id}")
    await assert_well_built(page)
    await page.fill("#card-number", "5555555555554444")
    await page.fill("#card-expiry", "01/41")
    await page.fill("#card-cvc", "999")
    await page.click("#save-card")
    await page.wait_for_selector("[role=status]")
    assert "Mastercard ending in 4444, expires 1/2041" in await page.locator("#current-card").inner_text()
    await assert_well_built(page)
    assert_kept_to_itself(chromium_page)
