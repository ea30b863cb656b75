"""Invoices over the API."""

from sandbox.context import Context, public
from sandbox.errors import invalid, not_implemented
from sandbox.http.expand import expandable
from sandbox.http.lists import page, within
from sandbox.invoicing import collection, taxes
from sandbox.invoicing.automatic_tax import of_invoice
from sandbox.invoicing.invoice import add_up, new_invoice
from sandbox.invoicing.items import pending
from sandbox.invoicing.lines import line_of_item
from sandbox.operations import operation
from sandbox.paying.sources import own
from sandbox.planning import on_clock
from sandbox.resources import discounts
from sandbox.resources.invoice_dress import dress
from sandbox.resources.shared import assign, merge_metadata
from sandbox.store import Object, copy

PLAIN = ("custom_fields", "description", "due_date", "effective_at", "footer", "number", "statement_descriptor")
CHANGES = (
    *PLAIN,
    "application_fee_amount",
    "auto_advance",
    "automatic_tax",
    "automatically_finalizes_at",
    "collection_method",
    "days_until_due",
    "default_payment_method",
    "default_tax_rates",
    "default_source",
    "discounts",
    "issuer",
    "metadata",
    "on_behalf_of",
    "payment_settings",
    "rendering",
    "shipping_details",
    "transfer_data",
)


@operation(
    "POST",
    "/v1/invoices",
    takes=(*CHANGES, "customer", "currency", "from_invoice", "pending_invoice_items_behavior", "subscription"),
)
def create(ctx: Context) -> Object:
    given = ctx.params
    if "from_invoice" in given:
        return _revise(ctx)
    if "customer" not in given:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    customer = ctx.get("customer", given["customer"], param="customer")
    ctx = on_clock(ctx, customer)
    subscription = None
    if "subscription" in given:
        subscription = ctx.get("subscription", given["subscription"], param="subscription")
    currency = str(given.get("currency") or customer["currency"] or "usd").lower()
    include = given.get("pending_invoice_items_behavior", "exclude") == "include" or subscription is not None
    items = pending(ctx, customer["id"], currency, given.get("subscription")) if include else []
    if include and given.get("currency") is None and not items:
        items, currency = _any_currency(ctx, customer, currency)
    if subscription is not None and not items:
        raise invalid("Nothing to invoice for subscription", code="invoice_no_subscription_line_items")
    invoice = new_invoice(
        ctx,
        customer=customer,
        currency=currency,
        reason="subscription_update" if subscription else "manual",
        lines=[line_of_item(ctx, item) for item in items],
        subscription=subscription,
        collection_method=given.get("collection_method", "charge_automatically"),
    )
    names = ("amount_tax_display", "template", "template_version")
    invoice["rendering"] = dict.fromkeys(names) | {"pdf": {"page_size": "auto"}}
    _apply(ctx, invoice)
    return collection.store(ctx, invoice, items)


@operation("GET", "/v1/invoices/{invoice}")
def retrieve(ctx: Context) -> Object:
    return ctx.get("invoice", ctx.path["invoice"])


@operation("POST", "/v1/invoices/{invoice}", takes=CHANGES)
def update(ctx: Context) -> Object:
    ctx, invoice = _mine(ctx)
    final = ctx.params.keys() - {"metadata", "auto_advance", "default_payment_method", "expand"}
    if invoice["status"] != "draft" and final:
        raise invalid("Finalized invoices can't be updated in this way", code="invoice_not_editable")
    _apply(ctx, invoice)
    collection.replan(ctx, invoice)
    ctx.updated("invoice.updated", invoice)
    return invoice


@operation("DELETE", "/v1/invoices/{invoice}")
def delete(ctx: Context) -> Object:
    ctx, invoice = _mine(ctx)
    if invoice["status"] != "draft" or invoice["_subscription"] is not None:
        raise invalid("You can only delete draft invoices that are not of a subscription.", code="invoice_not_editable")
    for item in list(ctx.tx.newest(ctx.account, "invoiceitem")):
        if item["invoice"] == invoice["id"]:
            ctx.delete(item)
    invoice["auto_advance"] = False
    collection.replan(ctx, invoice)
    ctx.emit("invoice.deleted", invoice)
    ctx.delete(invoice)
    return {"id": invoice["id"], "object": "invoice", "deleted": True}


