"""The life of an invoice: stored, finalised, paid, retried, voided, given up."""

from collections.abc import Callable

from sandbox.billing.cards import DECLINES
from sandbox.context import Context
from sandbox.errors import StripeError, invalid
from sandbox.invoicing.automatic_tax import check_finalization
from sandbox.invoicing.invoice import add_up, application_fee, transfer
from sandbox.paying import intents as payment_intents
from sandbox.paying import options
from sandbox.planning import plan
from sandbox.resources import customer_balances
from sandbox.store import Object

HOUR = 3600
DAY = 24 * HOUR
# Days to the next attempt after the first, second and third failed one; after that, none.
RETRY_DAYS = (3, 5, 7)
DESCRIPTIONS = {
    "subscription_create": "Subscription creation",
    "subscription_cycle": "Subscription update",
    "subscription_update": "Subscription update",
}
CLOSED = frozenset({"paid", "void"})
Watcher = Callable[[Context, Object, str], None]

_watchers: list[Watcher] = []


def watch(watcher: Watcher) -> Watcher:
    """Registers a function that hears what became of an invoice: paid, failed, exhausted, uncollectible, overdue."""
    _watchers.append(watcher)
    return watcher


def tell(ctx: Context, invoice: Object, what: str) -> None:
    for watcher in _watchers:
        watcher(ctx, invoice, what)


def store(ctx: Context, invoice: Object, items: list[Object], *, finalize_later: bool = False) -> Object:
    """Keep the draft, take the pending items onto it, and tell of it."""
    for item in items:
        ctx.tx.edit(ctx.account, "invoiceitem", item["id"])["invoice"] = invoice["id"]
    if finalize_later:
        invoice["automatically_finalizes_at"] = ctx.now + HOUR
    ctx.insert(invoice)
    _set_currency(ctx, invoice)
    replan(ctx, invoice)
    ctx.emit("invoice.created", invoice)
    return invoice


def replan(ctx: Context, invoice: Object) -> None:
    """Plan the next thing that the invoice does by itself."""
    at = None
    if invoice["status"] == "draft" and invoice["auto_advance"]:
        at = invoice["automatically_finalizes_at"]
    elif invoice["status"] == "open":
        at = invoice["next_payment_attempt"]
        if at is None and invoice["collection_method"] == "send_invoice" and not invoice.get("_overdue"):
            at = invoice["due_date"]
    plan(ctx, invoice, at)


def finalize(ctx: Context, invoice_id: str, auto_advance: bool | None = None) -> Object:
    """draft → open, with its number and its payment intent; what costs nothing is paid at once."""
    invoice = ctx.edit("invoice", invoice_id)
    if invoice["status"] != "draft":
        raise invalid(
            "This invoice is already finalized, you can't re-finalize a non-draft invoice.",
            code="invoice_not_editable",
        )
    customer = ctx.edit("customer", invoice["customer"])
    check_finalization(invoice, customer)
    invoice["starting_balance"] = customer["balance"]
    left = add_up(ctx, invoice)
    sequence = customer["next_invoice_sequence"]
    customer |= {"balance": left, "next_invoice_sequence": sequence + 1}
    if moved := left - invoice["starting_balance"]:
        small = invoice["amount_due"] == 0 and invoice["total"] > 0 and moved > 0 and left > 0
        kind = "invoice_too_small" if small else "applied_to_invoice"
        customer_balances.record(ctx, customer, moved, kind, currency=invoice["currency"], invoice=invoice["id"])
    page = f"{ctx.config.public_url}/i/{ctx.account}/{invoice['id']}"
    invoice |= {
        "auto_advance": invoice["auto_advance"] if auto_advance is None else auto_advance,
        "automatically_finalizes_at": None,
        "effective_at": invoice["effective_at"] or ctx.now,
        "ending_balance": left,
        "hosted_invoice_url": page,
        "invoice_pdf": page + "/pdf",
        "number": invoice["number"] or f"{customer['invoice_prefix']}-{sequence:04d}",
        "status": "open",
    }
    invoice["status_transitions"]["finalized_at"] = ctx.now
    if invoice["from_invoice"] is not None:
        original = void(ctx, invoice["from_invoice"]["invoice"])
        original["latest_revision"] = invoice["id"]
    if invoice["rendering"] is not None and invoice["rendering"]["pdf"]["page_size"] == "auto":
        size = "letter" if invoice["account_country"] in {"CA", "US"} else "a4"
        invoice["rendering"] = invoice["rendering"] | {"pdf": {"page_size": size}}
    if invoice["collection_method"] == "send_invoice" and invoice["due_date"] is None:
        invoice["due_date"] = ctx.now + (invoice["_days_until_due"] or 0) * DAY
    if invoice["amount_due"]:
        _open_payment(ctx, invoice)
    replan(ctx, invoice)
    ctx.emit("invoice.finalized", invoice)
    ctx.updated("customer.updated", customer)
    if not invoice["amount_due"]:
        _paid(ctx, invoice)
    return invoice


