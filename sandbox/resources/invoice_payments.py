"""Invoice payments: which payment intent paid which invoice."""

from sandbox.context import Context
from sandbox.errors import not_implemented
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.store import Object


@operation("GET", "/v1/invoice_payments/{invoice_payment}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("invoice_payment", ctx.path["invoice_payment"])


@operation("GET", "/v1/invoice_payments")
def list_all(ctx: Context) -> Object:
    given = ctx.params
    payment = given.get("payment")
    if payment is not None and payment["type"] != "payment_intent":
        raise not_implemented("GET", "/v1/invoice_payments with payment[type]=payment_record")

    def keep(found: Object) -> bool:
        same = all(found[name] == given[name] for name in ("invoice", "status") if name in given)
        intent = payment and payment.get("payment_intent")
        return same and (intent is None or found["payment"]["payment_intent"] == intent)

    return page(ctx, "invoice_payment", "/v1/invoice_payments", keep)