@operation("GET", "/v1/invoices")
def list_all(ctx: Context) -> Object:
    given = ctx.params
    if "customer_account" in given:
        raise not_implemented("GET", "/v1/invoices with customer_account")

    def keep(invoice: Object) -> bool:
        same = all(
            invoice[name] == given[name] for name in ("collection_method", "customer", "status") if name in given
        )
        same = same and within(invoice["due_date"], given.get("due_date"))
        return same and ("subscription" not in given or invoice["_subscription"] == given["subscription"])

    return page(ctx, "invoice", "/v1/invoices", keep)


@operation("POST", "/v1/invoices/{invoice}/finalize")
def finalize(ctx: Context) -> Object:
    ctx, invoice = _mine(ctx)
    invoice = collection.finalize(ctx, invoice["id"], ctx.params.get("auto_advance"))
    if invoice["status"] == "open" and invoice["auto_advance"] and _automatic(invoice):
        # Stripe charges a finalised invoice that advances by itself about an hour later.
        invoice["next_payment_attempt"] = ctx.now + collection.HOUR
        collection.replan(ctx, invoice)
    return invoice


@operation(
    "POST",
    "/v1/invoices/{invoice}/pay",
    takes=("payment_method", "paid_out_of_band", "off_session", "forgive", "source"),
)
def pay(ctx: Context) -> Object:
    ctx, invoice = _mine(ctx)
    if invoice["status"] == "paid":
        raise invalid("Invoice is already paid", code="invoice_already_paid")
    if invoice["status"] == "void":
        raise invalid("You can't pay a voided invoice.", code="invoice_not_editable")
    if invoice["status"] == "draft":
        collection.finalize(ctx, invoice["id"])
    if invoice["status"] == "paid":
        return invoice
    if ctx.params.get("paid_out_of_band"):
        return collection.pay_elsewhere(ctx, invoice["id"])
    if ctx.params.get("forgive"):
        raise not_implemented("POST", "/v1/invoices/{invoice}/pay with forgive")
    chosen = ctx.params.get("payment_method")
    if ctx.params.get("source") is not None:
        chosen = own(ctx, invoice["customer"], ctx.params["source"], "source")
    collection.pay(ctx, invoice["id"], chosen)
    if invoice["status"] != "paid":
        raise collection.declined_error(ctx, invoice)
    return invoice


@operation("POST", "/v1/invoices/{invoice}/send")
def send(ctx: Context) -> Object:
    ctx, invoice = _mine(ctx)
    if invoice["collection_method"] != "send_invoice":
        raise invalid("You can only manually send an invoice if its collection method is 'send_invoice'.")
    if invoice["status"] == "draft":
        collection.finalize(ctx, invoice["id"])
    ctx.emit("invoice.sent", invoice)
    return invoice


@operation("POST", "/v1/invoices/{invoice}/attach_payment", takes=("payment_intent",))
def attach_payment(ctx: Context) -> Object:
    """Counts a payment that was made elsewhere than on the invoice."""
    ctx, invoice = _mine(ctx)
    if "payment_intent" not in ctx.params:
        raise invalid("Missing required param: payment_intent.", param="payment_intent", code="parameter_missing")
    if invoice["status"] not in {"open", "uncollectible"}:
        raise invalid("You can only attach payments to an open invoice.", code="invoice_not_editable")
    intent = ctx.get("payment_intent", ctx.params["payment_intent"], param="payment_intent")
    same = (intent["customer"], intent["currency"]) == (invoice["customer"], invoice["currency"])
    if not same or intent.get("_invoice") is not None:
        raise invalid("The payment must be the customer's, in the invoice's currency.", param="payment_intent")
    if intent["status"] != "succeeded":
        raise not_implemented("POST", "/v1/invoices/{invoice}/attach_payment of a payment that has not succeeded")
    return collection.count_payment(ctx, invoice, intent)


@operation("POST", "/v1/invoices/{invoice}/void")
def void(ctx: Context) -> Object:
    ctx, invoice = _mine(ctx)
    return collection.void(ctx, invoice["id"])


@operation("POST", "/v1/invoices/{invoice}/mark_uncollectible")
def mark_uncollectible(ctx: Context) -> Object:
    ctx, invoice = _mine(ctx)
    return collection.mark_uncollectible(ctx, invoice["id"], "user_forgiven")


@expandable("invoice", "payments")
def payments(ctx: Context, invoice: Object) -> Object:
    found = [public(payment) for payment in collection.payments_of(ctx, invoice["id"])]
    return {"object": "list", "data": found[:10], "has_more": len(found) > 10, "url": "/v1/invoices/payments"}


