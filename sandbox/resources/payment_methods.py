"""Payment methods: cards, made from Stripe's test ids, test tokens and test numbers."""

from datetime import UTC, datetime

from sandbox.billing import cards
from sandbox.context import Context
from sandbox.errors import StripeError, declined, invalid, not_implemented
from sandbox.http.lists import page
from sandbox.ids import letters
from sandbox.operations import operation
from sandbox.resources.shared import ADDRESS, merge_metadata
from sandbox.store import Object

MAX_PER_CUSTOMER = 200
TEST_ID = "pm_card_"


_ELSEWHERE = (
    "It's possible this PaymentMethod exists on one of your connected accounts, in which case you should retry this "
    "request on that connected account. Learn more at https://stripe.com/docs/connect/authentication"
)


def resolve(ctx: Context, payment_method: str, param: str | None = "payment_method") -> Object:
    """The stored payment method; a test id such as pm_card_visa becomes a new one at each use."""
    if payment_method.startswith(TEST_ID):
        return _new(ctx, _test_card(payment_method.removeprefix(TEST_ID), payment_method))
    found = ctx.get("payment_method", payment_method, param=param)
    if found["_spent"] and found["customer"] is None:
        raise invalid(
            "This PaymentMethod was previously used without being attached to a Customer or was detached from a "
            "Customer, and may not be used again.",
            param=param,
        )
    return found


def attach(ctx: Context, payment_method: Object, customer: str) -> Object:
    """Give it to the customer; a card that the bank refuses raises 402."""
    if payment_method["customer"] == customer:
        return payment_method
    if payment_method["customer"] is not None:
        raise invalid("The payment method you provided has already been attached to a customer.")
    if sum(1 for _ in of_customer(ctx, customer)) >= MAX_PER_CUSTOMER:
        raise invalid(f"A customer may have at most {MAX_PER_CUSTOMER} payment methods.")
    refusal = cards.attach_outcome(payment_method)
    if refusal.result is cards.Result.DECLINED:
        error = declined(refusal.error, param="")
        error.keep = False  # nothing is left of a card that could not be attached
        raise error
    draft = ctx.edit("payment_method", payment_method["id"])
    draft["customer"] = customer
    draft["_authenticated"] = False
    ctx.emit("payment_method.attached", draft)
    return draft


def release(ctx: Context, payment_method: str) -> None:
    """Take it from its customer; it can't be used again."""
    draft = ctx.edit("payment_method", payment_method)
    draft |= {"customer": None, "_spent": True}
    ctx.updated("payment_method.detached", draft)


def of_customer(ctx: Context, customer: str) -> list[Object]:
    """The customer's payment methods, newest first."""
    return [found for found in ctx.tx.newest(ctx.account, "payment_method") if found["customer"] == customer]


@operation("POST", "/v1/payment_methods", takes=("type", "card", "billing_details", "metadata", "allow_redisplay"))
def create(ctx: Context) -> Object:
    kind = ctx.params.get("type")
    if kind is None:
        raise invalid("Missing required param: type.", param="type", code="parameter_missing")
    if kind != "card":
        raise not_implemented("POST", f"/v1/payment_methods with type={kind}")
    given = ctx.params.get("card") or {}
    if "networks" in given:
        raise not_implemented("POST", "/v1/payment_methods with card[networks]")
    if "token" in given:
        made = _new(ctx, _test_card(given["token"].removeprefix("tok_"), given["token"], "card[token]"))
    else:
        made = _from_number(ctx, given)
    _describe(ctx, made)
    return made


