"""Payment methods: made from Stripe's test ids, tokens and numbers, given to customers and taken from them."""

from collections.abc import Mapping

from sandbox.billing import cards
from sandbox.context import Context
from sandbox.errors import declined, invalid, not_implemented
from sandbox.paying import cards as paying_cards
from sandbox.paying.accounts import bank_account, sepa_account, test_account
from sandbox.paying.cards import named_card, new_card
from sandbox.resources.shared import ADDRESS, put_metadata
from sandbox.store import Object

MAX_PER_CUSTOMER = 200
TEST_ID = "pm_card_"
TEST_SOURCE = "tok_"
KINDS = ("card", "link", "sepa_debit", "us_bank_account")
DATA = ("allow_redisplay", "billing_details", "metadata", "radar_options", "type", *KINDS)
ELSEWHERE = (
    "It's possible this PaymentMethod exists on one of your connected accounts, in which case you should retry this "
    "request on that connected account. Learn more at https://stripe.com/docs/connect/authentication"
)


def resolve(ctx: Context, payment_method: str, param: str | None = "payment_method") -> Object:
    """The stored payment method; a test id such as pm_card_visa becomes a new one at each use."""
    if payment_method.startswith(TEST_ID):
        return new_card(ctx, named_card(payment_method.removeprefix(TEST_ID), payment_method))
    account = test_account(ctx, payment_method)
    if account is not None:
        return account
    found = find(ctx, payment_method, param)
    if found["_spent"] and found["customer"] is None:
        raise invalid(
            "This PaymentMethod was previously used without being attached to a Customer or was detached from a "
            "Customer, and may not be used again.",
            param=param,
        )
    return found


def find(ctx: Context, payment_method: str, param: str | None = "payment_method") -> Object:
    """The stored payment method; Stripe's message for another one hints at the connected accounts."""
    found = ctx.tx.get(ctx.account, "payment_method", payment_method)
    if found is None:
        status = 404 if param is None else 400
        message = f"No such PaymentMethod: '{payment_method}'; {ELSEWHERE}"
        raise invalid(message, param=param or "payment_method", code="resource_missing", status=status)
    return found


def from_token(ctx: Context, token: str, param: str = "source") -> Object:
    """The card of a test token such as tok_visa."""
    if not token.startswith(TEST_SOURCE) or token.removeprefix(TEST_SOURCE) not in cards.CARDS:
        raise invalid(f"No such token: '{token}'", param=param, code="resource_missing")
    return new_card(ctx, cards.CARDS[token.removeprefix(TEST_SOURCE)])


def make(ctx: Context, given: Mapping[str, object], param: str = "") -> Object:
    """A payment method from its data, as POST /v1/payment_methods and `payment_method_data` take it."""
    data: Object = dict(given)
    kind = data.get("type")
    prefix = f"{param}[{{}}]" if param else "{}"
    if kind is None:
        raise invalid("Missing required param: type.", param=prefix.format("type"), code="parameter_missing")
    unknown = sorted(data.keys() - set(DATA))
    if kind not in KINDS or unknown:
        raise not_implemented("POST", f"/v1/payment_methods with type={kind} {' '.join(unknown)}".rstrip())
    if kind == "card":
        made = paying_cards.from_data(ctx, data.get("card") or {})
    elif kind == "us_bank_account":
        made = bank_account(ctx, data.get("us_bank_account") or {}, prefix.format("us_bank_account"))
    elif kind == "sepa_debit":
        made = sepa_account(ctx, data.get("sepa_debit") or {}, prefix.format("sepa_debit"))
    else:
        email = (data.get("billing_details") or {}).get("email")
        made = paying_cards.stored(ctx, "link", {"email": email, "persistent_token": None})
    if kind in {"us_bank_account", "sepa_debit"} and not (data.get("billing_details") or {}).get("name"):
        name = prefix.format("billing_details[name]") if not param else f"{param}[billing_details][name]"
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    describe(ctx, made, data)
    return made


def describe(ctx: Context, value: Object, data: Object) -> None:
    """Whose it is, how it may be shown, and the session that Radar saw."""
    if "metadata" in data:
        put_metadata(value, data["metadata"])
    if "allow_redisplay" in data:
        value["allow_redisplay"] = data["allow_redisplay"]
    if "radar_options" in data:
        value["radar_options"] = {"session": (data["radar_options"] or {}).get("session")}
    given = dict(data.get("billing_details") or {})
    if "address" in given:
        address = given["address"] or {}
        given["address"] = {name: address.get(name) for name in ADDRESS}
        if value["type"] == "card" and address:
            checks = value["card"]["checks"]
            checks["address_postal_code_check"] = "pass" if address.get("postal_code") else None
            checks["address_line1_check"] = "pass" if address.get("line1") else None
    value["billing_details"] = value["billing_details"] | given


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


def clone(ctx: Context, payment_method: str, customer: str | None) -> Object:
    """A copy in this connected account of a method of the platform. https://docs.stripe.com/connect/direct-charges-multiple-accounts"""
    platform = ctx.inside(ctx.config.platform)
    if ctx.account == ctx.config.platform:
        message = "You can only clone a PaymentMethod from a platform to one of its connected accounts."
        raise invalid(message, param="payment_method")
    found = resolve(platform, payment_method)
    if customer is not None:
        platform.get("customer", customer, param="customer")
    if found["customer"] != customer:
        message = f"The payment method {found['id']} is not attached to the customer {customer}."
        if customer is None:
            message = (
                "You must provide the `customer` that the PaymentMethod is attached to in order to clone it to a "
                "connected account."
            )
        raise invalid(message, param="customer")
    made = dict(found) | {
        "id": ctx.new_id("pm"),
        "created": ctx.now,
        "customer": None,
        "_authenticated": False,
        "_spent": False,
    }
    return ctx.insert(made)
