"""Settings of Checkout sessions: embedded ones, what is shown again, and the invoice of a payment."""

from typing import Any

from tests.sandbox.pages import GOOD, card
from tests.sandbox.server import Caller
from tests.sandbox.test_billing_parameters import connected, payer, price, subscribed

PATH = "/v1/checkout/sessions"
CARD = card(GOOD, email="ada@example.org", name="Ada")
WAYS = {"success_url": "https://shop.example/done?s={CHECKOUT_SESSION_ID}", "cancel_url": "https://shop.example"}


async def session(call: Caller, **more: Any) -> Any:
    hour = await price(call, 700, product_data={"name": "Hour"})
    return await call.post(PATH, {"mode": "payment", "line_items": [{"price": hour["id"], "quantity": 2}], **more})


async def test_an_embedded_session_has_a_secret_and_no_address(call: Caller) -> None:
    back = "https://shop.example/return"
    made = await session(call, ui_mode="embedded_page", return_url=back)
    assert (made["url"], made["return_url"], made["redirect_on_completion"]) == (None, back, "always")
    assert made["client_secret"].startswith(made["id"] + "_secret_")
    async with call.session.get(f"/c/pay/{made['id']}") as page:
        assert page.status == 200
    assert (await session(call, ui_mode="embedded_page"))["param"] == "return_url"
    assert (await session(call, ui_mode="embedded_page", return_url=back, **WAYS))["param"] == "success_url"
    assert (await session(call, **WAYS, return_url=back))["param"] == "return_url"


async def test_what_is_only_shown_again(call: Caller) -> None:
    field = {"key": "size", "label": {"type": "custom", "custom": "Size"}, "type": "text"}
    made = await session(
        call,
        **WAYS,
        consent_collection={"terms_of_service": "required"},
        custom_fields=[field],
        name_collection={"business": {"enabled": True}},
        payment_method_options={"card": {"request_three_d_secure": "any"}},
        shipping_address_collection={"allowed_countries": ["US", "DE"]},
        tax_id_collection={"enabled": True},
    )
    assert made["consent_collection"]["terms_of_service"] == "required"
    assert (made["custom_fields"][0]["key"], made["custom_fields"][0]["text"]["value"]) == ("size", None)
    assert made["name_collection"] == {"business": {"enabled": True, "optional": False}}
    assert made["payment_method_options"] == {"card": {"request_three_d_secure": "any"}}
    assert made["shipping_address_collection"] == {"allowed_countries": ["US", "DE"]}
    assert made["tax_id_collection"] == {"enabled": True, "required": "never"}


async def test_a_payment_gets_its_invoice(call: Caller) -> None:
    data = {"description": "Two hours", "metadata": {"order": "7"}}
    made = await session(call, **WAYS, invoice_creation={"enabled": True, "invoice_data": data})
    assert made["customer_creation"] == "always"
    assert made["invoice_creation"]["invoice_data"]["description"] == "Two hours"
    async with call.session.post(f"/c/pay/{made['id']}", data=CARD, allow_redirects=False) as paid:
        assert (paid.status, paid.headers["Location"]) == (303, f"https://shop.example/done?s={made['id']}")
    done = await call.get(f"{PATH}/{made['id']}", {"expand": ["invoice"]})
    invoice = done["invoice"]
    assert (invoice["status"], invoice["total"], invoice["description"]) == ("paid", 1400, "Two hours")
    assert invoice["metadata"] == {"order": "7"}
    payments = await call.get("/v1/invoice_payments", {"invoice": invoice["id"]})
    assert [one["payment"]["payment_intent"] for one in payments["data"]] == [done["payment_intent"]]


async def test_a_subscription_sends_its_money_on(call: Caller) -> None:
    account, seats = await connected(call), await price(call, 3000)
    data = {"transfer_data": {"destination": account, "amount_percent": 50}}
    items = [{"price": seats["id"], "quantity": 1}]
    given = {"mode": "subscription", "line_items": items, "subscription_data": data, **WAYS}
    made = await call.post(PATH, given)
    async with call.session.post(f"/c/pay/{made['id']}", data=CARD, allow_redirects=False) as paid:
        assert paid.status == 303
    done = await call.get(f"{PATH}/{made['id']}", {"expand": ["subscription"]})
    assert done["subscription"]["transfer_data"] == {"amount_percent": 50.0, "destination": account}


async def test_a_free_beginning_asks_for_the_card_by_a_setup_intent(call: Caller) -> None:
    customer, seats = (await call.post("/v1/customers"))["id"], await price(call, 3000)
    saving = {"save_default_payment_method": "on_subscription"}
    made = await call.post(
        "/v1/subscriptions",
        {
            "customer": customer,
            "items": [{"price": seats["id"]}],
            "trial_period_days": 7,
            "payment_behavior": "default_incomplete",
            "payment_settings": saving,
            "expand": ["pending_setup_intent"],
        },
    )
    intent = made["pending_setup_intent"]
    assert (made["status"], intent["status"], intent["customer"]) == ("trialing", "requires_payment_method", customer)
    confirmed = await call.post(f"/v1/setup_intents/{intent['id']}/confirm", {"payment_method": "pm_card_visa"})
    found = await call.get(f"/v1/subscriptions/{made['id']}")
    assert (found["pending_setup_intent"], found["default_payment_method"]) == (None, confirmed["payment_method"])


async def test_who_has_a_card_needs_no_setup(call: Caller) -> None:
    made = await subscribed(call, customer=await payer(call), trial_period_days=7)
    assert (made["status"], made["pending_setup_intent"]) == ("trialing", None)


async def test_an_end_inside_the_period_gives_back_the_rest(call: Caller) -> None:
    day = 86_400
    clock = await call.post("/v1/test_helpers/test_clocks", {"frozen_time": 1_793_000_000})
    customer = await payer(call, test_clock=clock["id"])
    made = await subscribed(call, customer=customer)
    await call.post(f"/v1/subscriptions/{made['id']}", {"cancel_at": 1_793_000_000 + 10 * day})
    path = f"/v1/test_helpers/test_clocks/{clock['id']}"
    await call.post(f"{path}/advance", {"frozen_time": 1_793_000_000 + 11 * day})
    while (await call.get(path))["status"] != "ready":
        pass
    found = await call.get(f"/v1/subscriptions/{made['id']}")
    assert (found["status"], found["ended_at"]) == ("canceled", 1_793_000_000 + 10 * day)
    (waiting,) = (await call.get("/v1/invoiceitems", {"customer": customer, "pending": True}))["data"]
    assert waiting["amount"] == -2032  # 21 of 31 days
