"""Prices: per unit and tiered, one-time and recurring."""

from decimal import Decimal
from typing import Any

from sandbox.billing.amounts import CURRENCIES, invalid_currency
from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.http.expand import expandable
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.resources import products
from sandbox.resources.shared import assign, merge_metadata
from sandbox.store import Object

LATER = ("currency_options", "custom_unit_amount")


@operation("POST", "/v1/prices")
def create(ctx: Context) -> Object:
    given = ctx.params
    for name in LATER:
        if name in given:
            raise not_implemented("POST", f"/v1/prices with {name}")
    if given["currency"].lower() not in CURRENCIES:
        raise invalid_currency(given["currency"].lower())
    amount, decimal = _amounts(given, "unit_amount")
    if decimal is not None and Decimal(decimal) < 0:
        raise invalid("Invalid non-negative integer", param="unit_amount", code="parameter_invalid_integer")
    tiers = _tiers(given)
    if tiers is None and decimal is None:
        raise invalid(
            "Prices require an `unit_amount` or `unit_amount_decimal` parameter to be set.",
            param="unit_amount",
            code="parameter_missing",
        )
    price: Object = {
        "id": ctx.new_id("price"),
        "object": "price",
        "active": given.get("active", True),
        "billing_scheme": given.get("billing_scheme", "per_unit"),
        "created": ctx.now,
        "currency": given["currency"].lower(),
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": given.get("nickname"),
        "product": _product(ctx),
        "recurring": _recurring(given.get("recurring")),
        "tax_behavior": given.get("tax_behavior", "unspecified"),
        "tiers_mode": given.get("tiers_mode"),
        "transform_quantity": given.get("transform_quantity"),
        "type": "recurring" if "recurring" in given else "one_time",
        "unit_amount": amount,
        "unit_amount_decimal": decimal,
        "_tiers": tiers,
    }
    _lookup_key(ctx, price)
    merge_metadata(price, ctx)
    ctx.insert(price)
    ctx.emit("price.created", price)
    return price


@operation("GET", "/v1/prices/{price}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("price", ctx.path["price"])


@operation("POST", "/v1/prices/{price}")
def update(ctx: Context) -> Object:
    if "currency_options" in ctx.params:
        raise not_implemented("POST", "/v1/prices/{price} with currency_options")
    price = ctx.edit("price", ctx.path["price"])
    assign(price, ctx, ("active", "nickname", "tax_behavior"))
    _lookup_key(ctx, price)
    merge_metadata(price, ctx)
    ctx.updated("price.updated", price)
    return price


@operation("GET", "/v1/prices")
def list_all(ctx: Context) -> Object:
    given = ctx.params
    keys, recurring = given.get("lookup_keys"), given.get("recurring", {})

    def keep(price: Object) -> bool:
        same = all(price[name] == given[name] for name in ("active", "currency", "product", "type") if name in given)
        has = price["recurring"] or {}
        fits = all(has.get(name) == wanted for name, wanted in recurring.items())
        return same and fits and (not keys or price["lookup_key"] in keys)

    return page(ctx, "price", "/v1/prices", keep)


@expandable("price", "tiers")
def tiers(ctx: Context, price: Object) -> Any:
    return ctx.get("price", price["id"])["_tiers"]


def _product(ctx: Context) -> str:
    given = ctx.params
    if ("product" in given) == ("product_data" in given):
        raise invalid("You must specify exactly one of `product` or `product_data`.", param="product")
    if "product" in given:
        return str(ctx.get("product", given["product"], param="product")["id"])
    data = dict(given["product_data"])
    if "tax_details" in data:
        raise not_implemented("POST", "/v1/prices with product_data[tax_details]")
    return str(products.new(ctx, data.pop("id", None), data)["id"])


def _lookup_key(ctx: Context, price: Object) -> None:
    if "lookup_key" not in ctx.params:
        return
    key = ctx.params["lookup_key"]
    for other in ctx.tx.newest(ctx.account, "price"):
        if key is not None and other["lookup_key"] == key and other["id"] != price["id"]:
            if not ctx.params.get("transfer_lookup_key"):
                message = f"A price (`{other['id']}`) already uses that lookup key."
                raise invalid(message, param="lookup_key")
            loser = ctx.edit("price", other["id"])
            loser["lookup_key"] = None
            ctx.updated("price.updated", loser)
            break
    price["lookup_key"] = key


def _recurring(given: Object | None) -> Object | None:
    if given is None:
        return None
    return {
        "interval": given["interval"],
        "interval_count": given.get("interval_count", 1),
        "meter": given.get("meter"),
        "trial_period_days": given.get("trial_period_days"),
        "usage_type": given.get("usage_type", "licensed"),
    }


def _tiers(given: Object) -> list[Object] | None:
    if given.get("billing_scheme") != "tiered":
        if "tiers" in given or "tiers_mode" in given:
            raise invalid("Tiers need `billing_scheme=tiered`.", param="tiers")
        return None
    if not given.get("tiers") or "tiers_mode" not in given:
        raise invalid("Tiered prices need `tiers` and `tiers_mode`.", param="tiers", code="parameter_missing")
    made: list[Object] = []
    bound: int | None = 0
    for tier in given["tiers"]:
        end = None if tier["up_to"] == "inf" else tier["up_to"]
        if bound is None or (end is not None and end <= bound):
            raise invalid("Tiers must have rising `up_to` values, and only the last may be `inf`.", param="tiers")
        bound = end
        unit, unit_decimal = _amounts(tier, "unit_amount")
        flat, flat_decimal = _amounts(tier, "flat_amount")
        made.append(
            {
                "flat_amount": flat,
                "flat_amount_decimal": flat_decimal,
                "unit_amount": unit,
                "unit_amount_decimal": unit_decimal,
                "up_to": end,
            }
        )
    if bound is not None:
        raise invalid("The last tier must have `up_to=inf`.", param="tiers")
    return made


def _amounts(given: Object, name: str) -> tuple[int | None, str | None]:
    """The amount in whole cents, null where it has a fraction, and as a decimal."""
    text = given.get(name + "_decimal")
    if text is not None and name in given:
        raise invalid(f"You may only specify one of `{name}` and `{name}_decimal`.", param=name)
    if text is None:
        whole = given.get(name)
        return whole, None if whole is None else str(whole)
    number = Decimal(text)
    plain = f"{number:f}"
    if "." in plain:
        plain = plain.rstrip("0").rstrip(".")
    return (int(number) if number == int(number) else None), plain
