"""Transfers: what a destination charge sends on to a connected account, and what a refund takes back of it."""

from decimal import Decimal

from sandbox.billing.pricing import rounded
from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.resources import application_fees, balance_transactions
from sandbox.resources.shared import ADDRESS
from sandbox.store import Object

NO_FEE = (
    "Can only apply an application_fee_amount when the PaymentIntent is attempting a direct payment (using an OAuth "
    "key or Stripe-Account header) or destination payment (using `transfer_data[destination]`)."
)


def check(ctx: Context, value: Object) -> None:
    """Refuses a `transfer_data`, `on_behalf_of` or application fee that can't work. `value` is what will be paid."""
    data = value["transfer_data"]
    accounts = ctx.inside(ctx.config.platform)
    own = value["on_behalf_of"]
    if own is not None and accounts.tx.get(accounts.account, "account", own) is None:
        message = f"No such on_behalf_of: '{own}'"
        raise invalid(message, param="on_behalf_of", code="resource_missing")
    if data is None:
        if value["application_fee_amount"] and ctx.application is None:
            raise invalid(NO_FEE, param="application_fee_amount")
        return
    name = "transfer_data[destination]"
    account = accounts.tx.get(accounts.account, "account", data["destination"])
    if account is None or ctx.account != accounts.account:
        raise invalid(f"No such destination: '{data['destination']}'", param=name, code="resource_missing")
    if account["capabilities"].get("transfers") != "active":
        raise invalid(
            "Your destination account needs to have at least one of the following capabilities enabled: transfers, "
            "crypto_transfers, legacy_payments",
            param=name,
            code="insufficient_capabilities_for_transfer",
        )
    if data.get("amount") is not None:
        if value["application_fee_amount"] is not None:
            raise invalid(
                "You may only specify one of these parameters: application_fee_amount, transfer_data[amount].",
                param="application_fee_amount",
            )
        if not 1 <= data["amount"] <= value["amount"]:
            raise invalid("Transfer amount may not exceed the amount.", param="transfer_data[amount]")


def send(ctx: Context, charge: Object) -> None:
    """The transfer of a captured destination charge; `charge` is a draft. https://docs.stripe.com/connect/destination-charges"""
    data = charge["transfer_data"]
    if data is None:
        return
    amount = data["amount"] if data.get("amount") is not None else charge["amount_captured"]
    destination = ctx.inside(data["destination"])
    transfer_id, payment_id = ctx.new_id("tr"), destination.new_id("py")
    transfer: Object = {
        "id": transfer_id,
        "object": "transfer",
        "amount": amount,
        "amount_reversed": 0,
        "balance_transaction": None,
        "created": ctx.now,
        "currency": charge["currency"],
        "description": None,
        "destination": data["destination"],
        "destination_payment": payment_id,
        "livemode": False,
        "metadata": {},
        "reversals": {"object": "list", "data": [], "has_more": False, "url": f"/v1/transfers/{transfer_id}/reversals"},
        "reversed": False,
        "source_transaction": charge["id"],
        "source_type": "card",
        "transfer_group": charge["transfer_group"],
    }
    transfer["balance_transaction"] = balance_transactions.of_transfer(ctx, transfer)
    ctx.insert(transfer)
    charge["transfer"] = transfer_id
    payment = _payment(charge, payment_id, transfer_id, amount, ctx)
    destination.insert(payment)
    if charge["application_fee_amount"]:
        application_fees.take(destination, payment, charge["application_fee_amount"], origin=charge["id"])
        charge["application_fee"] = payment["application_fee"]
    payment["balance_transaction"] = balance_transactions.of_payment(destination, payment)
    ctx.emit("transfer.created", transfer)


def take_back(ctx: Context, charge: Object, refund: Object) -> None:
    """Reverse the part of the transfer that the refund is of the charge; all that is left with the last refund."""
    if not charge.get("transfer"):
        message = "Cannot reverse the transfer of a charge that has none: it was not made with `transfer_data`."
        raise invalid(message, param="reverse_transfer")
    transfer = ctx.edit("transfer", charge["transfer"])
    left = transfer["amount"] - transfer["amount_reversed"]
    part = rounded(Decimal(transfer["amount"] * refund["amount"]) / charge["amount_captured"])
    amount = left if charge["refunded"] else min(left, part)
    if not amount:
        return
    reversal: Object = {
        "id": ctx.new_id("trr"),
        "object": "transfer_reversal",
        "amount": amount,
        "balance_transaction": None,
        "created": ctx.now,
        "currency": transfer["currency"],
        "destination_payment_refund": None,
        "metadata": {},
        "source_refund": refund["id"],
        "transfer": transfer["id"],
    }
    reversal["balance_transaction"] = balance_transactions.of_reversal(ctx, reversal)
    ctx.insert(reversal)
    refund["transfer_reversal"] = reversal["id"]
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    transfer["reversals"]["data"] = [reversal, *transfer["reversals"]["data"]][:10]
    payment = ctx.inside(transfer["destination"]).edit("charge", transfer["destination_payment"])
    payment["amount_refunded"] += amount
    payment["refunded"] = payment["amount_refunded"] == payment["amount"]
    ctx.updated("transfer.reversed", transfer)


def _payment(charge: Object, payment_id: str, transfer: str, amount: int, ctx: Context) -> Object:
    """The charge as the connected account sees it: a payment from the platform."""
    nothing = (
        "application_fee", "application_fee_amount", "balance_transaction", "customer", "description", "on_behalf_of",
        "payment_intent", "payment_method", "receipt_email", "receipt_url", "shipping", "statement_descriptor",
        "statement_descriptor_suffix", "transfer_data", "transfer_group", "payment_method_details",
    )  # fmt: skip
    names = ("email", "name", "phone", "tax_id")
    outcome = dict.fromkeys(charge["outcome"]) if charge["outcome"] else None
    return {
        **{name: value for name, value in charge.items() if name not in {"transfer", "_transaction"}},
        **dict.fromkeys(nothing),
        "id": payment_id,
        "amount": amount,
        "amount_captured": amount,
        "application": ctx.inside("").application,
        "billing_details": {"address": dict.fromkeys(ADDRESS), **dict.fromkeys(names)},
        "destination": None,
        "metadata": {},
        "outcome": outcome and outcome | {"network_status": "approved_by_network", "type": "authorized"},
        "source_transfer": transfer,
    }
