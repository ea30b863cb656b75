"""Sources: the cards of the older API, made from tokens; each is a payment method with the id of a card."""

from sandbox.context import Context
from sandbox.errors import missing
from sandbox.paying.methods import attach, find, from_token, of_customer, release
from sandbox.store import Object

CARD_ID = "card_"
BRANDS = {
    "amex": "American Express", "diners": "Diners Club", "discover": "Discover", "jcb": "JCB",
    "mastercard": "MasterCard", "unionpay": "UnionPay", "visa": "Visa",
}  # fmt: skip


def from_source(ctx: Context, token: str, param: str = "source") -> Object:
    """The card of a token, under the id of a card."""
    made = from_token(ctx, token, param)
    ctx.delete(made)
    return ctx.insert(made | {"id": ctx.new_id("card")})


def add(ctx: Context, customer: Object, source: str) -> None:
    """`source` of a customer: the new default, in the place of the one before. `customer` is a draft."""
    before = customer["default_source"]
    made = from_source(ctx, source)
    attach(ctx, made, customer["id"])
    if before is not None:
        release(ctx, before)
    customer["default_source"] = made["id"]


def own(ctx: Context, customer: str, source: str, param: str) -> str:
    """The id of the source, if it is the customer's."""
    found = ctx.tx.get(ctx.account, "payment_method", source)
    if found is None or found["customer"] != customer:
        raise missing("source", source, param=param)
    return source


def cards_of(ctx: Context, customer: str) -> list[Object]:
    """The customer's cards as sources, newest first."""
    methods = of_customer(ctx, customer)
    return [shown(one) for one in methods if one["id"].startswith(CARD_ID)]


def shown_by_id(ctx: Context, source: str) -> Object:
    return shown(find(ctx, source))


def shown(method: Object) -> Object:
    """The payment method in the shape of a card."""
    card, details = method["card"], method["billing_details"]
    address, checks = details["address"], card["checks"]
    return {
        "id": method["id"],
        "object": "card",
        "address_city": address["city"],
        "address_country": address["country"],
        "address_line1": address["line1"],
        "address_line1_check": checks["address_line1_check"],
        "address_line2": address["line2"],
        "address_state": address["state"],
        "address_zip": address["postal_code"],
        "address_zip_check": checks["address_postal_code_check"],
        "allow_redisplay": method["allow_redisplay"],
        "brand": BRANDS[card["brand"]],
        "country": card["country"],
        "customer": method["customer"],
        "cvc_check": checks["cvc_check"],
        "dynamic_last4": None,
        "exp_month": card["exp_month"],
        "exp_year": card["exp_year"],
        "fingerprint": card["fingerprint"],
        "funding": card["funding"],
        "last4": card["last4"],
        "metadata": method["metadata"],
        "name": details["name"],
        "regulated_status": card["regulated_status"],
        "tokenization_method": None,
    }
