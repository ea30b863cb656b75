"""Charges: made by payment intents or, as in the older API, by themselves."""

from sandbox.billing import amounts, cards
from sandbox.billing.cards import DISPUTED, Outcome, Result
from sandbox.context import Context, public
from sandbox.errors import declined, invalid
from sandbox.http.expand import expandable
from sandbox.http.lists import page
from sandbox.ids import letters
from sandbox.operations import operation
from sandbox.resources import accounts, application_fees, balance_transactions, disputes, payment_methods
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object


def make(ctx: Context, intent: Object, payment_method: Object, outcome: Outcome) -> Object:
    """The charge of one attempt of a payment intent, with its event."""
    paid = outcome.result is Result.SUCCEEDED
    captured = paid and intent["capture_method"] != "manual"
    charge_id = ctx.new_id("ch")
    charge: Object = {
        "id": charge_id,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if captured else 0,
        "amount_refunded": 0,
        "application": ctx.application,
        "application_fee": None,
        "application_fee_amount": intent["application_fee_amount"],
        "balance_transaction": None,
        "billing_details": payment_method["billing_details"],
        "calculated_statement_descriptor": intent["statement_descriptor"] or "SANDBOX",
        "captured": captured,
        "created": ctx.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "destination": None,
        "dispute": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": outcome.code,
        "failure_message": outcome.message,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "order": None,
        "outcome": _outcome(outcome),
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": payment_method["id"],
        "payment_method_details": {"card": _card(intent, payment_method, paid=paid), "type": "card"},
        "presentment_details": None,
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": f"{ctx.config.public_url}/receipts/{ctx.account}/{charge_id}" if paid else None,
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "succeeded" if paid else "failed",
        "transfer_data": None,
        "transfer_group": intent["transfer_group"],
    }
    ctx.insert(charge)
    if captured:
        application_fees.take(ctx, charge)
        # with automatic_async Stripe answers before it knows the transaction, and tells it to whoever asks later
        charge["_transaction"] = balance_transactions.of_charge(ctx, charge)
        if intent["capture_method"] != "automatic_async":
            charge["balance_transaction"] = charge["_transaction"]
    ctx.emit("charge.succeeded" if paid else "charge.failed", charge)
    if captured and payment_method["_behaviour"] in DISPUTED:
        reason, inquiry = DISPUTED[payment_method["_behaviour"]]
        disputes.begin(ctx, charge, reason, inquiry=inquiry)
    return charge


def capture(ctx: Context, charge_id: str, amount: int) -> None:
    """Take `amount` of an authorised charge; what is left goes back."""
    charge = ctx.edit("charge", charge_id)
    charge |= {"captured": True, "amount_captured": amount, "amount_refunded": charge["amount"] - amount}
    application_fees.take(ctx, charge)
    charge["balance_transaction"] = balance_transactions.of_charge(ctx, charge)
    ctx.updated("charge.captured", charge)


def release(ctx: Context, charge_id: str) -> None:
    """Give back an authorised charge that was never captured."""
    charge = ctx.edit("charge", charge_id)
    charge |= {"amount_refunded": charge["amount"], "refunded": True}
    ctx.updated("charge.refunded", charge)


ALONE = (
    "application_fee_amount", "description", "receipt_email", "shipping", "statement_descriptor",
    "statement_descriptor_suffix", "transfer_group",
)  # fmt: skip


@operation("POST", "/v1/charges", takes=(*ALONE, "amount", "capture", "currency", "customer", "metadata", "source"))
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
    intent = {
        **dict.fromkeys(ALONE),
        **{name: given[name] for name in ALONE if name in given},
        "id": None,
        "amount": amounts.check(given["amount"], given["currency"].lower()),
        "capture_method": "automatic" if given.get("capture", True) else "manual",
        "currency": given["currency"].lower(),
        "customer": given.get("customer"),
        "metadata": holder["metadata"],
    }
    outcome = cards.outcome(method)
    if outcome.result is Result.REQUIRES_ACTION:
        outcome = cards.AUTHENTICATION_REQUIRED
    charge = make(ctx, intent, method, outcome)
    if not charge["paid"]:
        raise declined({"charge": charge["id"], **outcome.error})
    return charge


@operation(
    "POST",
    "/v1/charges/{charge}/capture",
    takes=("amount", "receipt_email", "statement_descriptor", "statement_descriptor_suffix"),
)
def capture_over_api(ctx: Context) -> Object:
    charge = ctx.edit("charge", ctx.path["charge"])
    if charge["payment_intent"] is not None:
        raise invalid("This charge belongs to a PaymentIntent: capture the PaymentIntent.", param="charge")
    if charge["captured"] or charge["refunded"] or not charge["paid"]:
        raise invalid(f"Charge {charge['id']} has already been captured.", code="charge_already_captured")
    amount: int = ctx.params["amount"] if "amount" in ctx.params else charge["amount"]
    if not 1 <= amount <= charge["amount"]:
        raise invalid("You cannot capture more than was authorized.", param="amount", code="amount_too_large")
    for name in ("receipt_email", "statement_descriptor", "statement_descriptor_suffix"):
        if name in ctx.params:
            charge[name] = ctx.params[name]
    capture(ctx, charge["id"], amount)
    return charge


def _source(ctx: Context) -> Object:
    given = ctx.params
    if "customer" in given:
        customer = ctx.get("customer", given["customer"], param="customer")
        default = given.get("source") or customer["invoice_settings"]["default_payment_method"]
        if default is None:
            raise invalid("Cannot charge a customer that has no active card", code="missing", param="card")
        return payment_methods.resolve(ctx, default.replace("tok_", "pm_card_", 1))
    if "source" not in given:
        raise invalid("Must provide source or customer.", param="source", code="parameter_missing")
    if not given["source"].startswith("tok_"):
        raise invalid(f"No such token: '{given['source']}'", param="source", code="resource_missing")
    return payment_methods.resolve(ctx, given["source"].replace("tok_", "pm_card_", 1))


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


@operation("POST", "/v1/charges/{charge}", takes=("description", "metadata", "receipt_email"))
def update(ctx: Context) -> Object:
    charge = ctx.edit("charge", ctx.path["charge"])
    for name in ("description", "receipt_email"):
        if name in ctx.params:
            charge[name] = ctx.params[name]
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


def _outcome(outcome: Outcome) -> Object:
    paid = outcome.result is Result.SUCCEEDED
    return {
        "advice_code": outcome.advice_code,
        "network_advice_code": None,
        "network_decline_code": outcome.network_decline_code,
        "network_status": "approved_by_network" if paid else "declined_by_network",
        "reason": None if paid else outcome.decline_code,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "Payment complete."
        if paid
        else "The bank did not return any further details with this decline.",
        "type": "authorized" if paid else "issuer_declined",
    }


def _card(intent: Object, payment_method: Object, *, paid: bool) -> Object:
    card = payment_method["card"]
    kept = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    return {
        "amount_authorized": intent["amount"],
        "authorization_code": letters(f"authorization:{intent['id']}", 6).upper(),
        **{name: card[name] for name in kept},
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": _digits(f"network:{card['brand']}") if paid else None,
        "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": None,
        "transaction_link_id": None,
        "wallet": None,
    }


def _digits(seed: str) -> str:
    """Fifteen digits; in test mode a network's are always the same."""
    return str(int.from_bytes(seed.encode()) % 10**15).zfill(15)