@expandable("invoice", "confirmation_secret")
def confirmation_secret(ctx: Context, invoice: Object) -> Object | None:
    stored = ctx.tx.get(ctx.account, "invoice", invoice["id"])
    intent = stored and collection.payment_intent_of(ctx, stored)
    return intent and {"client_secret": intent["client_secret"], "type": "payment_intent"}


def _mine(ctx: Context) -> tuple[Context, Object]:
    invoice = ctx.edit("invoice", ctx.path["invoice"])
    return on_clock(ctx, invoice), invoice


def _automatic(invoice: Object) -> bool:
    return bool(invoice["collection_method"] == "charge_automatically")


def _any_currency(ctx: Context, customer: Object, currency: str) -> tuple[list[Object], str]:
    for item in ctx.tx.newest(ctx.account, "invoiceitem"):
        if item["customer"] == customer["id"] and item["invoice"] is None and customer["currency"] is None:
            return pending(ctx, customer["id"], item["currency"], None), item["currency"]
    return [], currency


def _revise(ctx: Context) -> Object:
    """`from_invoice`: a draft with the lines of an open invoice, which takes its place when it is finalised."""
    given = ctx.params
    for name in sorted(given.keys() - {"expand", "from_invoice", "metadata", "description"}):
        raise invalid(f"You cannot pass `{name}` when revising an invoice.", param=name)
    original = ctx.get("invoice", given["from_invoice"]["invoice"], param="from_invoice[invoice]")
    if original["status"] not in {"open", "uncollectible"} or original["latest_revision"] is not None:
        message = "You can only revise an open or uncollectible invoice, and only once."
        raise invalid(message, param="from_invoice[invoice]")
    customer = ctx.get("customer", original["customer"])
    ctx = on_clock(ctx, customer)
    invoice = new_invoice(
        ctx,
        customer=customer,
        currency=original["currency"],
        reason="manual",
        lines=[copy(line) | {"id": ctx.new_id("il")} for line in original["_lines"]],
        collection_method=original["collection_method"],
        days_until_due=original["_days_until_due"],
    )
    for name in ("custom_fields", "default_tax_rates", "description", "discounts", "footer", "rendering", "_discounts"):
        invoice[name] = copy({"value": original[name]})["value"]
    invoice["from_invoice"] = {"action": "revision", "invoice": original["id"]}
    _apply(ctx, invoice)
    add_up(ctx, invoice)
    return collection.store(ctx, invoice, [])


def _apply(ctx: Context, invoice: Object) -> None:
    given = ctx.params
    dress(ctx, invoice)
    if "automatic_tax" in given:
        invoice["automatic_tax"] = of_invoice(given["automatic_tax"], ctx.get("customer", invoice["customer"]))
    assign(invoice, ctx, (*PLAIN, "auto_advance", "automatically_finalizes_at", "collection_method"))
    merge_metadata(invoice, ctx)
    if "application_fee_amount" in given:
        invoice["_fee"] = given["application_fee_amount"]
    if "days_until_due" in given:
        invoice["_days_until_due"] = given["days_until_due"]
    sent = invoice["collection_method"] == "send_invoice"
    if sent and invoice["due_date"] is None and invoice["_days_until_due"] is None:
        raise invalid("You must provide either days_until_due or due_date.", param="days_until_due")
    if not sent and ("days_until_due" in given or "due_date" in given):
        raise invalid("You can only set a due date if `collection_method=send_invoice`.", param="days_until_due")
    _methods(ctx, invoice)
    if "default_tax_rates" in given:
        invoice["default_tax_rates"] = taxes.rates_of(ctx, given["default_tax_rates"], "default_tax_rates")
    if "discounts" in given:
        made = discounts.make(ctx, given["discounts"], customer=invoice["customer"], invoice=invoice["id"])
        invoice |= {"discounts": [one["id"] for one in made], "_discounts": made}
    if invoice["status"] == "draft":
        if invoice["auto_advance"] and invoice["automatically_finalizes_at"] is None:
            invoice["automatically_finalizes_at"] = ctx.now + collection.HOUR
        add_up(ctx, invoice)


def _methods(ctx: Context, invoice: Object) -> None:
    given = ctx.params
    if given.get("default_payment_method"):
        method = ctx.get("payment_method", given["default_payment_method"], param="default_payment_method")
        if method["customer"] != invoice["customer"]:
            raise invalid("The customer does not have a payment method with this ID.", param="default_payment_method")
    assign(invoice, ctx, ("default_payment_method",))
    if "default_source" in given:
        source = given["default_source"]
        invoice["default_source"] = source and own(ctx, invoice["customer"], source, "default_source")
