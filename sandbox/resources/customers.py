"""Customers."""

import re
from typing import Any

from sandbox.context import Context, public
from sandbox.errors import invalid, missing
from sandbox.http.expand import expandable
from sandbox.http.lists import page
from sandbox.ids import letters
from sandbox.invoicing.automatic_tax import location, unknown_place
from sandbox.operations import operation
from sandbox.paying import methods as payment_methods
from sandbox.paying import sources
from sandbox.planning import on_clock
from sandbox.resources import customer_balances, tax_ids
from sandbox.resources.shared import ADDRESS, assign, merge_metadata
from sandbox.store import Object
from sandbox.subscribing.state import ENDED, end_all

EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
PLAIN = (
    "balance",
    "business_name",
    "description",
    "email",
    "individual_name",
    "invoice_prefix",
    "name",
    "next_invoice_sequence",
    "phone",
)
TAKES = (
    *PLAIN, "address", "cash_balance", "invoice_settings", "metadata", "preferred_locales", "shipping", "source", "tax",
    "tax_exempt", "validate",
)  # fmt: skip


@operation("POST", "/v1/customers", takes=(*TAKES, "payment_method", "tax_id_data", "test_clock"))
def create(ctx: Context) -> Object:
    customer_id = ctx.new_id("cus")
    clock = ctx.params.get("test_clock")
    if clock is not None:
        ctx = on_clock(ctx, {"test_clock": ctx.get("test_helpers.test_clock", clock, param="test_clock")["id"]})
    customer: Object = {
        "id": customer_id,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": ctx.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": letters(f"invoice-prefix:{customer_id}", 8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": clock,
    }
    ctx.insert(customer)
    _first_payment_method(ctx, customer)
    _apply(ctx, customer)
    ctx.emit("customer.created", customer)
    for place, each in enumerate(ctx.params.get("tax_id_data") or []):
        tax_ids.add(ctx, customer, each["type"], each["value"], f"tax_id_data[{place}][value]")
    return customer


@operation("GET", "/v1/customers/{customer}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("customer", ctx.path["customer"])


@operation("POST", "/v1/customers/{customer}", takes=(*TAKES, "default_source"))
def update(ctx: Context) -> Object:
    customer = ctx.edit("customer", ctx.path["customer"])
    if ctx.params.get("default_source") is not None:
        source = sources.own(ctx, customer["id"], ctx.params["default_source"], "default_source")
        customer["default_source"] = source
    _apply(ctx, customer)
    ctx.updated("customer.updated", customer)
    return customer


@operation("DELETE", "/v1/customers/{customer}")
def delete(ctx: Context) -> Object:
    customer = ctx.edit("customer", ctx.path["customer"])
    for found in payment_methods.of_customer(ctx, customer["id"]):
        payment_methods.release(ctx, found["id"])
    end_all(ctx, customer["id"])
    ctx.emit("customer.deleted", customer)
    # Stripe still answers for a deleted customer, with these three keys only.
    for name in customer.keys() - {"id", "object"}:
        del customer[name]
    customer["deleted"] = True
    return customer


@operation("DELETE", "/v1/customers/{customer}/discount")
def delete_discount(ctx: Context) -> Object:
    """A customer has no discount at this version: none can be given to it."""
    customer = ctx.get("customer", ctx.path["customer"])
    message = f"No active discount for customer: {customer['id']}"
    raise invalid(message, code="resource_missing", status=404)


@operation("GET", "/v1/customers")
def list_all(ctx: Context) -> Object:
    wanted = {name: ctx.params[name] for name in ("email", "test_clock") if name in ctx.params}
    return page(
        ctx, "customer", "/v1/customers", lambda found: all(found[name] == value for name, value in wanted.items())
    )


@expandable("customer", "tax")
def tax(ctx: Context, customer: Object) -> Any:
    """Where the customer is taxed: by its address. The sandbox is registered nowhere, so no tax is collected."""
    stored = ctx.get("customer", customer["id"])
    place = location(stored)
    return {
        "automatic_tax": "unrecognized_location" if place is None else "not_collecting",
        "ip_address": stored.get("_ip_address"),
        "location": place,
        "provider": "stripe",
    }


@expandable("customer", "cash_balance")
def cash_balance(ctx: Context, customer: Object) -> Any:
    mode = ctx.get("customer", customer["id"]).get("_reconciliation", "merchant_default")
    settings = {
        "reconciliation_mode": "automatic" if mode == "merchant_default" else mode,
        "using_merchant_default": mode == "merchant_default",
    }
    return {
        "object": "cash_balance",
        "available": None,
        "customer": customer["id"],
        "customer_account": None,
        "livemode": False,
        "settings": settings,
    }


@expandable("customer", "default_source")
def default_source(ctx: Context, customer: Object) -> Any:
    return sources.shown_by_id(ctx, customer["default_source"])


@expandable("customer", "sources")
def all_sources(ctx: Context, customer: Object) -> Any:
    return _listed(sources.cards_of(ctx, customer["id"]), f"/v1/customers/{customer['id']}/sources")


@expandable("customer", "subscriptions")
def subscriptions(ctx: Context, customer: Object) -> Any:
    found = [
        public(one)
        for one in ctx.tx.newest(ctx.account, "subscription")
        if one["customer"] == customer["id"] and one["status"] not in ENDED
    ]
    return _listed(found, f"/v1/customers/{customer['id']}/subscriptions")


@expandable("customer", "tax_ids")
def all_tax_ids(ctx: Context, customer: Object) -> Any:
    found = [one for one in ctx.tx.newest(ctx.account, "tax_id") if one["customer"] == customer["id"]]
    return _listed(found, f"/v1/customers/{customer['id']}/tax_ids")


@expandable("customer", "invoice_credit_balance")
def credit(_ctx: Context, _customer: Object) -> Any:
    return {}


def _first_payment_method(ctx: Context, customer: Object) -> None:
    if "payment_method" not in ctx.params:
        return
    given = ctx.params["payment_method"]
    attached = payment_methods.attach(ctx, payment_methods.resolve(ctx, given), customer["id"])
    settings = ctx.params.get("invoice_settings") or {}
    if settings.get("default_payment_method") == given:
        settings["default_payment_method"] = attached["id"]  # a test id became an object of its own


def _listed(found: list[Object], url: str) -> Object:
    return {"object": "list", "data": found[:10], "has_more": len(found) > 10, "total_count": len(found), "url": url}


def _apply(ctx: Context, customer: Object) -> None:
    given = ctx.params
    if "source" in given:
        sources.add(ctx, customer, given["source"])
    if "cash_balance" in given:
        mode = (given["cash_balance"].get("settings") or {}).get("reconciliation_mode")
        customer["_reconciliation"] = mode or "merchant_default"
    if given.get("email") is not None and not EMAIL.fullmatch(given["email"]):
        raise invalid(f"Invalid email address: {given['email']}", param="email", code="email_invalid")
    before = customer["balance"]
    assign(customer, ctx, PLAIN)
    if customer["balance"] != before:
        amount = customer["balance"] - before
        currency = customer_balances.currency_of(ctx, customer)
        customer_balances.record(ctx, customer, amount, "adjustment", currency=currency, invoice=None)
    merge_metadata(customer, ctx)
    if "preferred_locales" in given:
        customer["preferred_locales"] = given["preferred_locales"]
    if "tax_exempt" in given:
        customer["tax_exempt"] = given["tax_exempt"] or "none"
    if "address" in given:
        customer["address"] = _address(given["address"])
    if "shipping" in given:
        shipping = given["shipping"]
        customer["shipping"] = shipping and {
            "address": _address(shipping["address"]),
            "name": shipping["name"],
            "phone": shipping.get("phone"),
        }
    if "tax" in given:
        _tax(customer, given["tax"])
    settings = given.get("invoice_settings") or {}
    default = settings.get("default_payment_method")
    if default is not None:
        param = "invoice_settings[default_payment_method]"
        if ctx.get("payment_method", default, param=param)["customer"] != customer["id"]:
            raise missing("payment_method", default, param=param)
    customer["invoice_settings"] = customer["invoice_settings"] | settings


def _tax(customer: Object, given: Object) -> None:
    if "ip_address" in given:
        customer["_ip_address"] = given["ip_address"]
    if given.get("validate_location") == "immediately" and location(customer) is None:
        raise unknown_place()


def _address(given: Object | None) -> Object | None:
    return None if given is None else {name: given.get(name) for name in ADDRESS}
