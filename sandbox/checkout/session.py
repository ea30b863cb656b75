"""A new Checkout session, as Stripe shows it before anybody has opened its page."""

from typing import Any

from sandbox.checkout.lines import Reduction, totals
from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.ids import letters
from sandbox.store import Object

KIND = "checkout.session"
DAY = 24 * 3600
SHORTEST_LIFE = 30 * 60
TEXTS = ("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")


def new_session(ctx: Context, mode: str, lines: list[Object], reduction: Reduction | None) -> Object:
    """The session, not yet stored; what begins with `_` is for the page."""
    given = ctx.params
    session_id = "cs_test_a1" + letters(ctx.new_id("cs"), 56)
    embedded = given.get("ui_mode") == "embedded_page"
    subtotal, discount, total = totals(lines)
    priced = mode != "setup"
    return _settings(given) | {
        "id": session_id,
        "object": KIND,
        "amount_subtotal": subtotal if priced else None,
        "amount_total": total if priced else None,
        "created": ctx.now,
        "currency": lines[0]["currency"] if lines else given.get("currency"),
        "customer": _customer(ctx),
        "customer_creation": _customer_creation(given, mode),
        "customer_details": _customer_details(ctx),
        "discounts": [{"coupon": reduction.coupon, "promotion_code": _promotion_code(given)}] if reduction else [],
        "expires_at": _expires_at(ctx),
        "invoice": None,
        "livemode": False,
        "metadata": {},
        "mode": mode,
        "payment_intent": None,
        "payment_method_collection": given.get("payment_method_collection", "always")
        if mode == "subscription"
        else "if_required",
        "payment_status": "unpaid" if priced else "no_payment_required",
        "setup_intent": None,
        "status": "open",
        "subscription": None,
        "total_details": {"amount_discount": discount, "amount_shipping": 0, "amount_tax": 0} if priced else None,
        "client_secret": f"{session_id}_secret_{letters(f'secret:{session_id}', 60)}" if embedded else None,
        "ui_mode": "embedded_page" if embedded else "hosted_page",
        "url": None if embedded else f"{ctx.config.public_url}/c/pay/{session_id}",
        "_data": {name: given.get(f"{name}_data", {}) for name in ("subscription", "payment_intent", "setup_intent")},
        "_lines": lines,
        "_pending": None,
    }


def _settings(given: dict[str, Any]) -> Object:
    """What is only shown again, or always empty in the sandbox."""
    empty = (
        "after_expiration consent currency_conversion customer_account payment_link "
        "payment_method_configuration_details permissions recovered_from shipping_cost wallet_options"
    )
    plain = (
        "allow_promotion_codes billing_address_collection cancel_url client_reference_id customer_email "
        "integration_identifier locale origin_context submit_type success_url"
    )
    branding = given.get("branding_settings", {})
    return {
        **dict.fromkeys(empty.split()),
        **{name: given.get(name) for name in plain.split()},
        "adaptive_pricing": {"enabled": given.get("adaptive_pricing", {}).get("enabled", True)},
        "automatic_tax": _automatic_tax(given.get("automatic_tax") or {}),
        "branding_settings": {
            "background_color": branding.get("background_color") or "#ffffff",
            "border_style": branding.get("border_style") or "rounded",
            "button_color": branding.get("button_color") or "#0074d4",
            "display_name": branding.get("display_name") or "",
            "font_family": branding.get("font_family") or "default",
            "icon": branding.get("icon"),
            "logo": branding.get("logo"),
        },
        "collected_information": {"business_name": None, "individual_name": None, "shipping_details": None},
        "consent_collection": _consent(given.get("consent_collection")),
        "custom_fields": [_field(each) for each in given.get("custom_fields") or []],
        "custom_text": dict.fromkeys(TEXTS) | given.get("custom_text", {}),
        "invoice_creation": _invoice_creation(given.get("invoice_creation")),
        "managed_payments": {"enabled": False},
        "payment_method_options": {
            "card": {
                "request_three_d_secure": "automatic",
                **((given.get("payment_method_options") or {}).get("card") or {}),
            }
        },
        "payment_method_types": ["card"],
        "phone_number_collection": {"enabled": given.get("phone_number_collection", {}).get("enabled", False)},
        "saved_payment_method_options": {
            "allow_redisplay_filters": ["always"],
            "payment_method_remove": "disabled",
            "payment_method_save": None,
        }
        | given.get("saved_payment_method_options", {}),
        "shipping_address_collection": given.get("shipping_address_collection"),
        "shipping_options": [],
        **_asked(given),
    }


