"""Charges as they are made: by an attempt of an intent or alone; captured, cleared and given back."""

from sandbox.billing.cards import DISPUTED, Outcome, Result
from sandbox.context import Context
from sandbox.ids import letters
from sandbox.paying import options, transfers
from sandbox.resources import application_fees, balance_transactions, disputes
from sandbox.store import Object


def make(ctx: Context, intent: Object, payment_method: Object, outcome: Outcome) -> Object:
    """The charge of one attempt of a payment intent, with its event."""
    paid, pending = outcome.result is Result.SUCCEEDED, outcome.result is Result.PROCESSING
    captured = pending or (paid and not options.holds(intent))
    data = intent["transfer_data"]
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
        "destination": data and data["destination"],
        "dispute": None,
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": outcome.code,
        "failure_message": outcome.message,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": intent["on_behalf_of"],
        "order": None,
        "outcome": _outcome(outcome),
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": payment_method["id"],
        "payment_method_details": _details(intent, payment_method, paid=paid),
        "presentment_details": None,
        "radar_options": intent.get("_radar") or {},
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
        "status": "succeeded" if paid else "pending" if pending else "failed",
        "transfer_data": data and {"amount": data.get("amount"), "destination": data["destination"]},
        "transfer_group": intent["transfer_group"] or (data and f"group_{intent['id'] or charge_id}"),
    }
    ctx.insert(charge)
    if paid and captured:
        # with automatic_async Stripe answers before it knows the transaction, and tells it to whoever asks later
        _book(ctx, charge, later=intent["capture_method"] == "automatic_async")
    ctx.emit("charge.succeeded" if paid else "charge.pending" if pending else "charge.failed", charge)
    if paid and captured and payment_method["_behaviour"] in DISPUTED:
        reason, inquiry = DISPUTED[payment_method["_behaviour"]]
        disputes.begin(ctx, charge, reason, inquiry=inquiry)
    return charge


def clear(ctx: Context, charge_id: str, outcome: Outcome) -> None:
    """What the bank says at last to a charge that was pending."""
    charge = ctx.edit("charge", charge_id)
    paid = outcome.result is Result.SUCCEEDED
    charge |= {
        "failure_code": outcome.code,
        "failure_message": outcome.message,
        "outcome": _outcome(outcome),
        "paid": paid,
        "receipt_url": f"{ctx.config.public_url}/receipts/{ctx.account}/{charge_id}" if paid else None,
        "status": "succeeded" if paid else "failed",
    }
    if paid:
        _book(ctx, charge)
    ctx.updated("charge.succeeded" if paid else "charge.failed", charge)


def capture(ctx: Context, charge_id: str, amount: int) -> None:
    """Take `amount` of an authorised charge; what is left goes back."""
    charge = ctx.edit("charge", charge_id)
    charge |= {"captured": True, "amount_captured": amount, "amount_refunded": charge["amount"] - amount}
    _book(ctx, charge)
    ctx.updated("charge.captured", charge)


def release(ctx: Context, charge_id: str) -> None:
    """Give back an authorised charge that was never captured."""
    charge = ctx.edit("charge", charge_id)
    charge |= {"amount_refunded": charge["amount"], "refunded": True}
    ctx.updated("charge.refunded", charge)


def _book(ctx: Context, charge: Object, *, later: bool = False) -> None:
    """The fee, the transaction and the transfer of the captured money."""
    if charge["transfer_data"] is None:
        application_fees.take(ctx, charge, charge["application_fee_amount"])
    charge["_transaction"] = balance_transactions.of_charge(ctx, charge)
    if not later:
        charge["balance_transaction"] = charge["_transaction"]
    transfers.send(ctx, charge)


def _outcome(outcome: Outcome) -> Object:
    paid, blocked = outcome.result is not Result.DECLINED, outcome.decline_code == "fraudulent"
    words = "Payment complete." if paid else "The bank did not return any further details with this decline."
    return {
        "advice_code": outcome.advice_code,
        "network_advice_code": None,
        "network_decline_code": None if blocked else outcome.network_decline_code,
        "network_status": "approved_by_network"
        if paid
        else "not_sent_to_network"
        if blocked
        else "declined_by_network",
        "reason": "highest_risk_level" if blocked else outcome.decline_code,
        "risk_level": "highest" if blocked else "normal",
        "risk_score": 75 if blocked else 20,
        "seller_message": "Stripe blocked this payment as too risky." if blocked else words,
        "type": "authorized" if paid else "blocked" if blocked else "issuer_declined",
    }


def _details(intent: Object, payment_method: Object, *, paid: bool) -> Object:
    """What the charge shows of its method, by the method's type."""
    kind = payment_method["type"]
    if kind == "card":
        return {"card": _card(intent, payment_method, paid=paid), "type": "card"}
    shown = payment_method[kind]
    if kind == "link":
        return {"link": {"country": None}, "type": "link"}
    mandate = payment_method["_mandate"]
    if kind == "us_bank_account":
        names: tuple[str, ...] = (
            "account_holder_type",
            "account_type",
            "bank_name",
            "fingerprint",
            "last4",
            "routing_number",
        )
        more: Object = {"expected_debit_date": None, "mandate": mandate, "payment_reference": None}
    else:
        names = ("bank_code", "branch_code", "country", "fingerprint", "last4")
        more = {"expected_debit_date": None, "mandate": mandate}
    return {kind: {name: shown[name] for name in names} | more, "type": kind}


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
