"""Balance transactions: what each charge and refund does to an account's balance, and what they add up to."""

from collections import Counter

from sandbox.context import Context, public
from sandbox.errors import invalid
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.store import Object

_DAY = 86_400
_DAYS_UNTIL_AVAILABLE = 7
# 2.9% and 30 minor units, rounded half up, whatever the currency: one price is enough to test with.
_PER_MILLE, _FIXED = 29, 30
_DISPUTE_FEE = 1_500


def of_charge(ctx: Context, charge: Object) -> str:
    """The transaction of what was captured; the application's fee is taken from it as well. `charge` is a draft."""
    amount, currency = charge["amount_captured"], charge["currency"]
    fees = [_fee(processing_fee(amount), currency, None, "Stripe processing fees", "stripe_fee")]
    if charge["application_fee"]:
        given = charge["application_fee_amount"]
        fees.append(_fee(given, currency, ctx.application, "Application fee", "application_fee"))
    description = charge["description"]
    return _insert(ctx, charge["id"], "charge", amount, currency, fees=fees, description=description)


def of_refund(ctx: Context, refund: Object) -> str:
    """The transaction of a refund: the processing fee is not given back."""
    return _insert(ctx, refund["id"], "refund", -refund["amount"], refund["currency"], description="REFUND FOR CHARGE")


def of_transfer(ctx: Context, transfer: Object) -> str:
    """What a destination charge sends on to the connected account."""
    return _insert(ctx, transfer["id"], "transfer", -transfer["amount"], transfer["currency"])


def of_reversal(ctx: Context, reversal: Object) -> str:
    """What a refund takes back of a transfer."""
    source, amount = reversal["id"], reversal["amount"]
    return _insert(ctx, source, "transfer_refund", amount, reversal["currency"], category="transfer_reversal")


def of_payment(ctx: Context, payment: Object) -> str:
    """The same money in the connected account, less the application's fee; `payment` is a draft."""
    fees = []
    if payment["application_fee"]:
        fee = ctx.inside(ctx.config.platform).get("application_fee", payment["application_fee"])
        fees = [_fee(fee["amount"], fee["currency"], ctx.application, "Application fee", "application_fee")]
    return _insert(ctx, payment["id"], "payment", payment["amount"], payment["currency"], fees=fees, category="charge")


def of_fee(ctx: Context, fee_id: str, amount: int, currency: str, *, back: bool = False) -> str:
    """What the platform earns by a fee, or gives back of it."""
    kind = "application_fee_refund" if back else "application_fee"
    return _insert(ctx, fee_id, kind, -amount if back else amount, currency)


def of_dispute(ctx: Context, dispute: Object, *, back: bool = False) -> Object:
    """What a bank takes back, with Stripe's fee; or, when the dispute is won, what it returns, the fee as well."""
    sign = 1 if back else -1
    fees = [_fee(-sign * _DISPUTE_FEE, dispute["currency"], None, "Dispute fee", "stripe_fee")]
    made = _insert(
        ctx,
        dispute["id"],
        "adjustment",
        sign * dispute["amount"],
        dispute["currency"],
        fees=fees,
        description=f"Chargeback {'reversal' if back else 'withdrawal'} for {dispute['charge']}",
        category="dispute_reversal" if back else "dispute",
    )
    return public(ctx.get("balance_transaction", made))


def of_payout(ctx: Context, payout: Object, *, back: bool = False) -> str:
    """What leaves the balance (or comes back), at once and without a fee."""
    sign = 1 if back else -1
    category = "payout_reversal" if back or payout["amount"] < 0 else "payout"
    kind = "payout_cancel" if back else "payout"
    made = _insert(
        ctx,
        payout["id"],
        kind,
        sign * payout["amount"],
        payout["currency"],
        description=payout["description"] or "STRIPE PAYOUT",
        category=category,
    )
    ctx.edit("balance_transaction", made).update({"available_on": ctx.now, "status": "available"})
    return made


def processing_fee(amount: int) -> int:
    """What Stripe keeps of a charge, in minor units."""
    return (amount * _PER_MILLE * 2 + 1_000) // 2_000 + _FIXED


def _insert(
    ctx: Context,
    source: str,
    kind: str,
    amount: int,
    currency: str,
    *,
    fees: list[Object] | None = None,
    description: str | None = None,
    category: str | None = None,
) -> str:
    fee = sum(each["amount"] for each in fees or [])
    found: Object = {
        "id": ctx.new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": ctx.now // _DAY * _DAY + _DAYS_UNTIL_AVAILABLE * _DAY,
        "balance_type": "payments",
        "created": ctx.now,
        "currency": currency,
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": fees or [],
        "net": amount - fee,
        "reporting_category": category or kind,
        "source": source,
        "status": "pending",
        "type": kind,
    }
    ctx.insert(found)
    return str(found["id"])


def _fee(amount: int, currency: str, application: str | None, description: str, kind: str) -> Object:
    return {
        "amount": amount,
        "application": application,
        "currency": currency,
        "description": description,
        "type": kind,
    }


@operation("GET", "/v1/balance_transactions/{id}")
def retrieve(ctx: Context) -> Object:
    return _now(ctx, ctx.get("balance_transaction", ctx.path["id"]))


_PAGING = ("created", "ending_before", "limit", "starting_after")


@operation("GET", "/v1/balance_transactions", takes=("currency", "payout", "source", "type", *_PAGING))
def list_all(ctx: Context) -> Object:
    wanted = {name: ctx.params[name] for name in ("currency", "source", "type") if name in ctx.params}
    if "payout" in ctx.params:
        # only automatic payouts have transactions, and those here are made by hand
        ctx.get("payout", ctx.params["payout"], param="payout")
        raise invalid("Balance transaction history can only be filtered on automatic transfers, not manual.")
    found = page(
        ctx,
        "balance_transaction",
        "/v1/balance_transactions",
        lambda one: all(one[name] == value for name, value in wanted.items()),
    )
    return found | {"data": [_now(ctx, one) for one in found["data"]]}


@operation("GET", "/v1/balance")
def balance(ctx: Context) -> Object:
    """What the account's transactions add up to, by currency; money is pending until its day comes."""
    sums: dict[str, Counter[str]] = {"available": Counter(), "pending": Counter()}
    for one in ctx.tx.newest(ctx.account, "balance_transaction"):
        sums[_now(ctx, one)["status"]][one["currency"]] += one["net"]
    currencies = sorted({*sums["available"], *sums["pending"]}) or ["usd"]

    def shown(state: str) -> list[Object]:
        return [{"amount": sums[state][each], "currency": each, "source_types": {"card": sums[state][each]}}
                for each in currencies]  # fmt: skip

    return {
        "object": "balance",
        "available": shown("available"),
        "connect_reserved": [{"amount": 0, "currency": each} for each in currencies],
        "livemode": False,
        "pending": shown("pending"),
    }


def _now(ctx: Context, found: Object) -> Object:
    """A transaction as it stands today: it becomes available by itself."""
    return found | {"status": "available" if found["available_on"] <= ctx.now else "pending"}
