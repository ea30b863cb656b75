"""The platform's access to connected accounts: taken away by OAuth or by the account's owner, and given again."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.context import Context
from sandbox.http import form
from sandbox.pages.desk import Desk


def routes(desk: Desk) -> list[Route]:
    """`/oauth/deauthorize` as at connect.stripe.com, and what the owner does in the Dashboard under /_sandbox/."""

    async def deauthorize(request: Request) -> Response:
        given = form.parse(await request.body())
        account = str(given.get("stripe_user_id", ""))
        if not desk.has_key(request.headers.get("authorization", "")):
            return _refused(401, "invalid_client", "No valid API key was provided.")
        if not desk.act(desk.platform, lambda ctx: revoke(ctx, account)):
            message = f"This application is not connected to stripe account {account}, or it does not exist."
            return _refused(401, "invalid_client", message)
        return JSONResponse({"stripe_user_id": account})

    async def change(request: Request) -> Response:
        account = request.path_params["account"]
        work = {"deauthorize": revoke, "authorize": restore}.get(request.path_params["verb"])
        done = work is not None and desk.act(desk.platform, lambda ctx: work(ctx, account))
        return JSONResponse({"account": account, "changed": done}, 200 if done else 404)

    return [
        Route("/oauth/deauthorize", deauthorize, methods=["POST"]),
        Route("/_sandbox/accounts/{account}/{verb}", change, methods=["POST"]),
    ]


def revoke(ctx: Context, account: str) -> bool:
    """The platform hears of it once, and then nothing more; false where there is no such access."""
    known = ctx.tx.get(ctx.account, "account", account)
    if known is None or known.get("_deauthorized"):
        return False
    inside = ctx.inside(account)
    inside.emit("account.application.deauthorized", _application(inside))
    ctx.edit("account", account)["_deauthorized"] = True
    return True


def restore(ctx: Context, account: str) -> bool:
    """The owner has connected the account again."""
    known = ctx.tx.get(ctx.account, "account", account)
    if known is None or not known.get("_deauthorized"):
        return False
    ctx.edit("account", account)["_deauthorized"] = False
    inside = ctx.inside(account)
    inside.emit("account.application.authorized", _application(inside))
    return True


def _application(ctx: Context) -> dict[str, Any]:
    return {"id": ctx.application, "object": "application", "name": "Sandbox"}


def _refused(status: int, error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status)
