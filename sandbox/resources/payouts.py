"""Payouts by hand: money leaves the available balance at once and arrives two days later."""

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.http.lists import page, within
from sandbox.operations import operation
from sandbox.planning import plan
from sandbox.resources import balance_transactions
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object

PATH = "/v1/payouts"
_DAY = 86_400
_TAKES = ("amount", "currency", "description", "metadata", "method", "source_type", "statement_descriptor")


@operation("POST", PATH, takes=_TAKES)
def create(ctx: Context) -> Object:
    given = ctx.params
    amount, currency = given["amount"], given["currency"].lower()
    if amount < 1:
        raise invalid("This value must be greater than or equal to 1.", param="amount")
    if given.get("source_type", "card") != "card" or amount > _available(ctx, currency):
        raise invalid(
            "You have insufficient funds in your Stripe account for this transfer. Your card balance is too low.",
            code="balance_insufficient",
        )
    payout = _blank(ctx, amount, currency)
    payout |= {name: given[name] for name in ("description", "method", "statement_descriptor") if name in given}
    if payout["method"] == "standard":
        payout["arrival_date"] = ctx.now // _DAY * _DAY + 2 * _DAY
    merge_metadata(payout, ctx)
    payout["balance_transaction"] = balance_transactions.of_payout(ctx, payout)
    ctx.insert(payout)
    plan(ctx, payout, payout["arrival_date"])
    ctx.emit("payout.created", payout)
    return payout


@operation("GET", PATH + "/{payout}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("payout", ctx.path["payout"])


@operation(
    "GET", PATH, takes=("arrival_date", "created", "destination", "ending_before", "limit", "starting_after", "status")
)
def list_all(ctx: Context) -> Object:
    given = ctx.params
    wanted = {name: given[name] for name in ("destination", "status") if name in given}

    def keep(payout: Object) -> bool:
        fits = within(payout["arrival_date"], given.get("arrival_date"))
        return fits and all(payout[name] == value for name, value in wanted.items())

    return page(ctx, "payout", PATH, keep)


@operation("POST", PATH + "/{payout}")
def update(ctx: Context) -> Object:
    payout = ctx.edit("payout", ctx.path["payout"])
    merge_metadata(payout, ctx)
    ctx.updated("payout.updated", payout)
    return payout


@operation("POST", PATH + "/{payout}/cancel")
def cancel(ctx: Context) -> Object:
    """Only while it is pending: the money is back in the balance."""
    payout = ctx.edit("payout", ctx.path["payout"])
    if payout["status"] != "pending":
        raise invalid("Payouts can only be canceled while they are pending.", code="payout_not_cancellable")
    payout["status"] = "canceled"
    payout["failure_balance_transaction"] = balance_transactions.of_payout(ctx, payout, back=True)
    plan(ctx, payout, None)
    ctx.emit("payout.canceled", payout)
    return payout


@operation("POST", PATH + "/{payout}/reverse")
def reverse(ctx: Context) -> Object:
    """A payout that has arrived is fetched back by another one, of the negative amount."""
    original = ctx.edit("payout", ctx.path["payout"])
    if original["status"] != "paid" or original["reversed_by"] or original["original_payout"]:
        raise invalid("Only a payout that was paid can be reversed, and only once.", code="payout_reversal_invalid")
    made = _blank(ctx, -original["amount"], original["currency"])
    made |= {"arrival_date": ctx.now // _DAY * _DAY + 2 * _DAY, "original_payout": original["id"]}
    merge_metadata(made, ctx)
    made["balance_transaction"] = balance_transactions.of_payout(ctx, made)
    ctx.insert(made)
    plan(ctx, made, made["arrival_date"])
    original["reversed_by"] = made["id"]
    ctx.emit("payout.created", made)
    ctx.updated("payout.updated", original)
    return made


def arrive(ctx: Context, payout_id: str) -> None:
    """What the arrival date does by itself."""
    payout = ctx.edit("payout", payout_id)
    payout["status"] = "paid"
    plan(ctx, payout, None)
    ctx.emit("payout.paid", payout)


def _available(ctx: Context, currency: str) -> int:
    found = balance_transactions.balance(ctx)["available"]
    return sum(one["amount"] for one in found if one["currency"] == currency)


def _blank(ctx: Context, amount: int, currency: str) -> Object:
    names = (
        "application_fee", "application_fee_amount", "description", "destination", "failure_balance_transaction",
        "failure_code", "failure_message", "original_payout", "payout_method", "reversed_by", "statement_descriptor",
    )  # fmt: skip
    return {
        "id": ctx.new_id("po"),
        "object": "payout",
        **dict.fromkeys(names),
        "amount": amount,
        "arrival_date": ctx.now,
        "automatic": False,
        "balance_transaction": None,
        "created": ctx.now,
        "currency": currency,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "reconciliation_status": "not_applicable",
        "source_type": "card",
        "status": "pending",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
    }
