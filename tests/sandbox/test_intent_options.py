"""Options of payment intents: 3-D Secure that is asked for, manual confirmation, method data, several captures."""

from typing import Any

import pytest

from tests.sandbox.server import Caller

PATH = "/v1/payment_intents"
DIRECT: dict[str, Any] = {
    "amount": 2000,
    "currency": "usd",
    "confirm": True,
    "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
}
VISA = {"type": "card", "card": {"token": "tok_visa"}}


async def test_a_card_comes_with_the_intent(call: Caller) -> None:
    made = await call.post(PATH, {**DIRECT, "payment_method_data": VISA})
    assert made["status"] == "succeeded"
    method = await call.get(f"/v1/payment_methods/{made['payment_method']}")
    assert method["card"]["last4"] == "4242"
    both = await call.post(PATH, {**DIRECT, "payment_method_data": VISA, "payment_method": "pm_card_visa"})
    assert both["param"] == "payment_method_data"


@pytest.mark.parametrize(
    ("card", "wanted", "status"),
    [
        ("visa", "any", "succeeded"),  # not enrolled: nothing to confirm
        ("threeDSecureOptional", "automatic", "succeeded"),
        ("threeDSecureOptional", "any", "requires_action"),
        ("threeDSecureOptional", "challenge", "requires_action"),
        ("threeDSecureRequired", "automatic", "requires_action"),
    ],
)
async def test_three_d_secure_is_asked_for(call: Caller, card: str, wanted: str, status: str) -> None:
    options = {"card": {"request_three_d_secure": wanted}}
    made = await call.post(PATH, {**DIRECT, "payment_method": f"pm_card_{card}", "payment_method_options": options})
    assert (made["status"], made["payment_method_options"]["card"]["request_three_d_secure"]) == (status, wanted)


@pytest.mark.parametrize(
    ("card", "present", "absent"),
    [
        ("authenticationRequiredSetupForOffSession", "requires_action", "succeeded"),
        ("authenticationRequired", "requires_action", "authentication_required"),
    ],
)
async def test_who_is_there_decides(call: Caller, card: str, present: str, absent: str) -> None:
    given = {**DIRECT, "payment_method": f"pm_card_{card}"}
    assert (await call.post(PATH, given))["status"] == present
    alone = await call.post(PATH, {**given, "off_session": True})
    assert alone.get("status", alone.get("code")) == absent


async def test_a_card_that_was_set_up_still_asks_when_its_owner_is_there(call: Caller) -> None:
    customer = (await call.post("/v1/customers"))["id"]
    given = {"customer": customer, "payment_method": "pm_card_authenticationRequiredOnSetup", "use_stripe_sdk": True}
    setup = await call.post("/v1/setup_intents", {**given, "confirm": True})
    assert (setup["status"], setup["next_action"]["type"]) == ("requires_action", "use_stripe_sdk")
    address = setup["next_action"]["use_stripe_sdk"]["stripe_js"]
    async with call.session.post("/" + address.split("/", 3)[3], data={"outcome": "complete"}) as answer:
        assert answer.status == 200
    card = (await call.get(f"/v1/setup_intents/{setup['id']}"))["payment_method"]
    paying = {**DIRECT, "customer": customer, "payment_method": card}
    assert (await call.post(PATH, {**paying, "off_session": True}))["status"] == "succeeded"
    assert (await call.post(PATH, paying))["status"] == "requires_action"


async def test_a_card_that_is_declined_after_its_authentication(call: Caller) -> None:
    card = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    made = await call.post(PATH, {**DIRECT, "payment_method": card})
    assert made["status"] == "requires_action"
    address = made["next_action"]["use_stripe_sdk"]["stripe_js"]
    async with call.session.post("/" + address.split("/", 3)[3], data={"outcome": "complete"}) as answer:
        assert answer.status == 200
    found = await call.get(f"{PATH}/{made['id']}")
    assert (found["status"], found["last_payment_error"]["decline_code"]) == (
        "requires_payment_method",
        "insufficient_funds",
    )


async def test_a_manual_confirmation_is_finished_by_the_server(call: Caller) -> None:
    given = {"amount": 2000, "currency": "usd", "confirm": True, "confirmation_method": "manual"}
    made = await call.post(PATH, {**given, "payment_method": "pm_card_authenticationRequired"})
    assert (made["status"], made["automatic_payment_methods"]) == ("requires_action", None)
    address = made["next_action"]["use_stripe_sdk"]["stripe_js"]
    async with call.session.post("/" + address.split("/", 3)[3], data={"outcome": "complete"}) as answer:
        assert answer.status == 200
    assert (await call.get(f"{PATH}/{made['id']}"))["status"] == "requires_confirmation"
    assert (await call.post(f"{PATH}/{made['id']}/confirm"))["status"] == "succeeded"


async def test_the_radar_blocks_a_payment(call: Caller) -> None:
    refused = await call.post(PATH, {**DIRECT, "payment_method": "pm_card_radarBlock"})
    assert (refused["code"], refused["decline_code"]) == ("card_declined", "fraudulent")
    outcome = (await call.get(f"/v1/charges/{refused['charge']}"))["outcome"]
    assert (outcome["type"], outcome["network_status"], outcome["risk_level"]) == (
        "blocked",
        "not_sent_to_network",
        "highest",
    )


async def test_a_card_alone_is_captured_later(call: Caller) -> None:
    options = {"card": {"capture_method": "manual"}}
    held = await call.post(PATH, {**DIRECT, "payment_method": "pm_card_visa", "payment_method_options": options})
    assert (held["status"], held["amount_capturable"]) == ("requires_capture", 2000)
    several = await call.post(f"{PATH}/{held['id']}/capture", {"amount_to_capture": 500, "final_capture": False})
    assert several["param"] == "final_capture"
    taken = await call.post(f"{PATH}/{held['id']}/capture", {"amount_to_capture": 1500, "final_capture": True})
    assert (taken["status"], taken["amount_received"]) == ("succeeded", 1500)
    back = await call.post("/v1/refunds", {"payment_intent": held["id"]})
    assert (back["amount"], back["status"]) == (1500, "succeeded")


async def test_a_confirmation_changes_what_is_saved_and_sent(call: Caller) -> None:
    customer = (await call.post("/v1/customers"))["id"]
    made = await call.post(PATH, {"amount": 2000, "currency": "usd", "customer": customer})
    shipping = {"name": "Ada", "address": {"line1": "Street 1"}}
    done = await call.post(
        f"{PATH}/{made['id']}/confirm",
        {
            "payment_method_data": VISA,
            "setup_future_usage": "off_session",
            "shipping": shipping,
            "return_url": "https://shop.example/done",
        },
    )
    assert (done["status"], done["setup_future_usage"], done["shipping"]["name"]) == ("succeeded", "off_session", "Ada")
    listed = await call.get("/v1/payment_methods", {"customer": customer})
    assert [one["id"] for one in listed["data"]] == [done["payment_method"]]
