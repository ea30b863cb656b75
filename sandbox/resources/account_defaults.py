"""What a new account begins with: settings, controller, currency, and what Stripe still wants to know."""

from typing import Any

from sandbox.errors import invalid

CURRENCIES = {
    "US": "usd", "GB": "gbp", "CA": "cad", "AU": "aud", "NZ": "nzd", "JP": "jpy", "CH": "chf", "SE": "sek",
    "NO": "nok", "DK": "dkk", "PL": "pln", "SG": "sgd", "HK": "hkd", "MX": "mxn", "BR": "brl", "CZ": "czk",
    "HU": "huf", "RO": "ron",
    **dict.fromkeys(
        ("AT", "BE", "BG", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "HR", "IE", "IT", "LT", "LU", "LV", "MT",
         "NL", "PT", "SI", "SK"),
        "eur",
    ),
}  # fmt: skip
# Fee payer, losses, requirement collection, dashboard; what the three old types mean.
TYPES = {
    "standard": ("account", "stripe", "stripe", "full"),
    "express": ("application_express", "application", "stripe", "express"),
    "custom": ("application_custom", "application", "application", "none"),
}
ALWAYS_DUE = ("external_account", "representative.first_name", "representative.last_name", "tos_acceptance.date")
PROFILE = (
    "annual_revenue",
    "estimated_worker_count",
    "mcc",
    "minority_owned_business_designation",
    "name",
    "product_description",
    "specified_commercial_transactions_act_url",
    "support_address",
    "support_email",
    "support_phone",
    "support_url",
    "url",
)


def controller(given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The account's type and controller, from either parameter."""
    if "controller" in given and "type" in given:
        raise invalid("You cannot specify both `type` and `controller`.", param="controller")
    if "type" in given:
        kind = given["type"]
        payer, losses, collection, dashboard = TYPES[kind]
    else:
        wanted = given.get("controller", {})
        payer = wanted.get("fees", {}).get("payer", "account")
        losses = wanted.get("losses", {}).get("payments", "stripe")
        collection = wanted.get("requirement_collection", "stripe")
        dashboard = wanted.get("stripe_dashboard", {}).get("type", "full")
        kind = "standard" if (payer, losses, collection, dashboard) == TYPES["standard"] else "none"
    if collection == "application" and (losses != "application" or dashboard != "none"):
        raise invalid(
            "When `controller[requirement_collection]` is `application`, `controller[losses][payments]` must be "
            "`application` and `controller[stripe_dashboard][type]` must be `none`.",
            param="controller[requirement_collection]",
        )
    return kind, {
        "fees": {"payer": payer},
        "is_controller": True,
        "losses": {"payments": losses},
        "requirement_collection": collection,
        "stripe_dashboard": {"type": dashboard},
        "type": "application",
    }


def needs(account: dict[str, Any]) -> dict[str, Any]:
    """The account's requirements: nothing once it is onboarded."""
    due: list[str] = []
    if not account["details_submitted"]:
        profile = account["business_profile"]
        due = [f"business_profile.{name}" for name in ("mcc", "url") if profile[name] is None]
        due += [] if account["business_type"] else ["business_type"]
        due += [name for name in ALWAYS_DUE if not _is_told(account, name)]
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": sorted(due),
        "disabled_reason": "requirements.past_due" if due else None,
        "errors": [],
        "eventually_due": sorted(due),
        "past_due": sorted(due),
        "pending_verification": [],
    }


def _is_told(account: dict[str, Any], name: str) -> bool:
    if name == "tos_acceptance.date":
        return bool(account["tos_acceptance"]["date"])
    if name == "external_account":
        return bool(account["external_accounts"]["data"])
    return bool((account.get("individual") or {}).get(name.rpartition(".")[2]))


def described(account: dict[str, Any], name: str) -> dict[str, Any]:
    """One capability of an account, as an object."""
    asked = account["_requested"].get(name)
    why = None if account["details_submitted"] else "requirements.fields_needed"
    return {
        "id": name,
        "object": "capability",
        "account": account["id"],
        "future_requirements": account["future_requirements"],
        "requested": asked is not None,
        "requested_at": asked,
        "requirements": account["requirements"] | {"disabled_reason": why},
        "status": account["capabilities"][name],
    }


def default_profile() -> dict[str, Any]:
    return dict.fromkeys(PROFILE)


def default_settings() -> dict[str, Any]:
    return {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {
            "decline_on": {"avs_failure": False, "cvc_failure": False},
            "statement_descriptor_prefix": None,
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
        "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": None},
        "payments": {
            "statement_descriptor": None,
            "statement_descriptor_kana": None,
            "statement_descriptor_kanji": None,
        },
        "payouts": {
            "debit_negative_balances": True,
            "schedule": {"delay_days": 2, "interval": "daily"},
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    }
