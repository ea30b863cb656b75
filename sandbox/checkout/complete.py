"""What completing a Checkout session creates: customer, payment method, payment or subscription, event.

A card that wants 3-D Secure is asked about before anything is created, so that a customer who turns away
leaves nothing behind but the payment method.
"""

from dataclasses import dataclass

from sandbox.billing import cards
from sandbox.calls import call
from sandbox.checkout.session import KIND, customer_details
from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.invoicing import collection
from sandbox.paying import intents as payment_intents
from sandbox.paying import methods as payment_methods
from sandbox.paying import options
from sandbox.resources import setup_intents
from sandbox.store import Object

PATH = "/v1/checkout/sessions"
SUBSCRIPTION_DATA = (
    "application_fee_percent", "billing_cycle_anchor", "billing_cycle_anchor_config", "billing_mode",
    "default_tax_rates", "description", "invoice_settings", "metadata", "on_behalf_of",
    "pending_invoice_item_interval", "proration_behavior", "transfer_data", "trial_end", "trial_period_days",
    "trial_settings",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Card:
    """A card as it was typed; its number and CVC are never stored."""

    number: str
    exp_month: int
    exp_year: int
    cvc: str


@dataclass(frozen=True, slots=True)
class Buyer:
    """Who fills in the page."""

    email: str
    name: str | None


def needs_payment_method(session: Object) -> bool:
    """Nothing due and `payment_method_collection=if_required`: no card is asked for."""
    return not (session["payment_method_collection"] == "if_required" and session["amount_total"] == 0)


def add_card(ctx: Context, buyer: Buyer, card: Card) -> Object:
    """The payment method of a typed card; raises 402 where the number or the date can't be right."""
    if not (card.cvc.isdecimal() and 3 <= len(card.cvc) <= 4):
        raise invalid("Your card's security code is incomplete.", param="card[cvc]", code="incomplete_cvc")
    return call(
        ctx,
        "POST",
        "/v1/payment_methods",
        type="card",
        card={"number": card.number, "exp_month": card.exp_month, "exp_year": card.exp_year, "cvc": card.cvc},
        billing_details={"email": buyer.email or None, "name": buyer.name},
    )


def wants_authentication(payment_method: Object) -> bool:
    """Whether the bank asks the customer before it pays."""
    return cards.outcome(payment_method).result is cards.Result.REQUIRES_ACTION


def ask_for_authentication(ctx: Context, session_id: str, buyer: Buyer, payment_method: Object) -> None:
    """Remember who is being asked; `complete_pending` goes on from there."""
    session = ctx.edit(KIND, session_id)
    session["_pending"] = {"email": buyer.email, "name": buyer.name, "payment_method": payment_method["id"]}


def forget_pending(ctx: Context, session_id: str) -> None:
    """The customer did not authenticate: the session stays open for another card."""
    ctx.edit(KIND, session_id)["_pending"] = None


def complete_pending(ctx: Context, session_id: str) -> Object:
    """Go on after a successful authentication."""
    session = ctx.get(KIND, session_id)
    pending = session["_pending"]
    if pending is None:
        raise invalid("This session is not waiting for authentication.")
    payment_method = ctx.get("payment_method", pending["payment_method"])
    return complete(ctx, session_id, Buyer(pending["email"], pending["name"]), payment_method)


def complete(ctx: Context, session_id: str, buyer: Buyer, payment_method: Object | None) -> Object:
    """Pay, subscribe or save the card, and close the session; a decline raises 402."""
    session = ctx.edit(KIND, session_id)
    if session["status"] != "open":
        raise invalid(f"This Checkout Session has a status of `{session['status']}`.")
    _take_customer(ctx, session, buyer)
    perform = {"payment": _pay, "setup": _set_up, "subscription": _subscribe}[session["mode"]]
    perform(ctx, session, payment_method)
    session |= {
        "customer_details": customer_details(buyer.email, buyer.name),
        # the tax of an account without registrations is nothing, wherever the buyer is
        "automatic_tax": session["automatic_tax"]
        | ({"status": "complete"} if session["automatic_tax"]["enabled"] else {}),
        "status": "complete",
        "url": None,
        "_pending": None,
    }
    ctx.emit("checkout.session.completed", session)
    return session


def _take_customer(ctx: Context, session: Object, buyer: Buyer) -> None:
    if session["customer"] is None and session["customer_creation"] == "always":
        made = call(ctx, "POST", "/v1/customers", email=buyer.email, name=buyer.name)
        session["customer"] = made["id"]


def _attach(ctx: Context, session: Object, payment_method: Object | None) -> str | None:
    if payment_method is None:
        return None
    if session["customer"] is not None:
        payment_methods.attach(ctx, payment_method, session["customer"])
    return str(payment_method["id"])


def _pay(ctx: Context, session: Object, payment_method: Object | None) -> None:
    if payment_method is None:  # a discount of 100%
        session["payment_status"] = "no_payment_required"
        return
    data = session["_data"]["payment_intent"]
    if session["payment_intent"] is None:
        intent = payment_intents.create_payment_intent(
            ctx,
            amount=session["amount_total"],
            currency=session["currency"],
            customer=session["customer"],
            capture_method=data.get("capture_method", "automatic_async"),
            prepare=lambda _, made: options.put_options(made, session["payment_method_options"], PATH),
            **{name: value for name, value in data.items() if name != "capture_method"},
        )
        session["payment_intent"] = intent["id"]
    intent = ctx.get("payment_intent", session["payment_intent"])
    intent = payment_intents.confirm(ctx, intent, payment_method["id"])
    if intent["status"] == "requires_action":
        intent = payment_intents.authenticate(ctx, intent)
    if intent["last_payment_error"] is not None:
        raise payment_intents.payment_error(intent)
    session["payment_status"] = "unpaid" if intent["status"] == "requires_capture" else "paid"
    if (session["invoice_creation"] or {}).get("enabled") and intent["status"] == "succeeded":
        session["invoice"] = _invoice(ctx, session, intent)


def _invoice(ctx: Context, session: Object, intent: Object) -> str:
    """`invoice_creation`: the invoice of what was bought, paid by the session's own payment."""
    data = session["invoice_creation"]["invoice_data"]
    rendering = data["rendering_options"] or {}
    invoice = call(
        ctx,
        "POST",
        "/v1/invoices",
        customer=session["customer"],
        currency=session["currency"],
        discounts=[_discount(one) for one in session["discounts"]] or None,
        rendering={name: value for name, value in rendering.items() if value is not None} or None,
        **{name: data[name] for name in ("custom_fields", "description", "footer", "issuer", "metadata")},
    )
    for line in session["_lines"]:
        call(
            ctx,
            "POST",
            "/v1/invoiceitems",
            customer=session["customer"],
            invoice=invoice["id"],
            pricing={"price": line["price"]},
            quantity=line["quantity"],
            description=line["description"],
        )
    collection.finalize_paid(ctx, invoice["id"], intent)
    return str(invoice["id"])


def _set_up(ctx: Context, session: Object, payment_method: Object | None) -> None:
    assert payment_method is not None  # setup mode always asks for a card
    data = session["_data"]["setup_intent"]
    intent = setup_intents.create_setup_intent(
        ctx,
        customer=session["customer"],
        payment_method=payment_method["id"],
        description=data.get("description"),
        metadata=data.get("metadata"),
    )
    intent = setup_intents.confirm(ctx, intent)
    if intent["status"] == "requires_action":
        intent = setup_intents.authenticate(ctx, intent)
    if intent["last_setup_error"] is not None:
        raise setup_intents.setup_error(intent)
    session["setup_intent"] = intent["id"]


def _subscribe(ctx: Context, session: Object, payment_method: Object | None) -> None:
    """Stripe makes a subscription only when its first payment has gone through."""
    method_id = _attach(ctx, session, payment_method)
    recurring, once = _split_lines(ctx, session)
    data = session["_data"]["subscription"]
    asked = payment_method is not None and wants_authentication(payment_method)
    subscription = call(
        ctx,
        "POST",
        "/v1/subscriptions",
        customer=session["customer"],
        items=recurring,
        add_invoice_items=once or None,
        default_payment_method=method_id,
        discounts=[_discount(one) for one in session["discounts"]] or None,
        payment_behavior="allow_incomplete" if asked else "error_if_incomplete",
        **{name: data.get(name) for name in SUBSCRIPTION_DATA},
    )
    if subscription["status"] == "incomplete":
        subscription = _authenticate_first_payment(ctx, subscription)
    session["subscription"] = subscription["id"]
    session["invoice"] = subscription["latest_invoice"]
    session["payment_status"] = "paid" if session["amount_total"] else "no_payment_required"


def _authenticate_first_payment(ctx: Context, subscription: Object) -> Object:
    for payment in ctx.tx.newest(ctx.account, "invoice_payment"):
        if payment["invoice"] == subscription["latest_invoice"]:
            intent = ctx.get("payment_intent", payment["payment"]["payment_intent"])
            payment_intents.authenticate(ctx, intent)
            return ctx.get("subscription", subscription["id"])
    raise AssertionError("an incomplete subscription has a payment that waits")


def _split_lines(ctx: Context, session: Object) -> tuple[list[Object], list[Object]]:
    recurring: list[Object] = []
    once: list[Object] = []
    for line in session["_lines"]:
        item: Object = {"price": line["price"]}
        if line["quantity"] is not None:
            item["quantity"] = line["quantity"]
        (recurring if ctx.get("price", line["price"])["type"] == "recurring" else once).append(item)
    return recurring, once


def _discount(given: Object) -> Object:
    code = given["promotion_code"]
    return {"promotion_code": code} if code is not None else {"coupon": given["coupon"]}
