"""Login links: the address at which an Express account's owner looks at it."""

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.ids import letters
from sandbox.operations import operation
from sandbox.resources import accounts
from sandbox.store import Object

KIND = "_login_link"


@operation("POST", "/v1/accounts/{account}/login_links")
def create(ctx: Context) -> Object:
    account = accounts.edit(ctx, ctx.path["account"])
    if (account["controller"].get("stripe_dashboard") or {}).get("type") != "express":
        raise invalid("Cannot create a login link for an account that has no Express Dashboard.")
    if not account["details_submitted"]:
        raise invalid("Cannot create a login link for an account that has not completed onboarding.")
    token = letters(ctx.new_id("token"), 24)
    ctx.insert({"id": token, "object": KIND, "account": account["id"], "created": ctx.now})
    return {
        "object": "login_link",
        "created": ctx.now,
        "url": f"{ctx.config.public_url}/express/{account['id']}/{token}",
    }
