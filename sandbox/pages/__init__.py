"""The hosted pages: Checkout, the customer portal, invoices, receipts, onboarding and 3-D Secure, as plain forms."""

from starlette.routing import Route

from sandbox.http.api import Api
from sandbox.pages import (
    authenticate,
    checkout,
    documents,
    express,
    invoice,
    onboarding,
    portal,
    portal_steps,
    receipt,
    stripe_js,
)
from sandbox.pages.desk import Desk
from sandbox.pages.render import stylesheet


def routes(api: Api) -> list[Route]:
    """The pages' routes, for the application that also serves `api`."""
    desk = Desk(api)
    return [
        Route("/assets/sandbox.css", stylesheet),
        *checkout.routes(desk),
        *portal.routes(desk),
        *portal_steps.routes(desk),
        *invoice.routes(desk),
        *documents.routes(desk),
        *receipt.routes(desk),
        *onboarding.routes(desk),
        *express.routes(desk),
        *authenticate.routes(desk),
        *stripe_js.routes(desk),
    ]
