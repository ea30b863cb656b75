"""What an intent may be asked for beside amount and method: method types, their options, mandates, the secret."""

import hmac

from sandbox.billing.banks import CURRENCIES
from sandbox.context import Context
from sandbox.errors import StripeError, invalid, not_implemented
from sandbox.paying.methods import KINDS
from sandbox.store import Object

# What answers show of the options of a card when nothing was asked for; those of a setup intent have no installments.
CARD: Object = {"installments": None, "mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
ASKED_THREE_D_SECURE = frozenset({"any", "challenge"})
# Taken and used, but never shown again.
SECRET = frozenset({"cvc_token", "moto", "three_d_secure"})
SHOWN_BANK: dict[str, Object] = {
    "us_bank_account": {"verification_method": "automatic"},
    "sepa_debit": {},
    "link": {"persistent_token": None},
}


def check_secret(ctx: Context, intent: Object) -> Object:
    """The intent, if the `client_secret` that was given is its own."""
    given = ctx.params.get("client_secret")
    if given is not None and not hmac.compare_digest(str(given).encode(), intent["client_secret"].encode()):
        name = "PaymentIntent" if intent["object"] == "payment_intent" else "SetupIntent"
        raise invalid(f"The client_secret provided does not match the client_secret associated with the {name}.")
    return intent


def put_types(ctx: Context, intent: Object, path: str) -> None:
    """`automatic_payment_methods`, `allowed_payment_method_types` and `excluded_payment_method_types`."""
    given = ctx.params
    excluded = given.get("excluded_payment_method_types")
    if excluded is not None:
        intent["excluded_payment_method_types"] = excluded or None
    if "allowed_payment_method_types" in given:
        types = given["allowed_payment_method_types"]
        for kind in types:
            if kind not in KINDS:
                raise not_implemented("POST", f"{path} with the payment method type {kind}")
        if (given.get("automatic_payment_methods") or {}).get("enabled"):
            raise invalid(
                "You may only specify one of these parameters: automatic_payment_methods, "
                "allowed_payment_method_types.",
                param="automatic_payment_methods",
            )
        intent |= {"allowed_payment_method_types": types, "automatic_payment_methods": None}
        intent["payment_method_types"] = types
    elif "automatic_payment_methods" in given:
        automatic = given["automatic_payment_methods"]
        intent["automatic_payment_methods"] = {"allow_redirects": "always", **automatic}
    if "card" in (excluded or ()):
        intent["payment_method_types"] = [kind for kind in intent["payment_method_types"] if kind != "card"]


def put_options(intent: Object, given: Object | None, path: str) -> None:
    """`payment_method_options`, kept as they are shown; '' takes an option back."""
    if given is None:
        return
    shown = dict(intent["payment_method_options"])
    for kind, wanted in given.items():
        if kind not in KINDS:
            raise not_implemented("POST", f"{path} with payment_method_options[{kind}]")
        before = shown.get(kind) or _default(intent, kind)
        asked = {name: value for name, value in (wanted or {}).items() if name not in SECRET}
        if "installments" in asked:
            asked["installments"] = _installments(asked["installments"])
        if kind == "us_bank_account" and "financial_connections" in asked:
            raise not_implemented("POST", f"{path} with payment_method_options[{kind}][financial_connections]")
        shown[kind] = _default(intent, kind) if wanted is None else _without_nulls(before, asked)
    intent["payment_method_options"] = shown


def wants_three_d_secure(intent: Object) -> bool:
    """Whether 3-D Secure was asked for, rather than left to the bank."""
    card = intent["payment_method_options"].get("card") or {}
    return card.get("request_three_d_secure") in ASKED_THREE_D_SECURE


def require_return(ctx: Context, intent: Object) -> None:
    """A method that leads away from the page needs to know the way back, unless the app itself takes care of it."""
    automatic = intent["automatic_payment_methods"] or {}
    redirects = automatic.get("enabled") and automatic.get("allow_redirects") != "never"
    if redirects and not ctx.params.get("return_url") and not ctx.params.get("use_stripe_sdk"):
        name = "PaymentIntent" if intent["object"] == "payment_intent" else "SetupIntent"
        raise invalid(
            f"This {name} is configured to accept payment methods enabled in your Dashboard. Because some "
            "of these payment methods might redirect your customer off of your page, you must provide a "
            "`return_url`. If you don't want to accept redirect-based payment methods, set "
            "`automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to "
            "`never` when creating Setup Intents and Payment Intents."
        )


def holds(intent: Object) -> bool:
    """Whether the money is only authorised, and taken by a capture."""
    card = (intent.get("payment_method_options") or {}).get("card") or {}
    return "manual" in {intent["capture_method"], card.get("capture_method")}


def saves(intent: Object, method: Object) -> bool:
    """Whether the payment saves its method, which the option of the method's type decides first."""
    own = (intent["payment_method_options"].get(method["type"]) or {}).get("setup_future_usage")
    return (own or intent["setup_future_usage"] or "none") != "none"


def check_kind(intent: Object, method: Object) -> None:
    """Refuses a method whose type the intent does not allow."""
    kind = method["type"]
    name = "PaymentIntent" if intent["object"] == "payment_intent" else "SetupIntent"
    excluded = intent["excluded_payment_method_types"] or ()
    if kind in excluded or kind not in intent.get("allowed_payment_method_types", [kind]):
        listed = ", ".join(intent["payment_method_types"])
        raise invalid(
            f"The PaymentMethod provided ({kind}) is not allowed for this {name}. Please attach a PaymentMethod of "
            f"one of these types: {listed}.",
            param="payment_method",
        )
    currency = CURRENCIES.get(kind)
    if currency is not None and intent.get("currency", currency) != currency:
        raise invalid(
            f"The currency provided ({intent['currency']}) is invalid for payment method type {kind}.",
            param="payment_method",
            code="payment_intent_incompatible_payment_method",
        )


def acceptance(ctx: Context, intent: Object) -> Object | None:
    """How the customer accepted the mandate, from `mandate_data`, if that was given."""
    given = (ctx.params.get("mandate_data") or {}).get("customer_acceptance")
    if given is None:
        return None
    if given["type"] == "online" and "online" not in given and "client_secret" not in ctx.params:
        name = "mandate_data[customer_acceptance][online]"
        raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    accepted: Object = {"online": {"ip_address": None, "user_agent": None}, **given}
    return accepted


def no_mandate(intent: Object) -> StripeError:
    """A bank account is debited only with its owner's mandate."""
    name = "PaymentIntent" if intent["object"] == "payment_intent" else "SetupIntent"
    return invalid(
        f"This {name} requires a mandate, but no existing mandate was found. Collect mandate acceptance from the "
        "customer and try again, providing acceptance data in the mandate_data parameter.",
        code="payment_intent_mandate_invalid" if name == "PaymentIntent" else "setup_intent_mandate_invalid",
    )


def check_verified(intent: Object, method: Object) -> None:
    """An account that was given by its number must be verified, for which the sandbox has no page."""
    wanted = (intent["payment_method_options"].get("us_bank_account") or {}).get("verification_method")
    if method["type"] == "us_bank_account" and not method["_verified"] and wanted != "skip":
        raise not_implemented("POST", "the verification of a bank account by microdeposits (use pm_usBankAccount)")


def _default(intent: Object, kind: str) -> Object:
    if kind != "card":
        return dict(SHOWN_BANK[kind])
    setup = intent["object"] == "setup_intent"
    return {name: value for name, value in CARD.items() if not setup or name != "installments"}


def _without_nulls(before: Object, asked: Object) -> Object:
    """What was cleared is not shown, unless it is always shown."""
    merged = before | asked
    return {name: value for name, value in merged.items() if value is not None or name in {*CARD, "persistent_token"}}


def _installments(given: Object | None) -> Object | None:
    if not given:
        return None
    plan = given.get("plan")
    return {"available_plans": None, "enabled": given.get("enabled", False), "plan": plan}
