"""A customer's tax ids, as printed on its invoices."""

import re

from sandbox.context import Context
from sandbox.errors import invalid, missing
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.store import Object

PATH = "/v1/customers/{customer}/tax_ids"
# Stripe asks the authorities about these; the answer comes later, and never in the sandbox.
_VERIFIED = frozenset({"au_abn", "eu_vat", "gb_vat"})
_SHAPES = {
    "eu_vat": re.compile(r"[A-Z]{2}[A-Z0-9+*]{2,12}"),
    "gb_vat": re.compile(r"GB\d{9}|GB\d{12}"),
    "us_ein": re.compile(r"\d{2}-?\d{7}"),
}
_MOST = 5


@operation("POST", PATH, takes=("type", "value"))
def create(ctx: Context) -> Object:
    customer = ctx.get("customer", ctx.path["customer"])
    if customer.get("deleted"):
        raise missing("customer", customer["id"])
    return add(ctx, customer, ctx.params["type"], ctx.params["value"])


def add(ctx: Context, customer: Object, kind: str, value: str, param: str = "value") -> Object:
    """A new tax id of the customer, told of."""
    shape = _SHAPES.get(kind)
    if shape is not None and not shape.fullmatch(value):
        raise invalid(f"Invalid value for {kind}.", param=param, code="tax_id_invalid")
    if sum(1 for one in ctx.tx.newest(ctx.account, "tax_id") if one["customer"] == customer["id"]) >= _MOST:
        raise invalid(f"A customer has at most {_MOST} tax ids.", code="customer_tax_ids_limit")
    country = value[:2] if kind in {"eu_vat", "eu_oss_vat"} else kind[:2].upper()
    status = "pending" if kind in _VERIFIED else "unavailable"
    made: Object = {
        "id": ctx.new_id("txi"),
        "object": "tax_id",
        "country": country,
        "created": ctx.now,
        "customer": customer["id"],
        "customer_account": None,
        "livemode": False,
        "owner": {"customer": customer["id"], "customer_account": None, "type": "customer"},
        "type": kind,
        "value": value,
        "verification": {"status": status, "verified_address": None, "verified_name": None},
    }
    ctx.insert(made)
    ctx.emit("customer.tax_id.created", made)
    return made


@operation("GET", PATH)
def list_all(ctx: Context) -> Object:
    customer = ctx.get("customer", ctx.path["customer"])
    url = f"/v1/customers/{customer['id']}/tax_ids"
    return page(ctx, "tax_id", url, lambda one: one["customer"] == customer["id"])


@operation("GET", PATH + "/{id}")
def retrieve(ctx: Context) -> Object:
    found = ctx.get("tax_id", ctx.path["id"])
    if found["customer"] != ctx.path["customer"]:
        raise missing("tax_id", found["id"])
    return found


@operation("DELETE", PATH + "/{id}")
def delete(ctx: Context) -> Object:
    found = retrieve(ctx)
    ctx.emit("customer.tax_id.deleted", found)
    ctx.delete(found)
    return {"id": found["id"], "object": "tax_id", "deleted": True}
