"""Refunds of charges, whole or in part."""

from typing import Any

from sandbox.billing.amounts import told
from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.paying import transfers
from sandbox.resources import application_fees, balance_transactions
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object

DESTINATIONS: dict[str, Object] = {
    "card": {
        "card": {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"},
        "type": "card",
    },
    "us_bank_account": {
        "us_bank_transfer": {"reference": None, "reference_status": None},
        "type": "us_bank_transfer",
    },
    "sepa_debit": {"eu_bank_transfer": {"reference": None, "reference_status": None}, "type": "eu_bank_transfer"},
}


def create_refund(
    ctx: Context,
    charge_id: str,
    *,
    amount: int | None = None,
    reason: str | None = None,
    metadata: Object | None = None,
    refund_application_fee: bool = False,
    reverse_transfer: bool = False,
) -> Object:
    """Gives back `amount` of a charge, or all that is left; test cards are refunded at once.

    What a partial capture gave back counts as refunded already.
    """
    charge = ctx.edit("charge", charge_id)
    left = charge["amount"] - charge["amount_refunded"]
    if charge["refunded"]:
        message = f"Charge {charge_id} has already been refunded."
        raise invalid(message, code="charge_already_refunded")
    if charge["disputed"] and not ctx.get("dispute", charge["dispute"])["is_charge_refundable"]:
        message = f"Charge {charge_id} has been charged back; cannot issue a refund."
        raise invalid(message, code="charge_disputed")
    if charge["status"] == "pending":
        raise invalid(f"Charge {charge_id} is still pending: it can be refunded when it has succeeded.", param="charge")
    if not charge["paid"]:
        raise invalid(f"Charge {charge_id} was not paid, so it cannot be refunded.", param="charge")
    if not charge["captured"]:
        raise invalid(f"Charge {charge_id} was not captured, so it cannot be refunded.", param="charge")
    given = left if amount is None else amount
    if given < 1:
        raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    if given > left:
        amounts = told(given, charge["currency"]), told(left, charge["currency"])
        message = f"Refund amount ({amounts[0]}) is greater than unrefunded amount on charge ({amounts[1]})"
        raise invalid(message, param="amount")
    kind = (charge["payment_method_details"] or {"type": "card"})["type"]
    refund: Object = {
        "id": ctx.new_id("re"),
        "object": "refund",
        "amount": given,
        "balance_transaction": None,
        "charge": charge_id,
        "created": ctx.now,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "destination_details": DESTINATIONS.get(kind, {kind: {}, "type": kind}),
        "metadata": dict(metadata or {}),
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }
    refund["balance_transaction"] = balance_transactions.of_refund(ctx, refund)
    ctx.insert(refund)
    charge["amount_refunded"] += given
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    if refund_application_fee:
        _fee_part(ctx, charge, given)
    if reverse_transfer:
        transfers.take_back(ctx, charge, refund)
    ctx.emit("refund.created", refund)
    ctx.updated("charge.refunded", charge)
    return refund


@operation(
    "POST",
    "/v1/refunds",
    takes=(
        "amount", "charge", "currency", "instructions_email", "metadata", "payment_intent", "reason",
        "refund_application_fee", "reverse_transfer",
    ),
)  # fmt: skip
def create(ctx: Context) -> Object:
    holder: Object = {"metadata": {}}
    merge_metadata(holder, ctx)
    charge = _charge(ctx)
    currency = ctx.params.get("currency")
    if currency is not None and currency.lower() != ctx.get("charge", charge)["currency"]:
        raise invalid("The currency of a refund must be the currency of its charge.", param="currency")
    made = create_refund(
        ctx,
        charge,
        amount=ctx.params.get("amount"),
        reason=ctx.params.get("reason"),
        metadata=holder["metadata"],
        refund_application_fee=ctx.params.get("refund_application_fee", False),
        reverse_transfer=ctx.params.get("reverse_transfer", False),
    )
    if ctx.params.get("instructions_email") is not None:
        made["instructions_email"] = ctx.params["instructions_email"]
    return made


@operation("GET", "/v1/refunds/{refund}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("refund", ctx.path["refund"])


@operation("POST", "/v1/refunds/{refund}")
def update(ctx: Context) -> Object:
    refund = ctx.edit("refund", ctx.path["refund"])
    merge_metadata(refund, ctx)
    ctx.updated("refund.updated", refund)
    return refund


@operation("POST", "/v1/refunds/{refund}/cancel")
def cancel(ctx: Context) -> Object:
    refund = ctx.get("refund", ctx.path["refund"])
    raise invalid(f"Refund {refund['id']} has a status of {refund['status']} and cannot be canceled.")


@operation("GET", "/v1/refunds")
def list_all(ctx: Context) -> Object:
    wanted = {name: ctx.params[name] for name in ("charge", "payment_intent") if name in ctx.params}
    return page(ctx, "refund", "/v1/refunds", lambda found: all(found[name] == value for name, value in wanted.items()))


def _charge(ctx: Context) -> str:
    given = ctx.params
    if "charge" not in given and "payment_intent" not in given:
        raise invalid("One of the following params should be provided for this request: payment_intent or charge.")
    if "payment_intent" not in given:
        return str(ctx.get("charge", given["charge"], param="charge")["id"])
    found: Any = ctx.get("payment_intent", given["payment_intent"], param="payment_intent")["latest_charge"]
    if "charge" in given and given["charge"] != found:
        raise invalid("The charge does not belong to the payment intent.", param="charge")
    if found is None or not ctx.get("charge", found)["paid"]:
        message = f"This PaymentIntent ({given['payment_intent']}) does not have a successful charge to refund."
        raise invalid(message, param="payment_intent")
    return str(found)


def _fee_part(ctx: Context, charge: Object, amount: int) -> None:
    """The same share of the fee as of the charge, rounded half up."""
    if charge["application_fee"] is None:
        raise invalid("The charge has no application fee to refund.", param="refund_application_fee")
    fee = ctx.inside(ctx.config.platform).get("application_fee", charge["application_fee"])
    left = fee["amount"] - fee["amount_refunded"]
    share = (2 * fee["amount"] * amount + charge["amount_captured"]) // (2 * charge["amount_captured"])
    part = left if charge["refunded"] else min(left, share)
    if part:
        application_fees.give_back(ctx, fee["id"], part)
