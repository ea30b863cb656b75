"""Accounts: connected ones live in the platform's account; each is also an account to work in."""

from typing import Any

from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.resources import account_owners
from sandbox.resources.account_defaults import (
    CURRENCIES,
    controller,
    default_profile,
    default_settings,
    described,
    needs,
)
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object

CHANGEABLE = (
    *account_owners.TAKES,
    "business_profile",
    "business_type",
    "capabilities",
    "default_currency",
    "email",
    "metadata",
    "settings",
    "tos_acceptance",
)
ENABLED_AT_ONCE = "sandbox_enabled"
MAX_ACCOUNTS = 10_000
# The platform's own account is not stored: it is always the same.
PLATFORM_CREATED = 1_700_000_000


def find(ctx: Context, account_id: str, *, param: str | None = None) -> Object:
    """The request's own account or, from the platform, one of its connected accounts."""
    if account_id == ctx.config.platform == ctx.account:
        return _platform(ctx)
    accounts = ctx.inside(ctx.config.platform)
    if ctx.account in {ctx.config.platform, account_id}:
        found = accounts.tx.get(accounts.account, "account", account_id)
        if found is not None and not found.get("_deauthorized"):
            return found
    message = (
        f"The provided key does not have access to account '{account_id}' (or that account does not exist). "
        "Application access may have been revoked."
    )
    raise invalid(message, code="account_invalid", param=param, status=403)


def complete_onboarding(ctx: Context, account_id: str) -> Object:
    """What the onboarding page does when its form is sent: the account can charge and be paid out."""
    draft = ctx.inside(ctx.config.platform).edit("account", account_id)
    draft |= {
        "charges_enabled": True,
        "details_submitted": True,
        "payouts_enabled": True,
        "tos_acceptance": draft["tos_acceptance"] | {"date": ctx.now, "ip": "127.0.0.1"},
    }
    woken = [name for name in draft["_requested"] if draft["capabilities"][name] != "active"]
    draft["capabilities"] |= dict.fromkeys(woken, "active")
    draft["requirements"] = needs(draft)
    for name in woken:
        previous = {"status": "inactive"}
        ctx.inside(account_id).emit("capability.updated", described(draft, name), previous)
    announce(ctx, draft)
    return draft


def announce(ctx: Context, draft: Object) -> None:
    """account.updated in the account itself, so that it goes to the platform's Connect endpoints."""
    ctx.inside(draft["id"]).updated("account.updated", draft)


def require_charges(ctx: Context) -> None:
    """Refuses a payment in an account whose onboarding is not complete."""
    if ctx.account != ctx.config.platform and not find(ctx, ctx.account)["charges_enabled"]:
        raise invalid(
            "Your account cannot currently make charges. Its onboarding must be completed first: see the "
            "account's requirements."
        )


@operation("POST", "/v1/accounts", takes=(*CHANGEABLE, "country", "controller", "type"))
def create(ctx: Context) -> Object:
    if ctx.account != ctx.config.platform:
        raise not_implemented("POST", "/v1/accounts in a connected account")
    if len(ctx.tx.store.table(ctx.account, "account")) >= MAX_ACCOUNTS:
        raise invalid(f"The sandbox keeps at most {MAX_ACCOUNTS} accounts.")
    given = ctx.params
    country = given.get("country", "US").upper()
    if country not in CURRENCIES:
        raise not_implemented("POST", f"/v1/accounts with country={country}")
    kind, control = controller(given)
    account = _new(ctx.new_id("acct"), ctx.now, country)
    account |= {"controller": control, "type": kind}
    if control["stripe_dashboard"]["type"] == "full":
        _request(ctx, account, {"card_payments": {"requested": True}, "transfers": {"requested": True}})
    ctx.insert(account)
    _apply(ctx, account)
    if account["metadata"].get(ENABLED_AT_ONCE) == "true":
        complete_onboarding(ctx, account["id"])
    return account


@operation("GET", "/v1/account")
def retrieve_own(ctx: Context) -> Object:
    return find(ctx, ctx.account)


@operation("GET", "/v1/accounts/{account}")
def retrieve(ctx: Context) -> Object:
    return find(ctx, ctx.path["account"])


@operation("POST", "/v1/accounts/{account}", takes=CHANGEABLE)
def update(ctx: Context) -> Object:
    draft = edit(ctx, ctx.path["account"])
    _apply(ctx, draft)
    announce(ctx, draft)
    return draft


