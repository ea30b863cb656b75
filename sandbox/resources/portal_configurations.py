"""Configurations of the customer portal: what a customer may do there."""

from typing import Any

from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.resources.shared import assign, merge_metadata
from sandbox.store import Object

KIND = "billing_portal.configuration"
REASONS = ("too_expensive", "missing_features", "switched_service", "unused", "other")
# What the sandbox's portal can't do yet: refused, rather than promised.
LATER = ("subscription_pause",)
# Of the updates of a subscription, these.
UPDATE_LATER = ("billing_cycle_anchor", "schedule_at_period_end", "trial_update_behavior")


def default(ctx: Context) -> Object:
    """The account's default configuration, made at first use (at Stripe: saved once in the Dashboard)."""
    for found in ctx.tx.newest(ctx.account, KIND):
        if found["is_default"]:
            return found
    given = {
        "customer_update": {"allowed_updates": ["email"], "enabled": True},
        "invoice_history": {"enabled": True},
        "payment_method_update": {"enabled": True},
        "subscription_cancel": {"enabled": True},
    }
    return _insert(ctx, given, is_default=True)


@operation("POST", "/v1/billing_portal/configurations")
def create(ctx: Context) -> Object:
    return _insert(ctx, ctx.params["features"], is_default=False)


@operation("GET", "/v1/billing_portal/configurations/{configuration}")
def retrieve(ctx: Context) -> Object:
    return ctx.get(KIND, ctx.path["configuration"])


@operation("POST", "/v1/billing_portal/configurations/{configuration}")
def update(ctx: Context) -> Object:
    configuration = ctx.edit(KIND, ctx.path["configuration"])
    if configuration["is_default"] and ctx.params.get("active") is False:
        raise invalid("You cannot deactivate the default configuration.", param="active")
    _describe(ctx, configuration)
    _merge_features(ctx, configuration["features"], ctx.params.get("features", {}))
    configuration["updated"] = ctx.now
    ctx.updated("billing_portal.configuration.updated", configuration)
    return configuration


@operation("GET", "/v1/billing_portal/configurations")
def list_all(ctx: Context) -> Object:
    given = ctx.params
    return page(
        ctx,
        KIND,
        "/v1/billing_portal/configurations",
        lambda found: all(found[name] == given[name] for name in ("active", "is_default") if name in given),
    )


def _insert(ctx: Context, features: dict[str, Any], *, is_default: bool) -> Object:
    configuration: Object = {
        "id": ctx.new_id("bpc"),
        "object": KIND,
        "active": True,
        "application": None,
        "business_profile": {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None},
        "created": ctx.now,
        "default_return_url": None,
        "features": _no_features(),
        "is_default": is_default,
        "livemode": False,
        "login_page": {"enabled": False, "url": None},
        "metadata": {},
        "name": None,
        "updated": ctx.now,
    }
    _merge_features(ctx, configuration["features"], features)
    if not is_default:
        _describe(ctx, configuration)
    ctx.insert(configuration)
    ctx.emit("billing_portal.configuration.created", configuration)
    return configuration


def _describe(ctx: Context, configuration: Object) -> None:
    assign(configuration, ctx, ("active", "default_return_url", "name"))
    configuration["business_profile"] |= ctx.params.get("business_profile", {})
    if ctx.params.get("login_page", {}).get("enabled"):
        raise not_implemented("POST", "/v1/billing_portal/configurations with login_page[enabled]")
    merge_metadata(configuration, ctx)


def _merge_features(ctx: Context, features: Object, given: dict[str, Any]) -> None:
    for name, settings in given.items():
        if name in LATER and settings.get("enabled"):
            raise not_implemented("POST", f"/v1/billing_portal/configurations with features[{name}]")
        if name == "subscription_update":
            _check_update(ctx, settings)
        for key, value in settings.items():
            if key == "products":
                quantity = "quantity" in settings.get(
                    "default_allowed_updates", features[name]["default_allowed_updates"]
                )
                adjustable = {"enabled": quantity, "maximum": None, "minimum": 1}
                value = [{**product, "adjustable_quantity": adjustable} for product in value]
            inner = features[name].get(key)
            features[name][key] = inner | value if isinstance(inner, dict) and isinstance(value, dict) else value


def _check_update(ctx: Context, settings: dict[str, Any]) -> None:
    for name in UPDATE_LATER:
        if settings.get(name):
            raise not_implemented("POST", f"/v1/billing_portal/configurations with subscription_update[{name}]")
    for place, product in enumerate(settings.get("products") or []):
        param = f"features[subscription_update][products][{place}]"
        if product.get("adjustable_quantity"):
            raise not_implemented("POST", f"/v1/billing_portal/configurations with {param}[adjustable_quantity]")
        ctx.get("product", product["product"], param=f"{param}[product]")
        for each, price in enumerate(product["prices"]):
            found = ctx.get("price", price, param=f"{param}[prices][{each}]")
            if found["product"] != product["product"] or found["recurring"] is None:
                raise invalid("The prices must be recurring prices of this product.", param=f"{param}[prices][{each}]")
    if settings.get("enabled") and not settings.get("products"):
        raise invalid("You must offer at least one product.", param="features[subscription_update][products]")


def _no_features() -> Object:
    return {
        "customer_update": {"allowed_updates": [], "enabled": False},
        "invoice_history": {"enabled": False},
        "payment_method_update": {"enabled": False, "payment_method_configuration": None},
        "subscription_cancel": {
            "cancellation_reason": {"enabled": False, "feedback_options": [], "options": list(REASONS)},
            "enabled": False,
            "mode": "at_period_end",
            "proration_behavior": "none",
        },
        "subscription_pause": {"duration": {"interval_options": [], "type": "indefinite"}, "enabled": False},
        "subscription_update": {
            "billing_cycle_anchor": None,
            "default_allowed_updates": [],
            "enabled": False,
            "products": None,
            "proration_behavior": "none",
            "schedule_at_period_end": {"conditions": []},
            "trial_update_behavior": "end_trial",
        },
    }
