"""Setup intents: saving a card for later payments."""

from sandbox.billing import cards
from sandbox.context import Context, public
from sandbox.errors import DOCS, StripeError, declined, invalid, not_implemented
from sandbox.http.lists import page
from sandbox.ids import letters
from sandbox.operations import operation
from sandbox.resources import payment_methods
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
NEEDS_ACTION = {cards.Behaviour.AUTHENTICATE, cards.Behaviour.AUTHENTICATE_ONCE}


def create_setup_intent(
    ctx: Context,
    *,
    customer: str | None = None,
    payment_method: str | None = None,
    usage: str = "off_session",
    description: str | None = None,
    metadata: Object | None = None,
    automatic_payment_methods: Object | None = None,
) -> Object:
    """A new setup intent, not yet confirmed."""
    intent_id = ctx.new_id("seti")
    if customer is not None:
        ctx.get("customer", customer, param="customer")
    intent: Object = {
        "id": intent_id,
        "object": "setup_intent",
        "application": ctx.application,
        "automatic_payment_methods": automatic_payment_methods,
        "cancellation_reason": None,
        "client_secret": f"{intent_id}_secret_{letters(f'secret:{ctx.config.seed}:{intent_id}', 25)}",
        "created": ctx.now,
        "customer": customer,
        "customer_account": None,
        "description": description,
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": dict(metadata or {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": usage,
    }
    ctx.insert(intent)
    if payment_method is not None:
        _choose(ctx, intent, payment_method)
    ctx.emit("setup_intent.created", intent)
    return intent


def confirm(
    ctx: Context, intent: Object, payment_method: str | None = None, *, return_url: str | None = None
) -> Object:
    """Save the card: succeeded, requires_action, or back at the start with last_setup_error."""
    draft = ctx.edit("setup_intent", intent["id"])
    if draft["status"] not in OPEN:
        raise _unexpected(draft, "confirm")
    if payment_method is not None:
        _choose(ctx, draft, payment_method)
    if draft["payment_method"] is None:
        message = "You cannot confirm this SetupIntent because it's missing a payment method."
        raise invalid(message, code="setup_intent_unexpected_state")
    found = ctx.get("payment_method", draft["payment_method"])
    draft |= {"last_setup_error": None, "next_action": None}
    outcome = cards.attach_outcome(found)
    if outcome.result is cards.Result.DECLINED:
        return _fail(ctx, draft, found, outcome.error, "card_error")
    if found["_behaviour"] not in NEEDS_ACTION:
        return _succeed(ctx, draft, found)
    url = f"{ctx.config.public_url}/authenticate/{ctx.account}/{draft['id']}"
    action: Object = {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url},
    }
    if return_url is not None:
        action = {"type": "redirect_to_url", "redirect_to_url": {"return_url": return_url, "url": url}}
    draft |= {"next_action": action, "status": "requires_action"}
    ctx.emit("setup_intent.requires_action", draft)
    return draft


def authenticate(ctx: Context, intent: Object, *, success: bool = True) -> Object:
    """What the customer's bank reports after requires_action."""
    draft = ctx.edit("setup_intent", intent["id"])
    if draft["status"] != "requires_action":
        raise _unexpected(draft, "authenticate")
    found = ctx.get("payment_method", draft["payment_method"])
    draft["next_action"] = None
    if success:
        made = _succeed(ctx, draft, found)
        ctx.edit("payment_method", found["id"])["_authenticated"] = True
        return made
    error = {
        "code": "setup_intent_authentication_failure",
        "message": "The latest attempt to set up the payment method has failed because authentication failed.",
    }
    return _fail(ctx, draft, found, error, "invalid_request_error")


def setup_error(intent: Object) -> StripeError:
    """402 for the last failure of a setup intent; what was stored of the attempt is kept."""
    words = {name: value for name, value in intent["last_setup_error"].items() if name not in {"type", "doc_url"}}
    return declined(words, setup_intent=public(intent))


