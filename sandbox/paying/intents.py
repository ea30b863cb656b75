"""The way of a payment intent: made, confirmed, authenticated, settled; by the API, invoices and hosted pages."""

from collections.abc import Callable
from typing import Any

from sandbox.billing import amounts, cards
from sandbox.context import Context, public
from sandbox.errors import DOCS, StripeError, declined, invalid
from sandbox.ids import letters
from sandbox.paying import charging, options, transfers
from sandbox.paying import methods as payment_methods
from sandbox.paying.accounts import mandate
from sandbox.planning import on_clock, plan
from sandbox.resources import accounts
from sandbox.store import Object

Watcher = Callable[[Context, Object], None]
OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
PLAIN = (
    "application_fee_amount",
    "description",
    "receipt_email",
    "setup_future_usage",
    "shipping",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_group",
)
# How Stripe calls what can't be done, and in which states it can.
DONE = {
    "cancel": ("canceled", ("requires_payment_method", "requires_capture", "requires_confirmation", "requires_action",
                            "processing")),
    "capture": ("captured", ("requires_capture",)),
}  # fmt: skip

_watchers: list[Watcher] = []


def watch(watcher: Watcher) -> Watcher:
    """Registers a function that hears of every intent that has succeeded, failed or been cancelled.

    It is called inside the same transaction, after the intent's own event; invoices listen here, so that a
    payment that is completed later, on a page, also pays its invoice.
    """
    _watchers.append(watcher)
    return watcher


def create_payment_intent(
    ctx: Context,
    *,
    amount: int,
    currency: str,
    customer: str | None = None,
    payment_method: str | None = None,
    confirm: bool = False,
    off_session: bool = False,
    metadata: Object | None = None,
    description: str | None = None,
    capture_method: str = "automatic",
    automatic_payment_methods: Object | None = None,
    return_url: str | None = None,
    prepare: Callable[[Context, Object], None] | None = None,
    **more: Any,
) -> Object:
    """A new intent, confirmed at once if asked; a decline is in its state, and raises nothing.

    `more` are other fields, such as those in PLAIN; `prepare` changes the intent before it is told of. Raise
    `payment_error(intent)` where a decline must be answered with 402.
    """
    intent = _blank(
        ctx,
        {
            "amount": amount,
            "automatic_payment_methods": automatic_payment_methods,
            "capture_method": capture_method,
            "currency": currency.lower(),
            "customer": customer,
            "description": description,
            "metadata": dict(metadata or {}),
            **more,
        },
    )
    check(ctx, intent)
    if customer is not None:
        ctx.get("customer", customer, param="customer")
    ctx.insert(intent)
    if prepare is not None:
        prepare(ctx, intent)
    if payment_method is not None:
        choose(ctx, intent, payment_method)
    ctx.emit("payment_intent.created", intent)
    return attempt(ctx, intent, off_session, return_url) if confirm else intent


def confirm(
    ctx: Context,
    intent: Object,
    payment_method: str | None = None,
    *,
    off_session: bool = False,
    return_url: str | None = None,
) -> Object:
    """Try to take the money: succeeded, requires_capture, requires_action or, declined, back at the start."""
    draft = ctx.edit("payment_intent", intent["id"])
    if draft["status"] not in OPEN:
        raise unexpected(draft, "confirm")
    if payment_method is not None:
        choose(ctx, draft, payment_method)
    return attempt(ctx, draft, off_session, return_url)


def clear(ctx: Context, intent_id: str) -> None:
    """The bank's answer to a debit has come: the intent that was processing succeeds or fails."""
    draft = ctx.edit("payment_intent", intent_id)
    plan(ctx, draft, None)
    if draft["status"] != "processing":
        return
    if draft["customer"] is not None:
        customer = ctx.get("customer", draft["customer"])
        clock = customer.get("test_clock")
        if clock is not None and ctx.get("test_helpers.test_clock", clock)["status"] == "advancing":
            plan(ctx, draft, ctx.now + 1)
            return
        ctx = on_clock(ctx, customer)
    method = ctx.get("payment_method", draft["payment_method"])
    outcome = cards.debited(method)
    charging.clear(ctx, draft["latest_charge"], outcome)
    if outcome.result is cards.Result.DECLINED:
        _fail(ctx, draft, method, {"charge": draft["latest_charge"], **outcome.error})
        return
    draft |= {"amount_received": draft["amount"], "status": "succeeded"}
    settle(ctx, "payment_intent.succeeded", draft)