def finalize_paid(ctx: Context, invoice_id: str, intent: Object) -> None:
    """Finalise a draft that a payment, made before, pays as its own."""
    invoice = ctx.edit("invoice", invoice_id)
    invoice["_paid_by"] = intent["id"]
    finalize(ctx, invoice_id)
    settle(ctx, ctx.edit("payment_intent", intent["id"]))


def pay(ctx: Context, invoice_id: str, payment_method: str | None = None, *, automatic: bool = False) -> Object:
    """Try to take the money; a decline is in the invoice's state, `payment_intent_of` has the reason."""
    invoice = ctx.edit("invoice", invoice_id)
    chosen = payment_method or method_for(ctx, invoice)
    if chosen is None:
        if not automatic:
            raise no_payment_method()
        _failed(ctx, invoice, automatic=True)
        return invoice
    intent = payment_intent_of(ctx, invoice)
    if intent is None:
        raise invalid("This invoice has no payment intent to pay with.")
    invoice["_automatic"] = automatic
    intent = payment_intents.confirm(ctx, intent, chosen)
    if intent["status"] == "requires_action":
        _needs_action(ctx, invoice)
    return invoice


def pay_elsewhere(ctx: Context, invoice_id: str) -> Object:
    """Paid out of band: the invoice is settled without Stripe's payment."""
    invoice = ctx.edit("invoice", invoice_id)
    invoice["amount_paid_off_stripe"] = invoice["amount_remaining"]
    _cancel_payment(ctx, invoice)
    _paid(ctx, invoice)
    return invoice


def count_payment(ctx: Context, invoice: Object, intent: Object) -> Object:
    """A payment that was not made for this invoice pays it, whole or in part; what is too much is overpaid."""
    ctx.edit("payment_intent", intent["id"])["_invoice"] = invoice["id"]
    amount = min(intent["amount_received"], invoice["amount_remaining"])
    payment = _payment(ctx, invoice, intent, amount, default=False)
    payment |= {"amount_paid": amount, "status": "paid"}
    payment["status_transitions"]["paid_at"] = ctx.now
    invoice["amount_overpaid"] += intent["amount_received"] - amount
    invoice["amount_paid"] += amount
    invoice["amount_remaining"] -= amount
    ctx.emit("invoice_payment.paid", payment)
    if invoice["amount_remaining"]:
        ctx.edit("invoice_payment", invoice["_payment"])["amount_requested"] = invoice["amount_remaining"]
        ctx.edit("payment_intent", invoice["_payment_intent"])["amount"] = invoice["amount_remaining"]
        ctx.updated("invoice.updated", invoice)
    else:
        _cancel_payment(ctx, invoice)
        _paid(ctx, invoice)
    return invoice


def forgive(ctx: Context, invoice: Object) -> None:
    """Credit notes have left nothing to pay: the invoice is settled."""
    _cancel_payment(ctx, invoice)
    _paid(ctx, invoice)


def void(ctx: Context, invoice_id: str) -> Object:
    invoice = ctx.edit("invoice", invoice_id)
    _must_be(invoice, ("open", "uncollectible"), "void")
    invoice |= {"auto_advance": False, "next_payment_attempt": None, "status": "void"}
    invoice["status_transitions"]["voided_at"] = ctx.now
    _give_back(ctx, invoice)
    _cancel_payment(ctx, invoice)
    replan(ctx, invoice)
    ctx.emit("invoice.voided", invoice)
    return invoice


def mark_uncollectible(ctx: Context, invoice_id: str, reason: str) -> Object:
    invoice = ctx.edit("invoice", invoice_id)
    _must_be(invoice, ("open",), "mark as uncollectible")
    invoice |= {
        "auto_advance": False,
        "next_payment_attempt": None,
        "status": "uncollectible",
        "status_details": {"uncollectible": {"reason": reason}},
    }
    invoice["status_transitions"]["marked_uncollectible_at"] = ctx.now
    replan(ctx, invoice)
    ctx.emit("invoice.marked_uncollectible", invoice)
    tell(ctx, invoice, "uncollectible")
    return invoice


