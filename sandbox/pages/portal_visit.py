"""An open portal session: who visits, what the configuration allows, and where a finished flow leads."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.pages.desk import Desk
from sandbox.pages.render import redirect, render
from sandbox.resources.portal_configurations import KIND as CONFIGURATION
from sandbox.resources.portal_sessions import KIND
from sandbox.store import Object

Form = dict[str, str]


@dataclass(frozen=True, slots=True)
class Visit:
    """An open portal session, with what it allows."""

    account: str
    session: Object
    configuration: Object

    @property
    def features(self) -> Object:
        found: Object = self.configuration["features"]
        return found

    @property
    def home(self) -> str:
        return f"/p/session/{self.session['id']}"

    def own(self, ctx: Context, subscription_id: str) -> Object:
        """The customer's subscription; a stranger's is not there."""
        found = ctx.get("subscription", subscription_id)
        if found["customer"] != self.session["customer"]:
            raise invalid("This subscription is not yours.")
        return found


def visit_of(desk: Desk, request: Request) -> Visit | None:
    """The session of the address; None where it has expired, or its customer is gone."""
    session_id = request.path_params["session"]
    account = desk.account_of(KIND, session_id)
    if account is None:
        return None

    def look(ctx: Context) -> Visit | None:
        session = ctx.tx.get(account, KIND, session_id)
        if session is None or session["_expires_at"] <= ctx.now:
            return None
        if ctx.get("customer", session["customer"]).get("deleted"):
            return None
        return Visit(account, session, ctx.get(CONFIGURATION, session["configuration"]))

    return desk.act(account, look)


def finished(desk: Desk, visit: Visit, done: str) -> Response:
    """Where the customer comes after an action: the flow's end, or the portal with a notice."""
    flow = visit.session["flow"]
    ending: Object = flow["after_completion"] if flow else {"type": "portal_homepage"}
    if ending["type"] == "redirect":
        address = ending["redirect"]["return_url"]
        return redirect(address, address)
    if ending["type"] == "hosted_confirmation":
        said = (ending["hosted_confirmation"] or {}).get("custom_message")
        return render("message.html", title="Done", text=said or "Your changes have been saved.")
    return redirect(f"{visit.home}?done={done}")
