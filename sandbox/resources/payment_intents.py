"""Payment intents: made and confirmed by the API, by invoices and by the hosted pages."""

from collections.abc import Callable
from typing import Any

from sandbox.billing import amounts, cards
from sandbox.context import Context, public
from sandbox.errors import DOCS, StripeError, declined, invalid, not_implemented
from sandbox.http.lists import page
from sandbox.ids import letters
from sandbox.operations import operation
from sandbox.resources import accounts, charges, payment_methods
from sandbox.resources.shared import merge_metadata
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
CONFIRM = ("off_session", "payment_method", "return_url", "error_on_requires_action")

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
    **more: Any,
) -> Object:
    """A new intent, confirmed at once if asked; a decline is in its state, and raises nothing.

    `more` are the fields in PLAIN. Raise `payment_error(intent)` where a decline must be answered with 402.
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
    _check_amount(intent)
    if customer is not None:
        ctx.get("customer", customer, param="customer")
    ctx.insert(intent)
    if payment_method is not None:
        _choose(ctx, intent, payment_method)
    ctx.emit("payment_intent.created", intent)
    return _confirm(ctx, intent, off_session, return_url) if confirm else intent


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
        raise _unexpected(draft, "confirm")
    if payment_method is not None:
        _choose(ctx, draft, payment_method)
    return _confirm(ctx, draft, off_session, return_url)


def authenticate(ctx: Context, intent: Object, *, success: bool = True) -> Object:
    """What the customer's bank reports after requires_action, whether authenticated or not."""
    draft = ctx.edit("payment_intent", intent["id"])
    if draft["status"] != "requires_action":
        raise _unexpected(draft, "authenticate")
    found = ctx.get("payment_method", draft["payment_method"])
    draft["next_action"] = None
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
        raise _unexpected(draft, "cancel")
    if draft["status"] == "requires_capture":
        charges.release(ctx, draft["latest_charge"])
    draft |= {
        "amount_capturable": 0,
        "canceled_at": ctx.now,
        "cancellation_reason": reason,
        "next_action": None,
        "status": "canceled",
    }
    return _settle(ctx, "payment_intent.canceled", draft)


def payment_error(intent: Object) -> StripeError:
    """402 for the last failure of an intent; what was stored of the attempt is kept."""
    words = {name: value for name, value in intent["last_payment_error"].items() if name not in {"type", "doc_url"}}
    return declined(words, payment_intent=public(intent))


@operation(
    "POST",
    "/v1/payment_intents",
    takes=(
        *PLAIN, *CONFIRM, "amount", "currency", "customer", "confirm", "metadata", "capture_method",
        "automatic_payment_methods", "allowed_payment_method_types",
    ),
)  # fmt: skip
def create_operation(ctx: Context) -> Object:
    given = ctx.params
    if given.get("allowed_payment_method_types", ["card"]) != ["card"]:
        raise not_implemented("POST", "/v1/payment_intents with other payment method types than card")
    if not given.get("confirm") and any(name in given for name in ("off_session", "return_url")):
        name = "off_session" if "off_session" in given else "return_url"
        raise invalid(f"The parameter `{name}` cannot be passed unless `confirm` is true.", param=name)
    automatic: Object | None = {"allow_redirects": "always", "enabled": True}
    if "allowed_payment_method_types" in given:
        automatic = None
    elif "automatic_payment_methods" in given:
        automatic = {"allow_redirects": "always", **given["automatic_payment_methods"]}
    holder: Object = {"metadata": {}}
    merge_metadata(holder, ctx)
    intent = create_payment_intent(
        ctx,
        amount=given["amount"],
        currency=given["currency"],
        customer=given.get("customer"),
        payment_method=given.get("payment_method"),
        metadata=holder["metadata"],
        # With `confirm` Stripe answers automatic_async, as recorded.
        capture_method=given.get("capture_method", "automatic_async"),
        automatic_payment_methods=automatic,
        **{name: given[name] for name in PLAIN if name in given},
    )
    return _confirm_operation(ctx, intent) if given.get("confirm") else intent


@operation("GET", "/v1/payment_intents/{intent}", takes=())
def retrieve(ctx: Context) -> Object:
    return ctx.get("payment_intent", ctx.path["intent"])


@operation(
    "POST",
    "/v1/payment_intents/{intent}",
    takes=(*PLAIN, "amount", "currency", "customer", "metadata", "payment_method"),
)
def update(ctx: Context) -> Object:
    draft = ctx.edit("payment_intent", ctx.path["intent"])
    given = ctx.params
    if draft["status"] not in OPEN and not given.keys() <= {"metadata", "description", "expand"}:
        raise _unexpected(draft, "update")
    if "customer" in given:
        ctx.get("customer", given["customer"], param="customer")
    draft |= {name: given[name] for name in (*PLAIN, "amount", "customer") if name in given}
    if "currency" in given:
        draft["currency"] = given["currency"].lower()
    merge_metadata(draft, ctx)
    _check_amount(draft)
    if given.get("payment_method") is not None:
        _choose(ctx, draft, given["payment_method"])
    return draft


@operation("POST", "/v1/payment_intents/{intent}/confirm", takes=(*CONFIRM, "receipt_email"))
def confirm_operation(ctx: Context) -> Object:
    draft = ctx.edit("payment_intent", ctx.path["intent"])
    if draft["status"] not in OPEN:
        raise _unexpected(draft, "confirm")
    if ctx.params.get("payment_method") is not None:
        _choose(ctx, draft, ctx.params["payment_method"])
    if "receipt_email" in ctx.params:
        draft["receipt_email"] = ctx.params["receipt_email"]
    return _confirm_operation(ctx, draft)