@operation("GET", "/v1/payment_methods/{payment_method}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("payment_method", ctx.path["payment_method"])


@operation(
    "POST",
    "/v1/payment_methods/{payment_method}",
    takes=("card", "billing_details", "metadata", "allow_redisplay"),
)
def update(ctx: Context) -> Object:
    draft = ctx.edit("payment_method", ctx.path["payment_method"])
    if draft["customer"] is None:
        raise invalid("You must save this PaymentMethod to a customer before you can update it.")
    card = ctx.params.get("card") or {}
    if "networks" in card:
        raise not_implemented("POST", "/v1/payment_methods/{payment_method} with card[networks]")
    _check_expiry(ctx, {**draft["card"], **card})
    draft["card"] |= card
    _describe(ctx, draft)
    ctx.updated("payment_method.updated", draft)
    return draft


@operation("POST", "/v1/payment_methods/{payment_method}/attach", takes=("customer",))
def attach_to_customer(ctx: Context) -> Object:
    if "customer" not in ctx.params:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    customer = ctx.get("customer", ctx.params["customer"], param="customer")
    name = ctx.path["payment_method"]
    if not name.startswith(TEST_ID) and ctx.tx.get(ctx.account, "payment_method", name) is None:
        message = f"No such PaymentMethod: '{name}'; {_ELSEWHERE}"
        raise invalid(message, param="payment_method", code="resource_missing", status=404)
    found = resolve(ctx, name, param=None)
    return attach(ctx, found, customer["id"])


@operation("POST", "/v1/payment_methods/{payment_method}/detach")
def detach(ctx: Context) -> Object:
    draft = ctx.edit("payment_method", ctx.path["payment_method"])
    if draft["customer"] is None:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
    owner = ctx.get("customer", draft["customer"])
    release(ctx, draft["id"])
    if not owner.get("deleted") and owner["invoice_settings"]["default_payment_method"] == draft["id"]:
        customer = ctx.edit("customer", owner["id"])
        customer["invoice_settings"]["default_payment_method"] = None
        ctx.updated("customer.updated", customer)
    return draft


@operation("GET", "/v1/payment_methods")
def list_all(ctx: Context) -> Object:
    if "customer_account" in ctx.params:
        raise not_implemented("GET", "/v1/payment_methods with customer_account")
    if "customer" not in ctx.params:
        # Stripe lists only the methods of a customer; those of nobody are not listed.
        return page(ctx, "payment_method", "/v1/payment_methods", lambda _: False)
    customer = ctx.get("customer", ctx.params["customer"], param="customer")
    return _page(ctx, customer["id"], "/v1/payment_methods")


@operation("GET", "/v1/customers/{customer}/payment_methods")
def list_of_customer(ctx: Context) -> Object:
    customer = ctx.get("customer", ctx.path["customer"])
    return _page(ctx, customer["id"], f"/v1/customers/{customer['id']}/payment_methods")


@operation("GET", "/v1/customers/{customer}/payment_methods/{payment_method}")
def retrieve_of_customer(ctx: Context) -> Object:
    found = ctx.get("payment_method", ctx.path["payment_method"])
    if found["customer"] != ctx.path["customer"]:
        return ctx.get("payment_method", "")
    return found


def _page(ctx: Context, customer: str, url: str) -> Object:
    wanted = {name: ctx.params[name] for name in ("type", "allow_redisplay") if name in ctx.params}
    return page(
        ctx,
        "payment_method",
        url,
        lambda found: found["customer"] == customer and all(found[name] == value for name, value in wanted.items()),
    )


def _test_card(name: str, whole: str, param: str = "payment_method") -> cards.TestCard:
    card = cards.CARDS.get(name)
    if card is None:
        raise not_implemented("POST", f"{param}={whole}")
    return card


def _from_number(ctx: Context, given: Object) -> Object:
    """Keeps of the number its brand, last four digits, fingerprint and behaviour, and of the CVC nothing."""
    number = (given.get("number") or "").replace(" ", "").replace("-", "")
    if not number or not number.isdecimal() or not cards.luhn(number):
        words = {"code": "incorrect_number", "message": "Your card number is incorrect."}
        raise declined(words, param="number")
    card = cards.BY_NUMBER.get(number)
    if card is None:
        words = {
            "code": "card_declined",
            "decline_code": "test_mode_live_card",
            "message": "Your card was declined. Your request was in test mode, but used a non test card. "
            "For a list of valid test cards, visit: https://stripe.com/docs/testing.",
        }
        raise declined(words)
    for name in ("exp_month", "exp_year"):
        if name not in given:
            full = f"card[{name}]"
            raise invalid(f"Missing required param: {full}.", param=full, code="parameter_missing")
    year = given["exp_year"]
    expiry = {"exp_month": given["exp_month"], "exp_year": year + 2000 if year < 100 else year}
    _check_expiry(ctx, expiry)
    return _new(ctx, card, expiry)


def _check_expiry(ctx: Context, card: Object) -> None:
    today = datetime.fromtimestamp(ctx.now, UTC)
    if not 1 <= card["exp_month"] <= 12:
        raise _bad_expiry("month")
    if (card["exp_year"], card["exp_month"]) < (today.year, today.month) or card["exp_year"] > today.year + 50:
        raise _bad_expiry("year")


def _bad_expiry(part: str) -> StripeError:
    words = {"code": f"invalid_expiry_{part}", "message": f"Your card's expiration {part} is invalid."}
    return declined(words, param=f"exp_{part}")


def _describe(ctx: Context, value: Object) -> None:
    merge_metadata(value, ctx)
    if "allow_redisplay" in ctx.params:
        value["allow_redisplay"] = ctx.params["allow_redisplay"]
    given = dict(ctx.params.get("billing_details") or {})
    if "address" in given:
        address = given["address"] or {}
        given["address"] = {name: address.get(name) for name in ADDRESS}
    value["billing_details"] = value["billing_details"] | given


def _new(ctx: Context, card: cards.TestCard, expiry: Object | None = None) -> Object:
    today = datetime.fromtimestamp(ctx.now, UTC)
    made: Object = {
        "id": ctx.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": {
            "address": dict.fromkeys(ADDRESS),
            "email": None,
            "name": None,
            "phone": None,
            "tax_id": None,
        },
        "card": {
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
            "country": "US",
            "display_brand": card.brand,
            **(expiry or {"exp_month": today.month, "exp_year": today.year + 1}),
            "fingerprint": letters(f"card:{card.number}", 16),
            "funding": card.funding,
            "generated_from": None,
            "last4": card.number[-4:],
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": ctx.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
        "_authenticated": False,
        "_behaviour": card.behaviour,
        "_decline": card.decline,
        "_spent": False,
    }
    return ctx.insert(made)
