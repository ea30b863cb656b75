"""Payment methods over the API: cards, bank debits and Link, of customers and of nobody yet."""

from sandbox.context import Context
from sandbox.errors import invalid, missing, not_implemented
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.paying.cards import check_expiry, prefer
from sandbox.paying.methods import DATA, attach, clone, describe, find, make, release, resolve
from sandbox.store import Object


@operation("POST", "/v1/payment_methods", takes=(*DATA, "customer", "payment_method"))
def create(ctx: Context) -> Object:
    given = ctx.params
    if "payment_method" in given:
        made = clone(ctx, given["payment_method"], given.get("customer"))
        describe(ctx, made, {name: given[name] for name in ("metadata", "allow_redisplay") if name in given})
        return made
    if "customer" in given:
        raise invalid("`customer` is only for cloning a `payment_method`.", param="customer")
    return make(ctx, {name: value for name, value in given.items() if name != "expand"})


@operation("GET", "/v1/payment_methods/{payment_method}")
def retrieve(ctx: Context) -> Object:
    return find(ctx, ctx.path["payment_method"], None)


@operation(
    "POST",
    "/v1/payment_methods/{payment_method}",
    takes=("card", "us_bank_account", "billing_details", "metadata", "allow_redisplay"),
)
def update(ctx: Context) -> Object:
    draft = ctx.edit("payment_method", find(ctx, ctx.path["payment_method"], None)["id"])
    if draft["customer"] is None:
        raise invalid("You must save this PaymentMethod to a customer before you can update it.")
    card = dict(ctx.params.get("card") or {})
    if card and draft["type"] != "card":
        raise invalid(f"You cannot update `card` of a PaymentMethod of type {draft['type']}.", param="card")
    networks = card.pop("networks", None)
    if networks:
        prefer(draft, networks["preferred"])
    if card:
        check_expiry(ctx, {**draft["card"], **card})
        draft["card"] |= card
    bank = ctx.params.get("us_bank_account") or {}
    if bank:
        if draft["type"] != "us_bank_account":
            message = f"You cannot update `us_bank_account` of a PaymentMethod of type {draft['type']}."
            raise invalid(message, param="us_bank_account")
        draft["us_bank_account"] |= bank
    describe(ctx, draft, ctx.params)
    ctx.updated("payment_method.updated", draft)
    return draft


@operation("POST", "/v1/payment_methods/{payment_method}/attach", takes=("customer",))
def attach_to_customer(ctx: Context) -> Object:
    if "customer" not in ctx.params:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    customer = ctx.get("customer", ctx.params["customer"], param="customer")
    name = ctx.path["payment_method"]
    found = resolve(ctx, name, param=None)
    return attach(ctx, found, customer["id"])


@operation("POST", "/v1/payment_methods/{payment_method}/detach")
def detach(ctx: Context) -> Object:
    draft = ctx.edit("payment_method", find(ctx, ctx.path["payment_method"], None)["id"])
    if draft["customer"] is None:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
    owner = ctx.get("customer", draft["customer"])
    release(ctx, draft["id"])
    if not owner.get("deleted") and owner["invoice_settings"]["default_payment_method"] == draft["id"]:
        customer = ctx.edit("customer", owner["id"])
        customer["invoice_settings"]["default_payment_method"] = None
        ctx.updated("customer.updated", customer)
    return draft


@operation("GET", "/v1/payment_methods")
def list_all(ctx: Context) -> Object:
    if "customer_account" in ctx.params:
        raise not_implemented("GET", "/v1/payment_methods with customer_account")
    if "customer" not in ctx.params:
        # Stripe lists only the methods of a customer; those of nobody are not listed.
        return page(ctx, "payment_method", "/v1/payment_methods", lambda _: False)
    customer = ctx.get("customer", ctx.params["customer"], param="customer")
    return _page(ctx, customer["id"], "/v1/payment_methods")


@operation("GET", "/v1/customers/{customer}/payment_methods")
def list_of_customer(ctx: Context) -> Object:
    customer = ctx.get("customer", ctx.path["customer"])
    return _page(ctx, customer["id"], f"/v1/customers/{customer['id']}/payment_methods")


@operation("GET", "/v1/customers/{customer}/payment_methods/{payment_method}")
def retrieve_of_customer(ctx: Context) -> Object:
    found = find(ctx, ctx.path["payment_method"], None)
    if found["customer"] != ctx.get("customer", ctx.path["customer"])["id"]:
        raise missing("payment_method", found["id"])
    return found


def _page(ctx: Context, customer: str, url: str) -> Object:
    wanted = {name: ctx.params[name] for name in ("type", "allow_redisplay") if name in ctx.params}
    return page(
        ctx,
        "payment_method",
        url,
        lambda found: found["customer"] == customer and all(found[name] == value for name, value in wanted.items()),
    )