def stop_retries(ctx: Context, invoice_id: str) -> None:
    """What a cancelled subscription does to its open invoices: they stay open, and nobody tries again."""
    invoice = ctx.edit("invoice", invoice_id)
    invoice |= {"auto_advance": False, "next_payment_attempt": None}
    replan(ctx, invoice)
    ctx.updated("invoice.updated", invoice)


def method_for(ctx: Context, invoice: Object) -> str | None:
    """The invoice's own payment method, else the subscription's, else the customer's."""
    own: str | None = invoice["default_payment_method"] or invoice["default_source"]
    if own is not None:
        return own
    if invoice["_subscription"] is not None:
        subscription = ctx.get("subscription", invoice["_subscription"])
        own = subscription["default_payment_method"] or subscription["default_source"]
    return own or default_method(ctx.get("customer", invoice["customer"]))


def default_method(customer: Object) -> str | None:
    """What pays the customer's invoices where nothing else was chosen."""
    default: str | None = customer["invoice_settings"]["default_payment_method"] or customer["default_source"]
    return default


def payments_of(ctx: Context, invoice_id: str) -> list[Object]:
    """The invoice's payments, newest first."""
    return [found for found in ctx.tx.newest(ctx.account, "invoice_payment") if found["invoice"] == invoice_id]


def payment_intent_of(ctx: Context, invoice: Object) -> Object | None:
    """The intent of the invoice's own payment, also after it was paid."""
    found = invoice.get("_payment_intent")
    return None if found is None else ctx.get("payment_intent", found)


def declined_error(ctx: Context, invoice: Object) -> StripeError:
    """402 for an invoice whose payment did not succeed."""
    intent = payment_intent_of(ctx, invoice)
    if intent is not None and intent["status"] == "requires_action":
        return StripeError(
            402,
            "card_error",
            "Payment for this invoice requires additional user action before it can be completed successfully. "
            "Payment can be completed using the PaymentIntent associated with this invoice.",
            code="invoice_payment_intent_requires_action",
            keep=True,
        )
    words = dict((intent and intent["last_payment_error"]) or DECLINES["generic_decline"].error)
    more = {
        name: words[name] for name in ("charge", "decline_code", "advice_code", "network_decline_code") if name in words
    }
    return StripeError(402, "card_error", words["message"], code=words["code"], keep=True, **more)


def no_payment_method() -> StripeError:
    return invalid(
        "This customer has no attached payment source or default payment method. Please consider adding a default "
        "payment method. For more information, visit https://stripe.com/docs/billing/subscriptions/"
        "payment-methods-setting#payment-method-priority.",
        code="resource_missing",
    )


@payment_intents.watch
def settle(ctx: Context, intent: Object) -> None:
    """An intent came to its end, here or on a page: its invoice follows."""
    if intent.get("_invoice") is None or intent["status"] == "canceled":
        return
    invoice = ctx.edit("invoice", intent["_invoice"])
    if invoice["status"] in CLOSED:
        return
    if intent["status"] == "processing":
        invoice |= {"attempted": True, "next_payment_attempt": None}
        replan(ctx, invoice)
        tell(ctx, invoice, "processing")
        return
    if intent["status"] == "succeeded":
        payment = ctx.edit("invoice_payment", invoice["_payment"])
        payment |= {"amount_paid": intent["amount_received"], "status": "paid"}
        payment["status_transitions"]["paid_at"] = ctx.now
        invoice["amount_paid"] += intent["amount_received"]
        if not invoice["attempt_count"] or invoice.get("_automatic"):
            invoice["attempt_count"] += 1
        _paid(ctx, invoice)
        ctx.emit("invoice_payment.paid", payment)
    else:
        _failed(ctx, invoice, automatic=bool(invoice.get("_automatic")))


def _paid(ctx: Context, invoice: Object) -> None:
    invoice |= {
        "amount_remaining": 0,
        "attempted": True,
        "auto_advance": False,
        "next_payment_attempt": None,
        "status": "paid",
    }
    invoice["status_transitions"]["paid_at"] = ctx.now
    replan(ctx, invoice)
    ctx.emit("invoice.paid", invoice)
    ctx.emit("invoice.payment_succeeded", invoice)
    tell(ctx, invoice, "paid")


