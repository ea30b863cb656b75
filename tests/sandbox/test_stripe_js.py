"""The stand-in for Stripe.js on a page with a strict policy, in a real browser."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import stripe
from playwright.async_api import Page
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tests.browser import Visit, chromium_page
from tests.sandbox.server import serving

__all__ = ["chromium_page"]

PAGE = """<!doctype html><html lang="en"><title>Shop</title><script src="{sandbox}/v3/"></script>
<h1>Shop</h1><div id="card"></div><output id="result"></output></html>"""


@pytest.fixture
async def shop(address: str) -> AsyncIterator[str]:
    """A page of another origin that loads the script; it may neither connect anywhere nor run scripts of its own."""

    async def show(_: Request) -> Response:
        policy = f"default-src 'none'; script-src {address}; frame-src {address}; style-src 'unsafe-inline'"
        return HTMLResponse(PAGE.format(sandbox=address), headers={"Content-Security-Policy": policy})

    async with serving(Starlette(routes=[Route("/", show)])) as found:
        yield found


async def intent(client: stripe.StripeClient, amount: int = 1_500) -> stripe.PaymentIntent:
    return await client.v1.payment_intents.create_async({"amount": amount, "currency": "usd"})


async def mounted(page: Page, shop: str) -> None:
    await page.goto(shop)
    await page.evaluate(
        """() => new Promise((resolve) => {
            window.stripe = Stripe("pk_test_any");
            window.card = stripe.elements().create("card");
            card.on("ready", resolve);
            card.mount("#card");
        })"""
    )


async def type_card(page: Page, number: str) -> None:
    frame = page.frame_locator("#card iframe")
    await frame.locator("#card-number").fill(number)
    await frame.locator("#card-expiry").fill("12/40")
    await frame.locator("#card-cvc").fill("123")


PAY = (
    """async (secret) => stripe.confirmCardPayment(secret, {payment_method: {card, billing_details: {name: "Ada"}}})"""
)


@pytest.mark.browser
async def test_a_card_is_typed_in_the_frame_and_pays(
    client: stripe.StripeClient, shop: str, chromium_page: Visit
) -> None:
    page, made = chromium_page.page, await intent(client)
    await mounted(page, shop)
    assert await page.locator("#card-number").count() == 0  # the shop's page never has the number
    await type_card(page, "4242424242424242")
    result = await page.evaluate(PAY, made.client_secret)
    assert result["paymentIntent"]["status"] == "succeeded"
    assert "metadata" not in result["paymentIntent"]
    paid = await client.v1.payment_intents.retrieve_async(made.id)
    assert (paid.status, paid.amount_received) == ("succeeded", 1_500)
    assert chromium_page.policy_violations() == []


@pytest.mark.browser
async def test_a_decline_is_an_answer_and_the_next_card_pays(
    client: stripe.StripeClient, shop: str, chromium_page: Visit
) -> None:
    page, made = chromium_page.page, await intent(client)
    await mounted(page, shop)
    await type_card(page, "4000000000009995")
    result = await page.evaluate(PAY, made.client_secret)
    assert (result["error"]["code"], result["error"]["decline_code"]) == ("card_declined", "insufficient_funds")
    await type_card(page, "5555555555554444")
    assert (await page.evaluate(PAY, made.client_secret))["paymentIntent"]["status"] == "succeeded"


@pytest.mark.browser
@pytest.mark.parametrize(("answer", "status"), [("complete", "succeeded"), ("fail", "requires_payment_method")])
async def test_three_d_secure_is_asked_over_the_page(
    client: stripe.StripeClient, shop: str, chromium_page: Visit, answer: str, status: str
) -> None:
    page, made = chromium_page.page, await intent(client)
    await mounted(page, shop)
    await type_card(page, "4000002760003184")
    started = f"window.done = ({PAY})('{made.client_secret}'); undefined"
    await page.evaluate(started)
    await page.frame_locator("iframe[title='3-D Secure']").locator(f"#{answer}-authentication").click()
    result = await page.evaluate("window.done")
    assert ("error" in result) is (answer == "fail")
    assert (await client.v1.payment_intents.retrieve_async(made.id)).status == status
    assert await page.locator("iframe[title='3-D Secure']").count() == 0


@pytest.mark.browser
async def test_a_card_is_set_up_and_a_payment_leads_back(
    client: stripe.StripeClient, address: str, shop: str, chromium_page: Visit
) -> None:
    page = chromium_page.page
    customer = await client.v1.customers.create_async({"name": "Ada"})
    setup = await client.v1.setup_intents.create_async({"customer": customer.id})
    await mounted(page, shop)
    await type_card(page, "4242424242424242")
    script = "async (secret) => stripe.confirmCardSetup(secret, {payment_method: {card}})"
    result = await page.evaluate(script, setup.client_secret)
    assert result["setupIntent"]["status"] == "succeeded"
    (saved,) = (await client.v1.customers.payment_methods.list_async(customer.id)).data
    made = await intent(client)
    given = {"secret": made.client_secret, "method": saved.id, "back": f"{shop}/?paid"}
    await client.v1.payment_intents.update_async(made.id, {"customer": customer.id})
    await page.evaluate(
        """({secret, method, back}) => { stripe.confirmPayment(
            {clientSecret: secret, confirmParams: {payment_method: method, return_url: back}}); }""",
        given,
    )
    await page.wait_for_url("**redirect_status=succeeded")
    assert (await client.v1.payment_intents.retrieve_async(made.id)).status == "succeeded"


async def ask(address: str, **given: Any) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=address) as browser:
        answer = await browser.post("/js/call", json={"key": "pk_test_any", **given})
        found: dict[str, Any] = answer.json()
        return found


async def test_only_the_whole_secret_opens_an_intent(client: stripe.StripeClient, address: str) -> None:
    made = await intent(client)
    secret = str(made.client_secret)
    assert (await ask(address, action="retrieve", client_secret=secret))["paymentIntent"]["id"] == made.id
    for wrong in (secret[:-1], secret + "x", made.id, "", "seti_1_secret_x", made.id + "_secret_"):
        answer = await ask(address, action="retrieve", client_secret=wrong)
        assert answer["error"]["code"] == "resource_missing"
    for key in ("sk_test_any", "pk_live_any", ""):
        assert (
            "Invalid API Key"
            in (await ask(address, key=key, action="retrieve", client_secret=secret))["error"]["message"]
        )
    for account in ("acct_unknown", 7):
        assert (await ask(address, account=account, action="retrieve", client_secret=secret))["error"]["code"]
    assert "error" in await ask(address, action="confirm_setup", client_secret=secret, payment_method="pm_card_visa")
    assert "error" in await ask(address, action="delete", client_secret=secret)
    assert (await client.v1.payment_intents.retrieve_async(made.id)).status == "requires_payment_method"