@operation(
    "POST",
    "/v1/setup_intents",
    takes=(
        "customer", "payment_method", "confirm", "usage", "description", "metadata", "return_url",
        "automatic_payment_methods", "allowed_payment_method_types",
    ),
)  # fmt: skip
def create(ctx: Context) -> Object:
    given = ctx.params
    if given.get("allowed_payment_method_types", ["card"]) != ["card"]:
        raise not_implemented("POST", "/v1/setup_intents with other payment method types than card")
    automatic: Object | None = {"allow_redirects": "always", "enabled": True}
    if "allowed_payment_method_types" in given:
        automatic = None
    elif "automatic_payment_methods" in given:
        automatic = {"allow_redirects": "always", **given["automatic_payment_methods"]}
    holder: Object = {"metadata": {}}
    merge_metadata(holder, ctx)
    intent = create_setup_intent(
        ctx,
        customer=given.get("customer"),
        payment_method=given.get("payment_method"),
        usage=given.get("usage", "off_session"),
        description=given.get("description"),
        metadata=holder["metadata"],
        automatic_payment_methods=automatic,
    )
    return _confirm_operation(ctx, intent) if given.get("confirm") else intent


@operation("GET", "/v1/setup_intents/{intent}", takes=())
def retrieve(ctx: Context) -> Object:
    return ctx.get("setup_intent", ctx.path["intent"])


@operation("POST", "/v1/setup_intents/{intent}", takes=("customer", "payment_method", "description", "metadata"))
def update(ctx: Context) -> Object:
    draft = ctx.edit("setup_intent", ctx.path["intent"])
    given = ctx.params
    if draft["status"] not in OPEN and not given.keys() <= {"metadata", "description", "expand"}:
        raise _unexpected(draft, "update")
    if "customer" in given:
        draft["customer"] = ctx.get("customer", given["customer"], param="customer")["id"]
    if "description" in given:
        draft["description"] = given["description"]
    merge_metadata(draft, ctx)
    if given.get("payment_method") is not None:
        _choose(ctx, draft, given["payment_method"])
    return draft


@operation("POST", "/v1/setup_intents/{intent}/confirm", takes=("payment_method", "return_url"))
def confirm_operation(ctx: Context) -> Object:
    return _confirm_operation(ctx, ctx.get("setup_intent", ctx.path["intent"]))


@operation("POST", "/v1/setup_intents/{intent}/cancel")
def cancel(ctx: Context) -> Object:
    draft = ctx.edit("setup_intent", ctx.path["intent"])
    if draft["status"] not in OPEN:
        raise _unexpected(draft, "cancel")
    draft |= {
        "cancellation_reason": ctx.params.get("cancellation_reason"),
        "next_action": None,
        "status": "canceled",
    }
    ctx.emit("setup_intent.canceled", draft)
    return draft


@operation(
    "GET",
    "/v1/setup_intents",
    takes=("created", "customer", "payment_method", "ending_before", "limit", "starting_after"),
)
def list_all(ctx: Context) -> Object:
    wanted = {name: ctx.params[name] for name in ("customer", "payment_method") if name in ctx.params}
    return page(
        ctx,
        "setup_intent",
        "/v1/setup_intents",
        lambda found: all(found[name] == value for name, value in wanted.items()),
    )


def _confirm_operation(ctx: Context, intent: Object) -> Object:
    given = ctx.params
    made = confirm(ctx, intent, given.get("payment_method"), return_url=given.get("return_url"))
    if made["last_setup_error"] is not None:
        raise setup_error(made)
    return made


def _choose(ctx: Context, draft: Object, payment_method: str) -> None:
    found = payment_methods.resolve(ctx, payment_method)
    if found["customer"] not in {None, draft["customer"]}:
        message = f"The provided PaymentMethod ({found['id']}) belongs to the Customer {found['customer']}."
        raise invalid(message, param="payment_method")
    draft |= {"payment_method": found["id"], "status": "requires_confirmation", "next_action": None}


def _succeed(ctx: Context, draft: Object, payment_method: Object) -> Object:
    if draft["customer"] is not None:
        payment_methods.attach(ctx, payment_method, draft["customer"])
    draft["status"] = "succeeded"
    ctx.emit("setup_intent.succeeded", draft)
    return draft


def _fail(ctx: Context, draft: Object, payment_method: Object, words: Object, kind: str) -> Object:
    doc_url = DOCS + words["code"].replace("_", "-")
    shown = public(payment_method)
    draft |= {
        "last_setup_error": {**words, "doc_url": doc_url, "payment_method": shown, "type": kind},
        "payment_method": None,
        "status": "requires_payment_method",
    }
    ctx.emit("setup_intent.setup_failed", draft)
    return draft


def _unexpected(intent: Object, verb: str) -> StripeError:
    message = f"You cannot {verb} this SetupIntent because it has a status of {intent['status']}."
    return invalid(message, code="setup_intent_unexpected_state")
