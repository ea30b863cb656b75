"""Charges over the API: made by intents or, as in the older API, by themselves."""

from sandbox.billing import amounts, cards
from sandbox.billing.cards import Result
from sandbox.context import Context, public
from sandbox.errors import declined, invalid
from sandbox.http.expand import expandable
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.paying import charging, sources, transfers
from sandbox.paying import methods as payment_methods
from sandbox.resources import accounts
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object

ALONE = (
    "application_fee_amount", "description", "receipt_email", "shipping", "statement_descriptor",
    "statement_descriptor_suffix", "transfer_group",
)  # fmt: skip
OPTIONAL = ("application_fee", "destination", "on_behalf_of", "radar_options", "transfer_data")


@operation(
    "POST",
    "/v1/charges",
    takes=(*ALONE, *OPTIONAL, "amount", "capture", "currency", "customer", "metadata", "source"),
)
def create(ctx: Context) -> Object:
    """The older API's payment: a card's token, or the customer's default payment method, is charged at once."""
    given = ctx.params
    for name in ("amount", "currency"):
        if name not in given:
            raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    method = _source(ctx)
    accounts.require_charges(ctx)
    holder: Object = {"metadata": {}}
    merge_metadata(holder, ctx)
    destination = given.get("destination")
    intent = {
        **dict.fromkeys(ALONE),
        **{name: given[name] for name in ALONE if name in given},
        "id": None,
        "amount": amounts.check(given["amount"], given["currency"].lower()),
        "capture_method": "automatic" if given.get("capture", True) else "manual",
        "currency": given["currency"].lower(),
        "customer": given.get("customer"),
        "metadata": holder["metadata"],
        "on_behalf_of": given.get("on_behalf_of"),
        "transfer_data": given.get("transfer_data")
        or (destination and {"amount": destination.get("amount"), "destination": destination["account"]}),
        "_radar": given.get("radar_options"),
    }
    if "application_fee" in given:
        intent["application_fee_amount"] = given["application_fee"]
    transfers.check(ctx, intent)
    outcome = cards.outcome(method)
    if outcome.result is Result.REQUIRES_ACTION:
        outcome = cards.AUTHENTICATION_REQUIRED
    charge = charging.make(ctx, intent, method, outcome)
    if method["id"].startswith(sources.CARD_ID):
        charge["source"] = sources.shown(method)
    if not charge["paid"]:
        raise declined({"charge": charge["id"], **outcome.error})
    return charge


@operation(
    "POST",
    "/v1/charges/{charge}/capture",
    takes=(
        "amount", "application_fee", "application_fee_amount", "receipt_email", "statement_descriptor",
        "statement_descriptor_suffix", "transfer_data", "transfer_group",
    ),
)  # fmt: skip
def capture_over_api(ctx: Context) -> Object:
    charge = ctx.edit("charge", ctx.path["charge"])
    given = ctx.params
    if charge["payment_intent"] is not None:
        raise invalid("This charge belongs to a PaymentIntent: capture the PaymentIntent.", param="charge")
    if charge["captured"] or charge["refunded"] or not charge["paid"]:
        raise invalid(f"Charge {charge['id']} has already been captured.", code="charge_already_captured")
    amount: int = given["amount"] if "amount" in given else charge["amount"]
    if not 1 <= amount <= charge["amount"]:
        raise invalid("You cannot capture more than was authorized.", param="amount", code="amount_too_large")
    for name in ("receipt_email", "statement_descriptor", "statement_descriptor_suffix", "transfer_group"):
        if name in given:
            charge[name] = given[name]
    fee = given.get("application_fee_amount", given.get("application_fee"))
    if fee is not None:
        charge["application_fee_amount"] = fee
    if given.get("transfer_data"):
        charge["transfer_data"] = (charge["transfer_data"] or {}) | given["transfer_data"]
    transfers.check(ctx, charge)
    charging.capture(ctx, charge["id"], amount)
    return charge


def _source(ctx: Context) -> Object:
    given = ctx.params
    source = given.get("source")
    if "customer" in given:
        customer = ctx.get("customer", given["customer"], param="customer")
        default = customer["default_source"] or customer["invoice_settings"]["default_payment_method"]
        chosen = source or default
        if chosen is None:
            raise invalid("Cannot charge a customer that has no active card", code="missing", param="card")
        if chosen.startswith(payment_methods.TEST_SOURCE):
            return sources.from_source(ctx, chosen)
        return payment_methods.resolve(ctx, sources.own(ctx, customer["id"], chosen, "source"), "source")
    if source is None:
        raise invalid("Must provide source or customer.", param="source", code="parameter_missing")
    return sources.from_source(ctx, source)


@operation("GET", "/v1/charges/{charge}")
def retrieve(ctx: Context) -> Object:
    charge = ctx.get("charge", ctx.path["charge"])
    if charge["balance_transaction"] is None and charge.get("_transaction"):
        charge = ctx.edit("charge", charge["id"])
        charge["balance_transaction"] = charge["_transaction"]
    return charge


@expandable("charge", "refunds")
def refunds(ctx: Context, charge: Object) -> Object:
    found = [public(one) for one in ctx.tx.newest(ctx.account, "refund") if one["charge"] == charge["id"]]
    url = f"/v1/charges/{charge['id']}/refunds"
    return {"object": "list", "data": found[:10], "has_more": len(found) > 10, "total_count": len(found), "url": url}


@operation(
    "POST",
    "/v1/charges/{charge}",
    takes=("customer", "description", "fraud_details", "metadata", "receipt_email", "shipping", "transfer_group"),
)
def update(ctx: Context) -> Object:
    charge = ctx.edit("charge", ctx.path["charge"])
    given = ctx.params
    for name in ("description", "receipt_email", "shipping", "transfer_group"):
        if name in given:
            charge[name] = given[name]
    if "customer" in given:
        if charge["customer"] is not None:
            message = "Cannot update the customer on a charge that already has a customer associated with it."
            raise invalid(message, param="customer")
        charge["customer"] = ctx.get("customer", given["customer"], param="customer")["id"]
    if "fraud_details" in given:
        report = given["fraud_details"]["user_report"]
        charge["fraud_details"] = {} if report is None else {"user_report": report}
    merge_metadata(charge, ctx)
    ctx.updated("charge.updated", charge)
    return charge


@operation("GET", "/v1/charges")
def list_all(ctx: Context) -> Object:
    names = ("customer", "payment_intent", "transfer_group")
    wanted = {name: ctx.params[name] for name in names if name in ctx.params}
    return page(
        ctx,
        "charge",
        "/v1/charges",
        lambda charge: all(charge[name] == value for name, value in wanted.items()),
    )