def authenticate(ctx: Context, intent: Object, *, success: bool = True) -> Object:
    """What the customer's bank reports after requires_action, whether authenticated or not."""
    draft = ctx.edit("payment_intent", intent["id"])
    if draft["status"] != "requires_action":
        raise unexpected(draft, "authenticate")
    found = ctx.get("payment_method", draft["payment_method"])
    draft["next_action"] = None
    if success and draft["confirmation_method"] == "manual":
        # The server must confirm it again; the bank will not ask twice.
        draft |= {"status": "requires_confirmation", "_confirmed": True}
        return draft
    if success:
        return _attempt(ctx, draft, found, cards.outcome(found, authenticated=True))
    error = {
        "code": "payment_intent_authentication_failure",
        "message": "We are unable to authenticate your payment method. "
        "Please choose a different payment method and try again.",
    }
    return _fail(ctx, draft, found, error, kind="invalid_request_error")


def cancel(ctx: Context, intent: Object, reason: str | None = None) -> Object:
    """Stop an intent that has not succeeded; an authorised charge is given back."""
    draft = ctx.edit("payment_intent", intent["id"])
    if draft["status"] not in (*OPEN, "requires_capture"):
        raise unexpected(draft, "cancel")
    if draft["status"] == "requires_capture":
        charging.release(ctx, draft["latest_charge"])
    draft |= {
        "amount_capturable": 0,
        "canceled_at": ctx.now,
        "cancellation_reason": reason,
        "next_action": None,
        "status": "canceled",
    }
    return settle(ctx, "payment_intent.canceled", draft)


def payment_error(intent: Object) -> StripeError:
    """402 for the last failure of an intent; what was stored of the attempt is kept."""
    words = {name: value for name, value in intent["last_payment_error"].items() if name not in {"type", "doc_url"}}
    return declined(words, payment_intent=public(intent))


def _blank(ctx: Context, given: Object) -> Object:
    """An intent that nothing has happened to."""
    intent_id = ctx.new_id("pi")
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": ctx.application,
        "canceled_at": None,
        "cancellation_reason": None,
        "client_secret": f"{intent_id}_secret_{letters(f'secret:{ctx.config.seed}:{intent_id}', 25)}",
        "confirmation_method": "automatic",
        "created": ctx.now,
        "customer_account": None,
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "managed_payments": {"enabled": False},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": dict(options.CARD)},
        "payment_method_types": ["card"],
        "processing": None,
        "review": None,
        "source": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        **dict.fromkeys(PLAIN),
        **given,
    }


def attempt(
    ctx: Context, draft: Object, off_session: bool, return_url: str | None, *, in_sdk: bool = False, once: bool = False
) -> Object:
    """Confirm a draft with what stands on it.

    `off_session`: the customer can't be asked, so that a card that wants authentication is declined. `in_sdk`: the
    app does what comes next, not a redirect. `once`: the customer is there for this payment, so that a card that
    was set up asks all the same.
    """
    if draft["payment_method"] is None:
        raise invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update "
            "the PaymentIntent with a payment method and then confirm it again, or confirm it again directly "
            "with a payment method.",
            code="payment_intent_unexpected_state",
        )
    accounts.require_charges(ctx)
    found = ctx.get("payment_method", draft["payment_method"])
    draft |= {"last_payment_error": None, "next_action": None}
    confirmed = bool(draft.pop("_confirmed", False))
    asked = options.wants_three_d_secure(draft)
    outcome = cards.outcome(found, authenticated=confirmed, present=once and not off_session, asked=asked)
    if outcome.result is cards.Result.PROCESSING:
        _require_mandate(ctx, draft, found)
    if outcome.result is not cards.Result.REQUIRES_ACTION:
        return _attempt(ctx, draft, found, outcome, confirmed=confirmed)
    if off_session:
        return _attempt(ctx, draft, found, cards.AUTHENTICATION_REQUIRED)
    url = f"{ctx.config.public_url}/authenticate/{ctx.account}/{draft['id']}"
    if return_url is None or in_sdk:
        action = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url},
        }
    else:
        action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
    draft |= {"next_action": action, "status": "requires_action"}
    ctx.emit("payment_intent.requires_action", draft)
    return draft


