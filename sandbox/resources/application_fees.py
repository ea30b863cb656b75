"""Application fees: what the platform earns on a connected account's charges."""

from sandbox.context import Context
from sandbox.errors import invalid, missing, not_implemented
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.resources import balance_transactions
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object


def take(ctx: Context, charge: Object, amount: int | None, origin: str | None = None) -> None:
    """The fee of a captured charge, kept in the platform's account; `charge` is a draft.

    `origin` is the platform's own charge, where this one is the payment that its transfer has made.
    """
    if not amount or ctx.application is None:
        return
    platform = ctx.inside(ctx.config.platform)
    fee_id = platform.new_id("fee")
    fee: Object = {
        "id": fee_id,
        "object": "application_fee",
        "account": ctx.account,
        "amount": amount,
        "amount_refunded": 0,
        "application": ctx.application,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": ctx.now,
        "currency": charge["currency"],
        "fee_source": {"charge": charge["id"], "type": "charge"},
        "livemode": False,
        "originating_transaction": origin,
        "refunded": False,
        "refunds": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/application_fees/{fee_id}/refunds",
        },
    }
    fee["balance_transaction"] = balance_transactions.of_fee(platform, fee_id, amount, charge["currency"])
    platform.insert(fee)
    charge["application_fee"] = fee_id
    platform.emit("application_fee.created", fee)


def give_back(ctx: Context, fee_id: str, amount: int) -> Object:
    """Refund a part of a fee; `ctx` may be in any account."""
    platform = ctx.inside(ctx.config.platform)
    fee = platform.edit("application_fee", fee_id)
    left = fee["amount"] - fee["amount_refunded"]
    if not 1 <= amount <= left:
        raise invalid(f"Refund amount ({amount}) is greater than unrefunded amount on fee ({left})", param="amount")
    refund: Object = {
        "id": platform.new_id("fr"),
        "object": "fee_refund",
        "amount": amount,
        "balance_transaction": None,
        "created": ctx.now,
        "currency": fee["currency"],
        "fee": fee_id,
        "metadata": {},
    }
    made = balance_transactions.of_fee(platform, refund["id"], amount, fee["currency"], back=True)
    refund["balance_transaction"] = made
    platform.insert(refund)
    fee["amount_refunded"] += amount
    fee["refunded"] = fee["amount_refunded"] == fee["amount"]
    fee["refunds"]["data"] = [refund, *fee["refunds"]["data"]][:10]
    platform.updated("application_fee.refunded", fee)
    return refund


@operation("GET", "/v1/application_fees/{id}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("application_fee", ctx.path["id"])


@operation("GET", "/v1/application_fees")
def list_all(ctx: Context) -> Object:
    charge = ctx.params.get("charge")
    return page(ctx, "application_fee", "/v1/application_fees", lambda fee: charge is None or fee["charge"] == charge)


@operation("POST", "/v1/application_fees/{id}/refunds", takes=("amount", "metadata"))
def refund(ctx: Context) -> Object:
    if ctx.account != ctx.config.platform:
        raise not_implemented("POST", "/v1/application_fees/{id}/refunds in a connected account")
    fee = ctx.get("application_fee", ctx.path["id"])
    made = give_back(ctx, fee["id"], ctx.params.get("amount", fee["amount"] - fee["amount_refunded"]))
    merge_metadata(made, ctx)
    return made


@operation("GET", "/v1/application_fees/{id}/refunds")
def list_refunds(ctx: Context) -> Object:
    fee = ctx.get("application_fee", ctx.path["id"])
    return page(ctx, "fee_refund", fee["refunds"]["url"], lambda found: found["fee"] == fee["id"])


@operation("GET", "/v1/application_fees/{fee}/refunds/{id}")
def retrieve_refund(ctx: Context) -> Object:
    found = ctx.get("fee_refund", ctx.path["id"])
    if found["fee"] != ctx.path["fee"]:
        raise missing("fee_refund", found["id"])
    return found


@operation("POST", "/v1/application_fees/{fee}/refunds/{id}", takes=("metadata",))
def update_refund(ctx: Context) -> Object:
    retrieve_refund(ctx)
    found = ctx.edit("fee_refund", ctx.path["id"])
    merge_metadata(found, ctx)
    return found
