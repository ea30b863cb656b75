"""Setup intents: saving a card or a bank account for later payments."""

from collections.abc import Callable
from typing import Any

from sandbox.billing import cards
from sandbox.context import Context, public
from sandbox.errors import DOCS, StripeError, declined, invalid, not_implemented
from sandbox.http.lists import page
from sandbox.ids import letters
from sandbox.operations import operation
from sandbox.paying import methods as payment_methods
from sandbox.paying import options
from sandbox.paying.accounts import mandate
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
PATH = "/v1/setup_intents"
SET = ("payment_method", "payment_method_data", "payment_method_options")
CONFIRM = (*SET, "allowed_payment_method_types", "mandate_data", "return_url", "use_stripe_sdk")


_watchers: list[Callable[[Context, Object], None]] = []


def watch(watcher: Callable[[Context, Object], None]) -> Callable[[Context, Object], None]:
    """Registers a function that hears of every setup intent that has succeeded, in the same transaction."""
    _watchers.append(watcher)
    return watcher


def create_setup_intent(
    ctx: Context,
    *,
    customer: str | None = None,
    payment_method: str | None = None,
    usage: str = "off_session",
    description: str | None = None,
    metadata: Object | None = None,
    automatic_payment_methods: Object | None = None,
    prepare: Callable[[Context, Object], None] | None = None,
    **more: Any,
) -> Object:
    """A new setup intent, not yet confirmed; `prepare` changes it before it is told of."""
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
        **more,
    }
    ctx.insert(intent)
    if prepare is not None:
        prepare(ctx, intent)
    if payment_method is not None:
        _choose(ctx, intent, payment_method)
    ctx.emit("setup_intent.created", intent)
    return intent


def confirm(
    ctx: Context,
    intent: Object,
    payment_method: str | None = None,
    *,
    return_url: str | None = None,
    in_sdk: bool = False,
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
    asked = options.wants_three_d_secure(draft)
    outcome = cards.outcome(found, asked=asked)
    if found["_behaviour"] == cards.Behaviour.DEBIT:
        _mandate(ctx, draft, found)
    if outcome.result is not cards.Result.REQUIRES_ACTION:
        return _succeed(ctx, draft, found)
    url = f"{ctx.config.public_url}/authenticate/{ctx.account}/{draft['id']}"
    action: Object = {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {"type": "three_d_secure_redirect", "stripe_js": url},
    }
    if return_url is not None and not in_sdk:
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
    PATH,
    takes=(
        *CONFIRM,
        "excluded_payment_method_types",
        "attach_to_self",
        "automatic_payment_methods",
        "confirm",
        "customer",
        "description",
        "flow_directions",
        "metadata",
        "on_behalf_of",
        "single_use",
        "usage",
    ),
)
def create(ctx: Context) -> Object:
    given = ctx.params
    for name in ("mandate_data", "return_url", "single_use"):
        if name in given and not given.get("confirm"):
            raise invalid(f"The parameter `{name}` cannot be passed unless `confirm` is true.", param=name)
    if "single_use" in given:
        raise not_implemented("POST", f"{PATH} with single_use, for methods that the sandbox does not have")
    if given.get("attach_to_self") and given.get("customer") is not None:
        raise invalid("You cannot use `attach_to_self` with a `customer`.", param="attach_to_self")
    account = given.get("on_behalf_of")
    if account is not None:
        ctx.inside(ctx.config.platform).get("account", account, param="on_behalf_of")
    holder: Object = {"metadata": {}}
    merge_metadata(holder, ctx)
    more = {"attach_to_self": given["attach_to_self"]} if "attach_to_self" in given else {}
    intent = create_setup_intent(
        ctx,
        customer=given.get("customer"),
        usage=given.get("usage", "off_session"),
        description=given.get("description"),
        metadata=holder["metadata"],
        automatic_payment_methods={"allow_redirects": "always", "enabled": True},
        prepare=_put,
        flow_directions=given.get("flow_directions") or None,
        on_behalf_of=account,
        **more,
    )
    return _confirm_operation(ctx, intent) if given.get("confirm") else intent


@operation("GET", PATH + "/{intent}", takes=("client_secret",))
def retrieve(ctx: Context) -> Object:
    return options.check_secret(ctx, ctx.get("setup_intent", ctx.path["intent"]))


@operation(
    "POST",
    PATH + "/{intent}",
    takes=(
        *SET,
        "excluded_payment_method_types",
        "allowed_payment_method_types",
        "attach_to_self",
        "customer",
        "description",
        "flow_directions",
        "metadata",
    ),
)
def update(ctx: Context) -> Object:
    draft = ctx.edit("setup_intent", ctx.path["intent"])
    given = ctx.params
    if draft["status"] not in OPEN and not given.keys() <= {"metadata", "description", "expand"}:
        raise _unexpected(draft, "update")
    if given.get("customer") is not None:
        draft["customer"] = ctx.get("customer", given["customer"], param="customer")["id"]
    for name in ("attach_to_self", "description", "flow_directions"):
        if name in given:
            draft[name] = given[name]
    merge_metadata(draft, ctx)
    _put(ctx, draft)
    return draft


@operation("POST", PATH + "/{intent}/confirm", takes=CONFIRM)
def confirm_operation(ctx: Context) -> Object:
    draft = ctx.edit("setup_intent", ctx.path["intent"])
    if draft["status"] not in OPEN:
        raise _unexpected(draft, "confirm")
    _put(ctx, draft)
    return _confirm_operation(ctx, draft)


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


def _put(ctx: Context, draft: Object) -> None:
    """What may be given with every request about an open intent: types, options and the method."""
    given = ctx.params
    options.put_types(ctx, draft, PATH)
    options.put_options(draft, given.get("payment_method_options"), PATH)
    if "payment_method_data" in given:
        _choose(ctx, draft, payment_methods.make(ctx, given["payment_method_data"], "payment_method_data"))
    elif given.get("payment_method") is not None:
        _choose(ctx, draft, given["payment_method"])


def _confirm_operation(ctx: Context, intent: Object) -> Object:
    given = ctx.params
    options.require_return(ctx, intent)
    made = confirm(ctx, intent, return_url=given.get("return_url"), in_sdk=given.get("use_stripe_sdk", False))
    if made["last_setup_error"] is not None:
        raise setup_error(made)
    return made


def _choose(ctx: Context, draft: Object, payment_method: str | Object) -> None:
    found = payment_methods.resolve(ctx, payment_method) if isinstance(payment_method, str) else payment_method
    options.check_kind(draft, found)
    if found["customer"] not in {None, draft["customer"]}:
        message = f"The provided PaymentMethod ({found['id']}) belongs to the Customer {found['customer']}."
        raise invalid(message, param="payment_method")
    draft |= {"payment_method": found["id"], "status": "requires_confirmation", "next_action": None}


def _mandate(ctx: Context, draft: Object, method: Object) -> None:
    """The mandate that the setup of a bank account makes."""
    options.check_verified(draft, method)
    accepted = options.acceptance(ctx, draft)
    if accepted is None:
        raise options.no_mandate(draft)
    draft["mandate"] = mandate(ctx, method, accepted)["id"]


def _succeed(ctx: Context, draft: Object, payment_method: Object) -> Object:
    if draft["customer"] is not None:
        payment_methods.attach(ctx, payment_method, draft["customer"])
    draft["status"] = "succeeded"
    ctx.emit("setup_intent.succeeded", draft)
    for watcher in _watchers:
        watcher(ctx, draft)
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
