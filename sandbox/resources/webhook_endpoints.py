"""Webhook endpoints; the secret is shown only in the answer to the creation."""

from urllib.parse import urlsplit

from sandbox.config import API_VERSION
from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.http.api import Api
from sandbox.http.lists import page
from sandbox.ids import letters
from sandbox.old_versions import known
from sandbox.operations import operation
from sandbox.resources.shared import assign, merge_metadata
from sandbox.store import Object, Transaction

MAX_ENDPOINTS = 16
OLD_SECRET_LIFE = 24 * 3600


@operation("POST", "/v1/webhook_endpoints")
def create(ctx: Context) -> Object:
    if sum(1 for _ in ctx.tx.newest(ctx.account, "webhook_endpoint")) >= MAX_ENDPOINTS:
        raise invalid(f"You have reached the maximum of {MAX_ENDPOINTS} test webhook endpoints.")
    _check_url(ctx.params["url"])
    if not known(ctx.params.get("api_version", API_VERSION)):
        raise invalid("Invalid api_version.", param="api_version")
    endpoint_id = ctx.new_id("we")
    endpoint: Object = {
        "id": endpoint_id,
        "object": "webhook_endpoint",
        "api_version": ctx.params.get("api_version"),
        "application": None,
        "created": ctx.now,
        "description": ctx.params.get("description"),
        "enabled_events": ctx.params["enabled_events"],
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": ctx.params["url"],
        "_connect": ctx.params.get("connect", False),
        "_owner": ctx.account,
        "_secret": "whsec_" + letters(f"whsec:{ctx.config.seed}:{endpoint_id}", 32),
    }
    merge_metadata(endpoint, ctx)
    ctx.insert(endpoint)
    return endpoint | {"secret": endpoint["_secret"]}


@operation("GET", "/v1/webhook_endpoints/{webhook_endpoint}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("webhook_endpoint", ctx.path["webhook_endpoint"])


@operation("POST", "/v1/webhook_endpoints/{webhook_endpoint}")
def update(ctx: Context) -> Object:
    endpoint = ctx.edit("webhook_endpoint", ctx.path["webhook_endpoint"])
    if "url" in ctx.params:
        _check_url(ctx.params["url"])
    assign(endpoint, ctx, ("description", "enabled_events", "url"))
    if "disabled" in ctx.params:
        endpoint["status"] = "disabled" if ctx.params["disabled"] else "enabled"
        if ctx.params["disabled"]:
            _stop(ctx, endpoint["id"])
    merge_metadata(endpoint, ctx)
    return endpoint


@operation("DELETE", "/v1/webhook_endpoints/{webhook_endpoint}")
def delete(ctx: Context) -> Object:
    endpoint = ctx.get("webhook_endpoint", ctx.path["webhook_endpoint"])
    _stop(ctx, endpoint["id"])
    ctx.delete(endpoint)
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


@operation("GET", "/v1/webhook_endpoints")
def list_all(ctx: Context) -> Object:
    return page(ctx, "webhook_endpoint", "/v1/webhook_endpoints")


def roll(api: Api, endpoint_id: str, expires_in: float) -> str:
    """A new secret, as the Dashboard makes it; the old one signs as well until it expires, a day from now at most."""
    found = api.store.holder(endpoint_id, "webhook_endpoint")
    if found is None:
        raise ValueError("no such endpoint")
    if not 0 <= expires_in <= OLD_SECRET_LIFE:
        raise ValueError(f"expires_in must be from 0 to {OLD_SECRET_LIFE}")
    tx = Transaction(api.store)
    endpoint = tx.edit(found, "webhook_endpoint", endpoint_id)
    api.store.sequence += 1
    old = {"secret": endpoint["_secret"], "until": api.config.clock() + expires_in}
    endpoint["_old_secrets"] = [old]
    endpoint["_secret"] = "whsec_" + letters(f"whsec:{api.config.seed}:{endpoint_id}:{api.store.sequence}", 32)
    api.commit(tx)
    return str(endpoint["_secret"])


def _stop(ctx: Context, endpoint: str) -> None:
    """Take out what is still to be delivered there, from every account: a Connect endpoint hears of many."""
    for account in list(ctx.tx.store.accounts):
        for delivery in list(ctx.tx.newest(account, "_delivery")):
            if delivery["endpoint"] == endpoint:
                ctx.tx.delete(account, "_delivery", delivery["id"])


def _check_url(url: str | None) -> None:
    parts = urlsplit(url or "")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise invalid("Invalid URL: An explicit scheme (such as https) must be provided.", param="url")
