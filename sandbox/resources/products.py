"""Products."""

from sandbox.calls import call
from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.http.lists import page
from sandbox.http.parameters import empty
from sandbox.operations import operation
from sandbox.resources.shared import assign, merge_metadata
from sandbox.store import Object

PLAIN = (
    "active",
    "description",
    "images",
    "name",
    "package_dimensions",
    "shippable",
    "statement_descriptor",
    "tax_code",
    "unit_label",
    "url",
)
TAKES = (*PLAIN, "marketing_features", "metadata", "tax_details")


def new(ctx: Context, product_id: str | None, given: Object) -> Object:
    """A product with these fields, saved and announced; prices make theirs from `product_data`."""
    if product_id is not None and ctx.tx.find(ctx.account, product_id) is not None:
        raise invalid(f"Product already exists. {product_id}", param="id", code="resource_already_exists")
    product: Object = {
        "id": product_id or ctx.new_id("prod"),
        "object": "product",
        "active": True,
        "created": ctx.now,
        "default_price": None,
        "description": None,
        "images": [],
        "livemode": False,
        "marketing_features": [],
        "metadata": {},
        "name": "",
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": None,
        "type": "service",
        "unit_label": None,
        "updated": ctx.now,
        "url": None,
    } | given
    ctx.insert(product)
    ctx.emit("product.created", product)
    return product


@operation("POST", "/v1/products", takes=(*TAKES, "default_price_data", "id", "type"))
def create(ctx: Context) -> Object:
    given: Object = {}
    _apply(ctx, given)
    if "type" in ctx.params:
        given["type"] = ctx.params["type"]
    product = new(ctx, ctx.params.get("id"), given)
    data = ctx.params.get("default_price_data")
    if data is not None:
        price = call(ctx, "POST", "/v1/prices", product=product["id"], **data)
        ctx.edit("product", product["id"])["default_price"] = price["id"]
        ctx.updated("product.updated", product)
    return product


@operation("GET", "/v1/products/{id}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("product", ctx.path["id"])


@operation("POST", "/v1/products/{id}", takes=(*TAKES, "default_price"))
def update(ctx: Context) -> Object:
    product = ctx.edit("product", ctx.path["id"])
    _apply(ctx, product)
    if "default_price" in ctx.params:
        price = ctx.params["default_price"]
        if price is not None and ctx.get("price", price, param="default_price")["product"] != product["id"]:
            raise invalid("The price does not belong to this product.", param="default_price")
        product["default_price"] = price
    product["updated"] = ctx.now
    ctx.updated("product.updated", product)
    return product


@operation("DELETE", "/v1/products/{id}")
def delete(ctx: Context) -> Object:
    product = ctx.edit("product", ctx.path["id"])
    if any(price["product"] == product["id"] for price in ctx.tx.newest(ctx.account, "price")):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.")
    ctx.emit("product.deleted", product)
    ctx.delete(product)
    return {"id": product["id"], "object": "product", "deleted": True}


@operation("GET", "/v1/products")
def list_all(ctx: Context) -> Object:
    given = ctx.params
    ids = given.get("ids")

    def keep(product: Object) -> bool:
        same = all(product[name] == given[name] for name in ("active", "shippable", "type", "url") if name in given)
        return same and (not ids or product["id"] in ids)

    return page(ctx, "product", "/v1/products", keep)


def _apply(ctx: Context, product: Object) -> None:
    if "name" in ctx.params and ctx.params["name"] is None:
        raise empty("name")
    assign(product, ctx, PLAIN)
    merge_metadata(product, ctx)
    if "tax_details" in ctx.params:
        details = ctx.params["tax_details"]
        names = ("performance_location", "tax_code")
        product["tax_details"] = details and {name: details.get(name) for name in names}
        if details and details.get("tax_code") is not None:
            product["tax_code"] = details["tax_code"]
    if "marketing_features" in ctx.params:
        product["marketing_features"] = ctx.params["marketing_features"]