@operation("POST", "/v1/payment_intents/{intent}/cancel")
def cancel_operation(ctx: Context) -> Object:
    intent = ctx.get("payment_intent", ctx.path["intent"])
    return cancel(ctx, intent, ctx.params.get("cancellation_reason"))


@operation("POST", "/v1/payment_intents/{intent}/capture", takes=("amount_to_capture", "metadata"))
def capture(ctx: Context) -> Object:
    draft = ctx.edit("payment_intent", ctx.path["intent"])
    if draft["status"] != "requires_capture":
        raise _unexpected(draft, "capture")
    amount: int = ctx.params["amount_to_capture"] if "amount_to_capture" in ctx.params else draft["amount_capturable"]
    if not 1 <= amount <= draft["amount_capturable"]:
        raise invalid(
            f"The amount to capture must be from 1 to {draft['amount_capturable']}.",
            param="amount_to_capture",
            code="amount_too_large",
        )
    merge_metadata(draft, ctx)
    charges.capture(ctx, draft["latest_charge"], amount)
    draft |= {"amount_capturable": 0, "amount_received": amount, "status": "succeeded"}
    return _settle(ctx, "payment_intent.succeeded", draft)


@operation("GET", "/v1/payment_intents", takes=("created", "customer", "ending_before", "limit", "starting_after"))
def list_all(ctx: Context) -> Object:
    customer = ctx.params.get("customer")
    return page(
        ctx,
        "payment_intent",
        "/v1/payment_intents",
        lambda intent: customer is None or intent["customer"] == customer,
    )


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
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card"],
        "processing": None,
        "review": None,
        "source": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        **dict.fromkeys(PLAIN),
        **given,
    }


def _confirm_operation(ctx: Context, draft: Object) -> Object:
    given = ctx.params
    off_session = given.get("off_session") not in {None, False}
    automatic = draft["automatic_payment_methods"] or {}
    redirects = automatic.get("enabled") and automatic.get("allow_redirects") != "never"
    if redirects and not off_session and not given.get("return_url"):
        raise invalid(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because some "
            "of these payment methods might redirect your customer off of your page, you must provide a "
            "`return_url`. If you don't want to accept redirect-based payment methods, set "
            "`automatic_payment_methods[enabled]` to `true` and `automatic_payment_methods[allow_redirects]` to "
            "`never` when creating Setup Intents and Payment Intents."
        )
    refuse_action = given.get("error_on_requires_action", False) or off_session
    intent = _confirm(ctx, draft, refuse_action, given.get("return_url"))
    if intent["last_payment_error"] is not None:
        raise payment_error(intent)
    return intent


def _confirm(ctx: Context, draft: Object, off_session: bool, return_url: str | None) -> Object:
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
    outcome = cards.outcome(found)
    if outcome.result is not cards.Result.REQUIRES_ACTION:
        return _attempt(ctx, draft, found, outcome)
    if off_session:
        return _attempt(ctx, draft, found, cards.AUTHENTICATION_REQUIRED)
    url = f"{ctx.config.public_url}/authenticate/{ctx.account}/{draft['id']}"
    if return_url is None:
        action = {
            "type": "use_stripe_sdk",
            "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url},
        }
    else:
        action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
    draft |= {"next_action": action, "status": "requires_action"}
    ctx.emit("payment_intent.requires_action", draft)
    return draft


def _attempt(ctx: Context, draft: Object, payment_method: Object, outcome: cards.Outcome) -> Object:
    was_action = draft["status"] == "requires_action"
    charge = charges.make(ctx, draft, payment_method, outcome)
    draft["latest_charge"] = charge["id"]
    if outcome.result is cards.Result.DECLINED:
        return _fail(ctx, draft, payment_method, {"charge": charge["id"], **outcome.error})
    if draft["setup_future_usage"] is not None and draft["customer"] is not None:
        payment_methods.attach(ctx, payment_method, draft["customer"])
    used = ctx.edit("payment_method", payment_method["id"])
    used |= {"_authenticated": used["_authenticated"] or was_action, "_spent": True}
    if draft["capture_method"] == "manual":
        draft |= {"amount_capturable": draft["amount"], "status": "requires_capture"}
        ctx.emit("payment_intent.amount_capturable_updated", draft)
        return draft
    draft |= {"amount_received": draft["amount"], "status": "succeeded"}
    return _settle(ctx, "payment_intent.succeeded", draft)


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
    return _settle(ctx, "payment_intent.payment_failed", draft)


def _settle(ctx: Context, event: str, intent: Object) -> Object:
    ctx.emit(event, intent)
    for watcher in _watchers:
        watcher(ctx, intent)
    return intent


def _choose(ctx: Context, draft: Object, payment_method: str) -> None:
    found = payment_methods.resolve(ctx, payment_method)
    owner = found["customer"]
    if owner is not None and owner != draft["customer"]:
        hint = (
            "Please include the Customer in the `customer` parameter on the PaymentIntent."
            if draft["customer"] is None
            else "You cannot use it with another Customer."
        )
        message = f"The provided PaymentMethod ({found['id']}) belongs to the Customer {owner}. {hint}"
        raise invalid(message, param="payment_method")
    draft |= {"payment_method": found["id"], "status": "requires_confirmation", "next_action": None}


def _check_amount(intent: Object) -> None:
    amount = amounts.check(intent["amount"], intent["currency"])
    fee = intent["application_fee_amount"]
    if fee is not None and not 0 <= fee <= amount:
        raise invalid("Your application fee cannot exceed the amount.", param="application_fee_amount")


def _unexpected(intent: Object, verb: str) -> StripeError:
    message = f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}."
    error = invalid(message, code="payment_intent_unexpected_state")
    error.error["payment_intent"] = public(intent)
    return error