def _automatic_tax(given: dict[str, Any]) -> Object:
    if not given.get("enabled"):
        return {"enabled": False, "liability": None, "provider": None, "status": None}
    liability = given.get("liability") or {"type": "self"}
    return {"enabled": True, "liability": liability, "provider": "stripe", "status": "requires_location_inputs"}


def _asked(given: dict[str, Any]) -> Object:
    """Fields that are there only when they were asked for."""
    shown: Object = {}
    if given.get("ui_mode") == "embedded_page":
        shown["redirect_on_completion"] = given.get("redirect_on_completion", "always")
        shown["return_url"] = given.get("return_url")
    if "tax_id_collection" in given:
        shown["tax_id_collection"] = {"required": "never", **given["tax_id_collection"]}
    if "name_collection" in given:
        kinds = given["name_collection"]
        shown["name_collection"] = {kind: {"optional": False, **each} for kind, each in kinds.items()}
    if "allowed_payment_method_types" in given:
        shown["allowed_payment_method_types"] = given["allowed_payment_method_types"]
    return shown


def _consent(given: dict[str, Any] | None) -> Object | None:
    names = ("payment_method_reuse_agreement", "promotions", "terms_of_service")
    return given and {name: given.get(name) for name in names}


def _field(given: dict[str, Any]) -> Object:
    """A custom field; the sandbox's page does not ask for it, so that it has no value."""
    kind = given["type"]
    lengths: Object = {} if kind == "dropdown" else {"maximum_length": None, "minimum_length": None}
    return {
        "key": given["key"],
        "label": given["label"],
        "optional": given.get("optional", False),
        "type": kind,
        kind: {"default_value": None, "value": None, **lengths, **given.get(kind, {})},
    }


def _invoice_creation(given: dict[str, Any] | None) -> Object | None:
    if given is None:
        return None
    names = ("account_tax_ids", "custom_fields", "description", "footer", "rendering_options")
    data = given.get("invoice_data") or {}
    shown = dict.fromkeys(names) | {"issuer": {"type": "self"}, "metadata": {}} | data
    if shown["rendering_options"] is not None:
        shown["rendering_options"] = {"amount_tax_display": None, "template": None} | shown["rendering_options"]
    return {"enabled": given["enabled"], "invoice_data": shown}


def _customer(ctx: Context) -> str | None:
    given = ctx.params.get("customer")
    return None if given is None else str(ctx.get("customer", given, param="customer")["id"])


def _customer_creation(given: dict[str, Any], mode: str) -> str | None:
    if "customer" in given:
        return None
    if mode != "payment":
        return "always"
    # an invoice needs a customer
    invoiced = (given.get("invoice_creation") or {}).get("enabled")
    return str(given.get("customer_creation", "always" if invoiced else "if_required"))


def _customer_details(ctx: Context) -> Object | None:
    email = ctx.params.get("customer_email")
    if "customer" in ctx.params:
        email = ctx.get("customer", ctx.params["customer"])["email"]
    return None if email is None else customer_details(email, None)


def customer_details(email: str | None, name: str | None) -> Object:
    """What the session says of the buyer."""
    return {
        "address": None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": None,
    }


def _promotion_code(given: dict[str, Any]) -> str | None:
    code = given["discounts"][0].get("promotion_code")
    return None if code is None else str(code)


def _expires_at(ctx: Context) -> int:
    at = int(ctx.params.get("expires_at", ctx.now + DAY))
    if not ctx.now + SHORTEST_LIFE - 60 <= at <= ctx.now + DAY + 60:
        raise invalid(
            "The `expires_at` timestamp must be between 30 minutes and 24 hours from creation.",
            param="expires_at",
        )
    return at
