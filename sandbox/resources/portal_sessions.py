"""Sessions of the customer portal; their page is in `sandbox/pages/`."""

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.operations import operation
from sandbox.resources import portal_configurations
from sandbox.store import Object

KIND = "billing_portal.session"
LIFE = 3600  # Stripe's links are short-lived too; it publishes no exact number


@operation(
    "POST",
    "/v1/billing_portal/sessions",
    takes=("configuration", "customer", "locale", "on_behalf_of", "return_url"),
)
def create(ctx: Context) -> Object:
    given = ctx.params
    if "customer" not in given:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    customer = ctx.get("customer", given["customer"], param="customer")
    configuration = (
        ctx.get(portal_configurations.KIND, given["configuration"], param="configuration")
        if "configuration" in given
        else portal_configurations.default(ctx)
    )
    if not configuration["active"]:
        raise invalid("This configuration is inactive.", param="configuration")
    return_url = given.get("return_url") or configuration["default_return_url"]
    session_id = ctx.new_id("bps")
    return ctx.insert(
        {
            "id": session_id,
            "object": KIND,
            "after_expiration": None,
            "configuration": configuration["id"],
            "created": ctx.now,
            "customer": customer["id"],
            "customer_account": None,
            "flow": None,
            "livemode": False,
            "locale": given.get("locale"),
            "on_behalf_of": given.get("on_behalf_of"),
            "return_url": return_url,
            "url": f"{ctx.config.public_url}/p/session/{session_id}",
            "_expires_at": ctx.now + LIFE,
        }
    )