def _failed(ctx: Context, invoice: Object, *, automatic: bool) -> None:
    if automatic or not invoice["attempt_count"]:
        invoice["attempt_count"] += 1
    tries = invoice["attempt_count"]
    retried = invoice["auto_advance"] and invoice["billing_reason"] != "subscription_create"
    more = retried and tries <= len(RETRY_DAYS)
    if automatic or invoice["next_payment_attempt"] is None:
        invoice["next_payment_attempt"] = ctx.now + RETRY_DAYS[tries - 1] * DAY if more else None
    invoice["attempted"] = True
    replan(ctx, invoice)
    ctx.emit("invoice.payment_failed", invoice)
    tell(ctx, invoice, "exhausted" if retried and not more else "failed")


def _needs_action(ctx: Context, invoice: Object) -> None:
    invoice |= {"attempted": True, "next_payment_attempt": None}
    replan(ctx, invoice)
    ctx.emit("invoice.payment_failed", invoice)
    ctx.emit("invoice.payment_action_required", invoice)
    tell(ctx, invoice, "failed")


def _open_payment(ctx: Context, invoice: Object) -> None:
    if invoice.get("_paid_by") is not None:
        intent = ctx.edit("payment_intent", invoice["_paid_by"])
        intent["_invoice"] = invoice["id"]
    else:
        intent = _new_intent(ctx, invoice)
    payment = _payment(ctx, invoice, intent, invoice["amount_due"], default=True)
    invoice |= {"_payment": payment["id"], "_payment_intent": intent["id"]}


def _new_intent(ctx: Context, invoice: Object) -> Object:
    card = (invoice["payment_settings"]["payment_method_options"] or {}).get("card")
    wanted = None if card is None else {"card": card}
    return payment_intents.create_payment_intent(
        ctx,
        amount=invoice["amount_due"],
        currency=invoice["currency"],
        customer=invoice["customer"],
        description=DESCRIPTIONS.get(invoice["billing_reason"], f"Payment for Invoice {invoice['number']}"),
        application_fee_amount=application_fee(invoice),
        on_behalf_of=invoice["on_behalf_of"],
        transfer_data=transfer(invoice),
        setup_future_usage=None if invoice["_subscription"] is None else "off_session",
        payment_details={"customer_reference": None, "order_reference": invoice["id"]},
        _invoice=invoice["id"],
        prepare=lambda _, intent: options.put_options(intent, wanted, "/v1/invoices"),
    )


def _payment(ctx: Context, invoice: Object, intent: Object, amount: int, *, default: bool) -> Object:
    return ctx.insert(
        {
            "id": ctx.new_id("inpay"),
            "object": "invoice_payment",
            "amount_paid": None,
            "amount_requested": amount,
            "created": ctx.now,
            "currency": invoice["currency"],
            "invoice": invoice["id"],
            "is_default": default,
            "livemode": False,
            "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
            "status": "open",
            "status_transitions": {"canceled_at": None, "paid_at": None},
        }
    )


def _cancel_payment(ctx: Context, invoice: Object) -> None:
    intent = payment_intent_of(ctx, invoice)
    if intent is None:
        return
    payment = ctx.edit("invoice_payment", invoice["_payment"])
    payment["status"] = "canceled"
    payment["status_transitions"]["canceled_at"] = ctx.now
    payment_intents.cancel(ctx, intent, "void_invoice")


def _give_back(ctx: Context, invoice: Object) -> None:
    """A voided invoice returns what it took from the customer's balance."""
    customer = ctx.edit("customer", invoice["customer"])
    back = invoice["starting_balance"] - invoice["ending_balance"]
    if not back:
        return
    customer["balance"] += back
    kind = "unapplied_from_invoice"
    customer_balances.record(ctx, customer, back, kind, currency=invoice["currency"], invoice=invoice["id"])
    ctx.updated("customer.updated", customer)


def _set_currency(ctx: Context, invoice: Object) -> None:
    if ctx.get("customer", invoice["customer"])["currency"] is None:
        customer = ctx.edit("customer", invoice["customer"])
        customer["currency"] = invoice["currency"]
        ctx.updated("customer.updated", customer)


def _must_be(invoice: Object, states: tuple[str, ...], verb: str) -> None:
    if invoice["status"] not in states:
        message = f"You can only {verb} an invoice that is {' or '.join(states)}; this one is {invoice['status']}."
        raise invalid(message, code="invoice_not_editable")
