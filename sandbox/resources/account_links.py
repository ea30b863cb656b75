"""Account links: the address of the onboarding page, for a few minutes."""

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.ids import letters
from sandbox.operations import operation
from sandbox.resources import accounts
from sandbox.store import Object

LIFE = 300
# The page asks for everything that is due, so `collect` and `collection_options` are met whatever they say.
TAKES = ("account", "type", "refresh_url", "return_url", "collect", "collection_options")


@operation("POST", "/v1/account_links", takes=TAKES)
def create(ctx: Context) -> Object:
    given = ctx.params
    account = accounts.edit(ctx, given["account"])
    for name in ("refresh_url", "return_url"):
        if not (given.get(name) or "").startswith(("http://", "https://")):
            code = None if given.get(name) else "parameter_missing"
            raise invalid(f"Account links need a `{name}` that is a URL.", param=name, code=code)
    if given["type"] == "account_update" and account["controller"]["requirement_collection"] != "application":
        message = "You cannot create `account_update` type Account Links for this account."
        raise invalid(message, param="type")
    for old in list(ctx.tx.newest(ctx.account, "_account_link")):
        if old["expires_at"] < ctx.now:
            ctx.delete(old)
    link: Object = {
        # The page's address is its only key, so it does not follow from the account's id alone.
        "id": letters(ctx.new_id("token"), 24),
        "object": "_account_link",
        "account": account["id"],
        "created": ctx.now,
        "expires_at": ctx.now + LIFE,
        "refresh_url": given["refresh_url"],
        "return_url": given["return_url"],
        "type": given["type"],
    }
    ctx.insert(link)
    return {
        "object": "account_link",
        "created": ctx.now,
        "expires_at": link["expires_at"],
        "url": f"{ctx.config.public_url}/setup/{account['id']}/{link['id']}",
    }
