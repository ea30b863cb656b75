"""The receipt of a charge: what was paid, with which card, and what was given back."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.pages.desk import Desk
from sandbox.pages.render import not_found, render


def routes(desk: Desk) -> list[Route]:
    async def show(request: Request) -> Response:
        account, charge_id = request.path_params["account"], request.path_params["charge"]
        if not desk.knows(account):
            return not_found()
        charge = desk.act(account, lambda ctx: ctx.tx.get(account, "charge", charge_id))
        if charge is None or not charge["paid"]:
            return not_found()
        return render("receipt.html", business=desk.business_name(account), charge=charge)

    return [Route("/receipts/{account}/{charge}", show, methods=["GET"])]
