"""Who is behind a connected account: its company or its person, and the bank account that it is paid out to."""

from sandbox.billing import banks
from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.ids import letters
from sandbox.resources.shared import ADDRESS
from sandbox.store import Object

TAKES = ("company", "external_account", "individual")
# Stripe says only that it was told these.
SECRETS = {
    "id_number": "id_number_provided",
    "id_number_secondary": "id_number_secondary_provided",
    "ssn_last_4": "ssn_last_4_provided",
    "tax_id": "tax_id_provided",
    "vat_id": "vat_id_provided",
}
BANK_TOKENS = ("btok_us_verified", "btok_us")
COMPANY = (
    "address", "executives_provided", "directors_provided", "name", "owners_provided", "phone", "registration_number",
    "structure", "tax_id", "vat_id",
)  # fmt: skip
PERSON = (
    "address", "dob", "email", "first_name", "gender", "id_number", "last_name", "maiden_name", "metadata", "phone",
    "political_exposure", "relationship", "ssn_last_4",
)  # fmt: skip


def apply(ctx: Context, account: Object) -> None:
    """Take these parameters of an account. `account` is a draft."""
    given = ctx.params
    if "company" in given:
        _check(given["company"], COMPANY, "company")
        account["company"] = {"name": None} | account.get("company", {}) | _told(given["company"])
    if "individual" in given:
        _check(given["individual"], PERSON, "individual")
        account["individual"] = _person(ctx, account, given["individual"])
    if given.get("external_account") is not None:
        _replace_external(account, _external(ctx, account, given["external_account"]))


def _check(given: Object, known: tuple[str, ...], param: str) -> None:
    for name in sorted(given.keys() - set(known)):
        raise not_implemented("POST", f"/v1/accounts with {param}[{name}]")


def _told(given: Object) -> Object:
    told: Object = {}
    for name, value in given.items():
        if name in SECRETS:
            told[SECRETS[name]] = value is not None
        elif name == "address":
            told[name] = {part: (value or {}).get(part) for part in ADDRESS}
        else:
            told[name] = value
    return told


def _person(ctx: Context, account: Object, given: Object) -> Object:
    names = ("dob", "email", "first_name", "last_name", "phone")
    blank: Object = {
        "id": ctx.new_id("person"),
        "object": "person",
        "account": account["id"],
        "address": dict.fromkeys(ADDRESS),
        "created": ctx.now,
        **dict.fromkeys(names),
        "future_requirements": None,
        "id_number_provided": False,
        "metadata": {},
        "relationship": {"representative": True},
        "requirements": None,
        "ssn_last_4_provided": False,
    }
    known: Object = account.get("individual") or blank
    told = _told(given)
    if "relationship" in told:
        told["relationship"] = known["relationship"] | told["relationship"]
    return known | told


def _external(ctx: Context, account: Object, given: Object | str) -> Object:
    """A bank account from a token or its numbers. Cards for payouts are not here."""
    if isinstance(given, str):
        if given not in BANK_TOKENS:
            raise invalid(f"No such token: '{given}'", param="external_account", code="resource_missing")
        given = {"account_number": "000123456789", "country": "US", "routing_number": banks.US_ROUTING}
    if given.get("object", "bank_account") != "bank_account":
        raise not_implemented("POST", "/v1/accounts with a card as external_account")
    return {
        "id": ctx.new_id("ba"),
        "object": "bank_account",
        "account": account["id"],
        "account_holder_name": given.get("account_holder_name"),
        "account_holder_type": given.get("account_holder_type"),
        "account_type": None,
        "available_payout_methods": ["standard"],
        "bank_name": "STRIPE TEST BANK",
        "country": given["country"],
        "currency": str(given.get("currency") or account["default_currency"]).lower(),
        "default_for_currency": True,
        "fingerprint": letters(f"bank:{given['account_number']}", 16),
        "last4": given["account_number"][-4:],
        "metadata": {},
        "routing_number": given.get("routing_number"),
        "status": "new",
    }


def _replace_external(account: Object, made: Object) -> None:
    listed = account["external_accounts"]
    others = [one for one in listed["data"] if one["currency"] != made["currency"]]
    listed |= {"data": [made, *others], "total_count": len(others) + 1}
