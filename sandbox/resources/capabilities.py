"""Capabilities: what an account has asked to be able to do."""

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.operations import operation
from sandbox.resources import accounts
from sandbox.resources.account_defaults import described
from sandbox.store import Object

PATH = "/v1/accounts/{account}/capabilities"


@operation("GET", PATH)
def list_all(ctx: Context) -> Object:
    account = accounts.find(ctx, ctx.path["account"])
    data = [described(account, name) for name in sorted(account["capabilities"])]
    return {"object": "list", "data": data, "has_more": False, "url": PATH.format(account=account["id"])}


@operation("GET", PATH + "/{capability}")
def retrieve(ctx: Context) -> Object:
    account, name = accounts.find(ctx, ctx.path["account"]), ctx.path["capability"]
    if name not in account["capabilities"]:
        message = f"No such capability: '{name}' on account '{account['id']}'"
        raise invalid(message, param="capability", code="resource_missing", status=404)
    return described(account, name)


@operation("POST", PATH + "/{capability}")
def update(ctx: Context) -> Object:
    name = ctx.path["capability"]
    draft = accounts.edit(ctx, ctx.path["account"])
    if "requested" in ctx.params:
        accounts.request_capability(ctx, draft, name, ctx.params["requested"])
        accounts.announce(ctx, draft)
    if name not in draft["capabilities"]:
        message = f"No such capability: '{name}' on account '{draft['id']}'"
        raise invalid(message, param="capability", code="resource_missing", status=404)
    return described(draft, name)
