"""Sessions of the customer portal; their page is in `sandbox/pages/`."""

from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.operations import operation
from sandbox.resources import portal_configurations
from sandbox.store import Object

KIND = "billing_portal.session"
# The feature of the configuration that a flow needs.
FLOWS = {
    "payment_method_update": "payment_method_update",
    "subscription_cancel": "subscription_cancel",
    "subscription_update": "subscription_update",
    "subscription_update_confirm": "subscription_update",
}
LIFE = 3600  # Stripe's links are short-lived too; it publishes no exact number


@operation(
    "POST",
    "/v1/billing_portal/sessions",
    takes=("configuration", "customer", "flow_data", "locale", "on_behalf_of", "return_url"),
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
            "flow": _flow(ctx, given.get("flow_data"), configuration["features"]),
            "livemode": False,
            "locale": given.get("locale"),
            "on_behalf_of": given.get("on_behalf_of"),
            "return_url": return_url,
            "url": f"{ctx.config.public_url}/p/session/{session_id}",
            "_expires_at": ctx.now + LIFE,
        }
    )


def _flow(ctx: Context, given: Object | None, features: Object) -> Object | None:
    """One step that the page leads to at once, and where it ends; it must be one that the configuration allows."""
    if given is None:
        return None
    kind = given["type"]
    if kind not in FLOWS:
        raise not_implemented("POST", f"/v1/billing_portal/sessions with flow_data[type]={kind}")
    if not features[FLOWS[kind]]["enabled"]:
        message = f"This configuration does not allow the flow `{kind}`."
        raise invalid(message, param="flow_data[type]")
    details = given.get(kind)
    if kind != "payment_method_update":
        param = f"flow_data[{kind}][subscription]"
        if details is None:
            raise invalid(f"Missing required param: {param}.", param=param, code="parameter_missing")
        found = ctx.get("subscription", details["subscription"], param=param)
        if found["customer"] != ctx.params["customer"]:
            raise invalid("The subscription does not belong to the customer.", param=param)
    if (details or {}).get("retention"):
        raise not_implemented("POST", "/v1/billing_portal/sessions with a retention offer")
    ending = given.get("after_completion") or {"type": "portal_homepage"}
    flow: Object = {
        "after_completion": {"hosted_confirmation": None, "redirect": None, **ending},
        **dict.fromkeys(("customer_update", *FLOWS, "subscription_pause")),
        "type": kind,
    }
    del flow["payment_method_update"]
    if kind == "subscription_update_confirm" and details is not None:
        items = [{"id": None, "price": None, "quantity": None, **item} for item in details["items"]]
        each = {"coupon": None, "promotion_code": None}
        flow[kind] = {
            "discounts": [each | discount for discount in details.get("discounts") or []] or None,
            "items": items,
            "subscription": details["subscription"],
        }
    elif details is not None:
        retention = {"retention": None} if kind == "subscription_cancel" else {}
        flow[kind] = retention | {"subscription": details["subscription"]}
    return flow
