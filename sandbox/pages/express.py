"""The page behind a login link: what an Express account's owner sees of it; each link opens once."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.context import Context
from sandbox.pages.desk import Desk
from sandbox.pages.money import money
from sandbox.pages.render import not_found, render
from sandbox.resources import balance_transactions
from sandbox.resources.login_links import KIND
from sandbox.store import Object


def routes(desk: Desk) -> list[Route]:
    async def show(request: Request) -> Response:
        account, token = request.path_params["account"], request.path_params["token"]

        def use(ctx: Context) -> Object | None:
            link = ctx.tx.get(ctx.account, KIND, token)
            if link is None or link["account"] != account:
                return None
            ctx.delete(link)
            return balance_transactions.balance(ctx.inside(account))

        found = desk.act(desk.platform, use)
        if found is None:
            return not_found()
        sums = ", ".join(money(each["amount"], each["currency"]) for each in found["available"])
        text = f"Available balance: {sums}."
        return render("message.html", title=desk.business_name(account), text=text)

    return [Route("/express/{account}/{token}", show)]