def _require_mandate(ctx: Context, draft: Object, method: Object) -> None:
    """A debit needs the mandate that was given now, or when the account was set up."""
    options.check_verified(draft, method)
    accepted = options.acceptance(ctx, draft)
    if accepted is not None:
        mandate(ctx, method, accepted)
    elif method["_mandate"] is None:
        raise options.no_mandate(draft)


def _attempt(
    ctx: Context, draft: Object, payment_method: Object, outcome: cards.Outcome, *, confirmed: bool = False
) -> Object:
    was_action = confirmed or draft["status"] == "requires_action"
    charge = charging.make(ctx, draft, payment_method, outcome)
    draft["latest_charge"] = charge["id"]
    if outcome.result is cards.Result.DECLINED:
        return _fail(ctx, draft, payment_method, {"charge": charge["id"], **outcome.error})
    if draft["customer"] is not None and options.saves(draft, payment_method):
        payment_methods.attach(ctx, payment_method, draft["customer"])
    used = ctx.edit("payment_method", payment_method["id"])
    used |= {"_authenticated": used["_authenticated"] or was_action, "_spent": True}
    if outcome.result is cards.Result.PROCESSING:
        draft["status"] = "processing"
        plan(ctx, draft, int(ctx.config.clock()) + 2)  # at least a whole second
        ctx.emit("payment_intent.processing", draft)
        _tell(ctx, draft)
        return draft
    if options.holds(draft):
        draft |= {"amount_capturable": draft["amount"], "status": "requires_capture"}
        ctx.emit("payment_intent.amount_capturable_updated", draft)
        return draft
    draft |= {"amount_received": draft["amount"], "status": "succeeded"}
    return settle(ctx, "payment_intent.succeeded", draft)


def _fail(ctx: Context, draft: Object, payment_method: Object, words: Object, kind: str = "card_error") -> Object:
    draft |= {
        "last_payment_error": {
            **words,
            "doc_url": DOCS + words["code"].replace("_", "-"),
            "payment_method": public(payment_method),
            "type": kind,
        },
        "payment_method": None,
        "status": "requires_payment_method",
    }
    return settle(ctx, "payment_intent.payment_failed", draft)


def settle(ctx: Context, event: str, intent: Object) -> Object:
    """Tell of the intent's end, by its event and to those who wait for it."""
    ctx.emit(event, intent)
    _tell(ctx, intent)
    return intent


def _tell(ctx: Context, intent: Object) -> None:
    for watcher in _watchers:
        watcher(ctx, intent)


def choose(ctx: Context, draft: Object, payment_method: str | Object) -> None:
    """Put the payment method on the intent, if it may be used there."""
    found = payment_methods.resolve(ctx, payment_method) if isinstance(payment_method, str) else payment_method
    options.check_kind(draft, found)
    owner = found["customer"]
    if owner is not None and owner != draft["customer"]:
        hint = (
            "Please include the Customer in the `customer` parameter on the PaymentIntent."
            if draft["customer"] is None
            else f"You cannot use it with the Customer {draft['customer']}."
        )
        message = f"The provided PaymentMethod ({found['id']}) belongs to the Customer {owner}. {hint}"
        raise invalid(message, param="payment_method")
    draft |= {"payment_method": found["id"], "status": "requires_confirmation", "next_action": None}


def check(ctx: Context, intent: Object) -> None:
    """The amounts, and who gets them."""
    amount = amounts.check(intent["amount"], intent["currency"])
    transfers.check(ctx, intent)
    fee = intent["application_fee_amount"]
    if fee is not None and not 0 <= fee <= amount:
        raise invalid("Your application fee cannot exceed the amount.", param="application_fee_amount")


def unexpected(intent: Object, verb: str) -> StripeError:
    """400 for what can't be done in the intent's state."""
    status = intent["status"]
    if verb == "confirm" and status == "succeeded":
        message = "You cannot confirm this PaymentIntent because it has already succeeded after being previously "
        message += "confirmed."
    elif verb == "capture":
        message = f"This PaymentIntent could not be captured because it has a status of {status}."
    else:
        message = f"You cannot {verb} this PaymentIntent because it has a status of {status}."
    if verb in DONE:
        done, states = DONE[verb]
        message += f" Only a PaymentIntent with one of the following statuses may be {done}: {', '.join(states)}."
    error = invalid(message, code="payment_intent_unexpected_state")
    error.error["payment_intent"] = public(intent)
    return error