@operation("DELETE", "/v1/accounts/{account}")
def delete(ctx: Context) -> Object:
    account = edit(ctx, ctx.path["account"])
    inside = ctx.inside(account["id"])
    for kind, objects in ctx.tx.store.accounts.get(account["id"], {}).items():
        # Answers saved under an idempotency key leave by their age; deliveries find their event gone and end.
        if kind != "_idempotency":
            for object_id in objects:
                ctx.tx.delete(account["id"], kind, object_id)
    ctx.inside(ctx.config.platform).delete(account)
    application: Object = {"id": inside.application, "object": "application", "name": "Sandbox"}
    inside.emit("account.application.deauthorized", application)
    return {"id": account["id"], "object": "account", "deleted": True}


@operation("GET", "/v1/accounts")
def list_all(ctx: Context) -> Object:
    return page(ctx, "account", "/v1/accounts", lambda account: not account.get("_deauthorized"))


def edit(ctx: Context, account_id: str) -> Object:
    """The draft of a connected account."""
    if find(ctx, account_id)["id"] == ctx.config.platform:
        raise not_implemented("POST", "/v1/accounts/{account} for the platform's own account")
    return ctx.inside(ctx.config.platform).edit("account", account_id)


def request_capability(ctx: Context, account: Object, name: str, requested: bool) -> None:
    """Note the request; it is active as soon as the account is onboarded."""
    _request(ctx, account, {name: {"requested": requested}})
    account["requirements"] = needs(account)


def _request(ctx: Context, account: Object, given: Object) -> None:
    for name, wanted in given.items():
        if wanted.get("requested"):
            account["_requested"].setdefault(name, ctx.now)
            account["capabilities"][name] = "active" if account["details_submitted"] else "inactive"
        elif "requested" in wanted and name in account["capabilities"]:
            account["_requested"].pop(name, None)
            account["capabilities"][name] = "inactive"


def _apply(ctx: Context, account: Object) -> None:
    given = ctx.params
    for name in ("business_type", "email"):
        if name in given:
            account[name] = given[name]
    if "default_currency" in given:
        account["default_currency"] = given["default_currency"].lower()
    for name in ("business_profile", "settings", "tos_acceptance"):
        if name in given:
            account[name] = _merged(account[name], given[name] or {})
    _request(ctx, account, given.get("capabilities") or {})
    merge_metadata(account, ctx)
    account_owners.apply(ctx, account)
    account["requirements"] = needs(account)
    told_all = not account["details_submitted"] and not account["requirements"]["currently_due"]
    if told_all and account["controller"]["requirement_collection"] == "application":
        # the platform has told all that Stripe wants to know: no page is needed
        complete_onboarding(ctx, account["id"])


def _merged(old: Object, new: Object) -> Object:
    merged: Object = dict(old)
    for name, value in new.items():
        deeper = isinstance(value, dict) and isinstance(old.get(name), dict)
        merged[name] = _merged(old[name], value) if deeper else value
    return merged


def _platform(ctx: Context) -> Object:
    own = _new(ctx.config.platform, PLATFORM_CREATED, "US")
    own |= {"charges_enabled": True, "details_submitted": True, "payouts_enabled": True, "type": "standard"}
    own["capabilities"] = {"card_payments": "active", "transfers": "active"}
    own["controller"] = {"type": "account"}
    own["requirements"] = needs(own)
    return own


def _new(account_id: str, created: int, country: str) -> Object:
    nothing_due: Any = {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": [],
        "disabled_reason": None,
        "errors": [],
        "eventually_due": [],
        "past_due": [],
        "pending_verification": [],
    }
    return {
        "id": account_id,
        "object": "account",
        "business_profile": default_profile(),
        "business_type": None,
        "capabilities": {},
        "charges_enabled": False,
        "controller": {},
        "country": country,
        "created": created,
        "default_currency": CURRENCIES[country],
        "details_submitted": False,
        "email": None,
        "external_accounts": {
            "object": "list",
            "data": [],
            "has_more": False,
            "total_count": 0,
            "url": f"/v1/accounts/{account_id}/external_accounts",
        },
        "future_requirements": dict(nothing_due),
        "metadata": {},
        "payouts_enabled": False,
        "requirements": nothing_due,
        "settings": default_settings(),
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": "none",
        "_requested": {},
    }
