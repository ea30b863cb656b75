"""Automatic tax where nobody is registered: the place of the customer is asked for, and no tax is collected."""

from typing import Any

from sandbox.errors import StripeError, invalid
from sandbox.store import Object

OFF: Object = {"disabled_reason": None, "enabled": False, "liability": None, "provider": None, "status": None}


def location(customer: Object) -> Object | None:
    """Where Stripe would tax the customer: where it is sent to, else where it is billed."""
    for source, address in (
        ("shipping_destination", (customer["shipping"] or {}).get("address")),
        ("billing_address", customer["address"]),
    ):
        if address and address["country"]:
            return {"country": address["country"], "source": source, "state": address["state"]}
    return None


def of_subscription(given: dict[str, Any] | None, customer: Object) -> Object:
    """What a subscription shows; 400 where the customer can't be placed."""
    if not given or not given["enabled"]:
        return {"disabled_reason": None, "enabled": False, "liability": None}
    if location(customer) is None:
        raise unknown_place()
    return {"disabled_reason": None, "enabled": True, "liability": _liability(given)}


def of_invoice(given: dict[str, Any] | None, customer: Object) -> Object:
    """What an invoice shows: complete, because the tax of an account without registrations is nothing."""
    if not given or not given["enabled"]:
        return dict(OFF)
    status = "requires_location_inputs" if location(customer) is None else "complete"
    return {**OFF, "enabled": True, "liability": _liability(given), "provider": "stripe", "status": status}


def check_finalization(invoice: Object, customer: Object) -> None:
    """An invoice with automatic tax is finalised only for a customer who can be placed."""
    if invoice["automatic_tax"]["enabled"]:
        invoice["automatic_tax"] = of_invoice(invoice["automatic_tax"], customer)
        if invoice["automatic_tax"]["status"] != "complete":
            raise unknown_place()


def unknown_place() -> StripeError:
    return invalid(
        "The customer's location isn't recognized. Set a valid customer address in order to automatically "
        "calculate tax.",
        code="customer_tax_location_invalid",
    )


def _liability(given: dict[str, Any]) -> Object:
    return {name: value for name, value in (given.get("liability") or {"type": "self"}).items() if value is not None}
