"""What Stripe says to wrong requests: the texts, codes and parameters that integrations look at."""

from typing import Any

import pytest

from tests.sandbox.server import Caller

INTENTS, PRICES = "/v1/payment_intents", "/v1/prices"
LONG = "x" * 501


@pytest.mark.parametrize(
    ("given", "message", "code", "param"),
    [
        ({"currency": "usd"}, "Missing required param: amount.", "parameter_missing", "amount"),
        ({"amount": "ten", "currency": "usd"}, "Invalid integer: ten", "parameter_invalid_integer", "amount"),
        ({"amount": "10.5", "currency": "usd"}, "Invalid integer: 10.5", "parameter_invalid_integer", "amount"),
        ({"amount": -5, "currency": "usd"}, "Invalid positive integer", "parameter_invalid_integer", "amount"),
        (
            {"amount": 0, "currency": "usd"},
            "This value must be greater than or equal to 1.",
            "parameter_invalid_integer",
            "amount",
        ),
        ({"amount": 49, "currency": "usd"}, "Amount must be at least $0.50 usd", "amount_too_small", "amount"),
        ({"amount": 49, "currency": "eur"}, "Amount must be at least €0.50 eur", "amount_too_small", "amount"),
        ({"amount": 49, "currency": "jpy"}, "Amount must be at least ¥50 jpy", "amount_too_small", "amount"),
        (
            {"amount": 100_000_000, "currency": "usd"},
            "Amount must be no more than $999,999.99 usd",
            "amount_too_large",
            "amount",
        ),
        (
            {"amount": 1000, "currency": ""},
            (
                "You passed an empty string for 'currency'. We assume empty values are an attempt to unset a "
                "parameter; however 'currency' cannot be unset."
            ),
            "parameter_invalid_empty",
            "currency",
        ),
        (
            {"amount": 1000, "currency": "usd", "foo": 1, "bar": 2},
            "Received unknown parameters: foo, bar",
            "parameter_unknown",
            "foo",
        ),
        (
            {"amount": 1000, "currency": "usd", "capture_method": "later"},
            "Invalid capture_method: must be one of automatic, automatic_async, or manual",
            None,
            "capture_method",
        ),
        (
            {"amount": 1000, "currency": "usd", "metadata": {"note": LONG}},
            (
                "Metadata values can have up to 500 characters, but you passed in a value of 501 characters for the "
                "key `note`."
            ),
            None,
            "metadata[note]",
        ),
        (
            {"amount": 1000, "currency": "usd", "mandate_data": {"customer_acceptance": {"type": "offline"}}},
            "The parameter `mandate_data` cannot be passed unless `confirm` is true.",
            None,
            "mandate_data",
        ),
        (
            {
                "amount": 1000,
                "currency": "usd",
                "confirmation_method": "manual",
                "automatic_payment_methods": {"enabled": True},
            },
            "You may only specify one of these parameters: automatic_payment_methods, confirmation_method.",
            None,
            "automatic_payment_methods",
        ),
    ],
)
async def test_a_payment_intent_that_cannot_be(
    call: Caller, given: Any, message: str, code: str | None, param: str
) -> None:
    refused = await call.post(INTENTS, given)
    assert (refused["type"], refused["message"]) == ("invalid_request_error", message)
    assert (refused.get("code"), refused["param"]) == (code, param)


@pytest.mark.parametrize(
    ("path", "message", "param"),
    [
        ("/v1/customers/cus_x", "No such customer: 'cus_x'", "id"),
        ("/v1/payment_intents/pi_x", "No such payment_intent: 'pi_x'", "intent"),
        ("/v1/setup_intents/seti_x", "No such setupintent: 'seti_x'", "intent"),
        ("/v1/subscriptions/sub_x", "No such subscription: 'sub_x'", "id"),
        ("/v1/checkout/sessions/cs_x", "No such checkout.session: 'cs_x'", "id"),
    ],
)
async def test_what_is_not_there(call: Caller, path: str, message: str, param: str) -> None:
    refused = await call.get(path)
    assert (refused["code"], refused["message"], refused["param"]) == ("resource_missing", message, param)


async def test_a_currency_that_is_none(call: Caller) -> None:
    for path, given in ((INTENTS, {"amount": 1000}), (PRICES, {"unit_amount": 1000, "product_data": {"name": "a"}})):
        refused = await call.post(path, {"currency": "xyz", **given})
        start = "Invalid currency: xyz. Stripe currently supports these currencies: usd, aed, afn, all, amd, ang"
        assert (refused["message"].startswith(start), refused["param"]) == (True, "currency")


async def test_a_price_below_zero(call: Caller) -> None:
    refused = await call.post(PRICES, {"currency": "usd", "unit_amount": -1, "product_data": {"name": "a"}})
    assert (refused["message"], refused["param"]) == ("Invalid non-negative integer", "unit_amount")


async def test_names_and_addresses_that_cannot_be(call: Caller) -> None:
    refused = await call.post("/v1/customers", {"email": "nobody"})
    assert (refused["code"], refused["message"]) == ("email_invalid", "Invalid email address: nobody")
    product = (await call.post("/v1/products", {"name": "a"}))["id"]
    for path in ("/v1/products", f"/v1/products/{product}"):
        assert (await call.post(path, {"name": ""}))["code"] == "parameter_invalid_empty"


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (0, "This value must be greater than or equal to 1."),
        (101, "This value must be less than or equal to 100 (it currently is '101')."),
    ],
)
async def test_a_page_that_is_too_small_or_too_large(call: Caller, limit: int, message: str) -> None:
    refused = await call.get("/v1/customers", {"limit": limit})
    assert (refused["message"], refused["param"]) == (message, "limit")


async def test_states_that_forbid(call: Caller) -> None:
    given = {"amount": 1000, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa", "off_session": True}
    done = await call.post(INTENTS, given)
    path = f"{INTENTS}/{done['id']}"
    captured = await call.post(f"{path}/capture")
    assert captured["message"] == (
        "This PaymentIntent could not be captured because it has a status of succeeded. Only a PaymentIntent with one "
        "of the following statuses may be captured: requires_capture."
    )
    canceled = await call.post(f"{path}/cancel")
    assert canceled["message"] == (
        "You cannot cancel this PaymentIntent because it has a status of succeeded. Only a PaymentIntent with one of "
        "the following statuses may be canceled: requires_payment_method, requires_capture, requires_confirmation, "
        "requires_action, processing."
    )
    assert (canceled["code"], canceled["payment_intent"]["id"]) == ("payment_intent_unexpected_state", done["id"])


async def test_a_secret_of_another_intent(call: Caller) -> None:
    for path in (INTENTS, "/v1/setup_intents"):
        made = await call.post(path, {"amount": 1000, "currency": "usd"} if path == INTENTS else {})
        found = await call.get(f"{path}/{made['id']}", {"client_secret": made["client_secret"]})
        assert found["id"] == made["id"]
        refused = await call.get(f"{path}/{made['id']}", {"client_secret": "pi_1_secret_2"})
        assert "does not match the client_secret associated" in refused["message"]
