"""A customer's balance: what it is owed (negative) or owes (positive), and each transaction that changed it."""

from sandbox.context import Context
from sandbox.errors import invalid, missing
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object

PATH = "/v1/customers/{customer}/balance_transactions"


def record(ctx: Context, customer: Object, amount: int, kind: str, *, currency: str, invoice: str | None) -> Object:
    """Note a change that the customer's balance already shows. `kind` is Stripe's `type`."""
    transaction: Object = {
        "id": ctx.new_id("cbtxn"),
        "object": "customer_balance_transaction",
        "amount": amount,
        "checkout_session": None,
        "created": ctx.now,
        "credit_note": None,
        "currency": currency,
        "customer": customer["id"],
        "customer_account": None,
        "description": None,
        "ending_balance": customer["balance"],
        "invoice": invoice,
        "livemode": False,
        "metadata": {},
        "type": kind,
    }
    return ctx.insert(transaction)


def currency_of(ctx: Context, customer: Object) -> str:
    """The customer's currency, or the account's where it has none yet."""
    account = ctx.tx.get(ctx.config.platform, "account", ctx.account) or {}
    return str(customer["currency"] or account.get("default_currency") or "usd")


@operation("POST", PATH, takes=("amount", "currency", "description", "metadata"))
def create(ctx: Context) -> Object:
    customer = ctx.edit("customer", ctx.path["customer"])
    amount, currency = ctx.params["amount"], ctx.params["currency"].lower()
    if customer["currency"] not in {None, currency}:
        raise invalid(
            f"You cannot combine currencies on a single customer. This one's balance is in {customer['currency']}.",
            param="currency",
        )
    if amount == 0:
        raise invalid("The amount of a customer balance transaction can't be zero.", param="amount")
    customer |= {"balance": customer["balance"] + amount, "currency": currency}
    transaction = record(ctx, customer, amount, "adjustment", currency=currency, invoice=None)
    transaction["description"] = ctx.params.get("description")
    merge_metadata(transaction, ctx)
    ctx.updated("customer.updated", customer)
    return transaction


@operation("GET", PATH)
def list_all(ctx: Context) -> Object:
    customer = ctx.get("customer", ctx.path["customer"])
    invoice = ctx.params.get("invoice")
    return page(
        ctx,
        "customer_balance_transaction",
        f"/v1/customers/{customer['id']}/balance_transactions",
        lambda one: one["customer"] == customer["id"] and invoice in {None, one["invoice"]},
    )


@operation("GET", PATH + "/{transaction}")
def retrieve(ctx: Context) -> Object:
    found = ctx.get("customer_balance_transaction", ctx.path["transaction"])
    if found["customer"] != ctx.path["customer"]:
        raise missing("customer_balance_transaction", found["id"])
    return found


@operation("POST", PATH + "/{transaction}", takes=("description", "metadata"))
def update(ctx: Context) -> Object:
    retrieve(ctx)
    transaction = ctx.edit("customer_balance_transaction", ctx.path["transaction"])
    if "description" in ctx.params:
        transaction["description"] = ctx.params["description"]
    merge_metadata(transaction, ctx)
    return transaction
