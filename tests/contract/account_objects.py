"""Finds in recorded answers what the account held before the recording: products, prices and coupons."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from tests.contract.recordings import objects

# Descriptions of lines are the only place where the recordings show a product's name.
DESCRIPTION = re.compile(r"(?:Free trial for )?\d+ (?:(?P<unit>[^×]+) )?× (?P<name>.+?)(?: \(.*\))?")


def account_objects(bodies: Iterable[Any]) -> list[dict[str, Any]]:
    """Products, then prices, then coupons, as the sandbox keeps them; the first sight of each counts."""
    every = [one for body in bodies for one in objects(body)]
    coupons = {one["id"]: one for one in reversed(every) if one["object"] == "coupon"}
    once = {price["id"]: price for price in _one_time_prices(every)}
    prices = dict(once)
    prices |= {one["id"]: one | {"_tiers": None} for one in reversed(every) if one["object"] == "price"}
    products = {price["product"]: _product(price["product"]) for price in prices.values()}
    for line in every:
        described = DESCRIPTION.fullmatch(line.get("description") or "")
        sold = _price_details(line)
        if sold is None or sold["product"] not in products:
            continue
        if described is not None:
            products[sold["product"]] |= {"name": described["name"], "unit_label": described["unit"]}
        elif prices[sold["price"]] is once.get(sold["price"]):
            products[sold["product"]]["name"] = line["description"]
    products |= {one["id"]: one for one in reversed(every) if one["object"] == "product"}
    return [*products.values(), *prices.values(), *coupons.values()]


def _price_details(line: dict[str, Any]) -> dict[str, Any] | None:
    details: dict[str, Any] | None = (line.get("pricing") or {}).get("price_details")
    return details if line["object"] == "line_item" else None


def _one_time_prices(every: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Prices that only a line refers to."""
    for line in every:
        sold = _price_details(line)
        if sold is None or line["pricing"]["unit_amount_decimal"] is None or not isinstance(sold["price"], str):
            continue
        yield {
            "id": sold["price"],
            "object": "price",
            "active": True,
            "billing_scheme": "per_unit",
            "created": line["period"]["start"],
            "currency": line["currency"],
            "custom_unit_amount": None,
            "livemode": False,
            "lookup_key": None,
            "metadata": {},
            "nickname": None,
            "product": sold["product"],
            "recurring": None,
            "tax_behavior": "unspecified",
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "one_time",
            "unit_amount": int(line["pricing"]["unit_amount_decimal"]),
            "unit_amount_decimal": line["pricing"]["unit_amount_decimal"],
            "_tiers": None,
        }


def _product(product_id: str) -> dict[str, Any]:
    empty = "default_price description package_dimensions shippable statement_descriptor tax_code unit_label url"
    return {
        "id": product_id,
        "object": "product",
        "active": True,
        "created": 0,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": "Product",
        "type": "service",
        "updated": 0,
        **dict.fromkeys(empty.split()),
    }
