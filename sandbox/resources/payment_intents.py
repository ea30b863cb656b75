"""Payment intents over the API."""

from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.http.lists import page
from sandbox.operations import operation
from sandbox.paying import charging, options, transfers
from sandbox.paying import methods as payment_methods
from sandbox.paying.intents import (
    OPEN,
    PLAIN,
    attempt,
    cancel,
    check,
    choose,
    create_payment_intent,
    payment_error,
    settle,
    unexpected,
)
from sandbox.resources.shared import merge_metadata
from sandbox.store import Object

PATH = "/v1/payment_intents"
# What each request about an intent that has not succeeded may set.
SET = (
    "amount_details", "excluded_payment_method_types", "hooks", "payment_details", "payment_method_options",
    "payment_method", "payment_method_data",
)  # fmt: skip
CONFIRM = (
    *SET, "error_on_requires_action", "mandate", "mandate_data", "off_session", "radar_options", "return_url",
    "use_stripe_sdk",
)  # fmt: skip
# They mean something only while a payment is made.
ONLY_CONFIRMING = ("error_on_requires_action", "mandate", "mandate_data", "off_session", "return_url")


@operation(
    "POST",
    PATH,
    takes=(
        *PLAIN, *CONFIRM, "amount", "currency", "customer", "confirm", "confirmation_method", "metadata",
        "capture_method", "automatic_payment_methods", "allowed_payment_method_types", "on_behalf_of", "transfer_data",
    ),
)  # fmt: skip
def create(ctx: Context) -> Object:
    given = ctx.params
    for name in ONLY_CONFIRMING:
        if name in given and not given.get("confirm"):
            raise invalid(f"The parameter `{name}` cannot be passed unless `confirm` is true.", param=name)
    automatic = given.get("automatic_payment_methods")
    if "confirmation_method" in given and automatic and automatic["enabled"]:
        message = "You may only specify one of these parameters: automatic_payment_methods, confirmation_method."
        raise invalid(message, param="automatic_payment_methods")
    holder: Object = {"metadata": {}}
    merge_metadata(holder, ctx)
    intent = create_payment_intent(
        ctx,
        amount=given["amount"],
        currency=given["currency"],
        customer=given.get("customer"),
        metadata=holder["metadata"],
        # With `confirm` Stripe answers automatic_async, as recorded.
        capture_method=given.get("capture_method", "automatic_async"),
        automatic_payment_methods=None
        if "confirmation_method" in given
        else {"allow_redirects": "always", "enabled": True},
        confirmation_method=given.get("confirmation_method", "automatic"),
        on_behalf_of=given.get("on_behalf_of"),
        transfer_data=given.get("transfer_data"),
        prepare=_put,
        **{name: given[name] for name in PLAIN if name in given},
    )
    return _confirm(ctx, intent) if given.get("confirm") else intent


@operation("GET", PATH + "/{intent}", takes=("client_secret",))
def retrieve(ctx: Context) -> Object:
    return options.check_secret(ctx, ctx.get("payment_intent", ctx.path["intent"]))


@operation(
    "POST",
    PATH + "/{intent}",
    takes=(
        *PLAIN, *SET, "allowed_payment_method_types", "amount", "capture_method", "currency", "customer", "metadata",
        "transfer_data",
    ),
)  # fmt: skip
def update(ctx: Context) -> Object:
    draft = ctx.edit("payment_intent", ctx.path["intent"])
    given = ctx.params
    if draft["status"] not in OPEN and not given.keys() <= {"metadata", "description", "expand"}:
        raise unexpected(draft, "update")
    if given.get("customer") is not None:
        ctx.get("customer", given["customer"], param="customer")
    draft |= {name: given[name] for name in (*PLAIN, "amount", "capture_method", "customer") if name in given}
    if "currency" in given:
        draft["currency"] = given["currency"].lower()
    if "transfer_data" in given:
        if draft["transfer_data"] is None:
            raise invalid("You cannot add `transfer_data` to a PaymentIntent.", param="transfer_data")
        draft["transfer_data"] = draft["transfer_data"] | (given["transfer_data"] or {})
    merge_metadata(draft, ctx)
    check(ctx, draft)
    _put(ctx, draft)
    return draft


@operation(
    "POST",
    PATH + "/{intent}/confirm",
    takes=(
        *CONFIRM, "allowed_payment_method_types", "amount_to_confirm", "capture_method", "receipt_email",
        "setup_future_usage", "shipping",
    ),
)  # fmt: skip
def confirm_operation(ctx: Context) -> Object:
    draft = ctx.edit("payment_intent", ctx.path["intent"])
    given = ctx.params
    if draft["status"] not in OPEN:
        raise unexpected(draft, "confirm")
    if given.get("amount_to_confirm", draft["amount"]) != draft["amount"]:
        message = "The amount to confirm must match the amount of the PaymentIntent."
        raise invalid(message, param="amount_to_confirm")
    for name in ("capture_method", "receipt_email", "setup_future_usage", "shipping"):
        if name in given:
            draft[name] = given[name]
    _put(ctx, draft)
    return _confirm(ctx, draft)


@operation("POST", PATH + "/{intent}/cancel")
def cancel_operation(ctx: Context) -> Object:
    intent = ctx.get("payment_intent", ctx.path["intent"])
    return cancel(ctx, intent, ctx.params.get("cancellation_reason"))


@operation(
    "POST",
    PATH + "/{intent}/capture",
    takes=(
        "amount_details", "amount_to_capture", "application_fee_amount", "final_capture", "hooks", "metadata",
        "payment_details", "statement_descriptor", "statement_descriptor_suffix", "transfer_data",
    ),
)  # fmt: skip
def capture(ctx: Context) -> Object:
    draft = ctx.edit("payment_intent", ctx.path["intent"])
    given = ctx.params
    if draft["status"] != "requires_capture":
        raise unexpected(draft, "capture")
    amount: int = given["amount_to_capture"] if "amount_to_capture" in given else draft["amount_capturable"]
    if not 1 <= amount <= draft["amount_capturable"]:
        raise invalid(
            f"The provided capture amount {amount} is greater than the amount you can capture "
            f"{draft['amount_capturable']}.",
            param="amount_to_capture",
            code="amount_too_large",
        )
    if given.get("final_capture") is False:
        _refuse_several_captures(draft)
    for name in ("application_fee_amount", "statement_descriptor", "statement_descriptor_suffix"):
        if name in given:
            draft[name] = given[name]
    if given.get("transfer_data"):
        draft["transfer_data"] = (draft["transfer_data"] or {}) | given["transfer_data"]
    if (draft["application_fee_amount"] or 0) > amount:
        message = "The application fee cannot be greater than the amount being captured."
        raise invalid(message, param="application_fee_amount")
    transfers.check(ctx, draft)
    _put_details(ctx, draft)
    merge_metadata(draft, ctx)
    charge = ctx.edit("charge", draft["latest_charge"])
    charge |= {name: draft[name] for name in ("application_fee_amount", "statement_descriptor")}
    if charge["transfer_data"] is not None:
        charge["transfer_data"] = charge["transfer_data"] | {"amount": draft["transfer_data"].get("amount")}
    charging.capture(ctx, charge["id"], amount)
    draft |= {"amount_capturable": 0, "amount_received": amount, "status": "succeeded"}
    return settle(ctx, "payment_intent.succeeded", draft)


@operation("GET", PATH, takes=("created", "customer", "ending_before", "limit", "starting_after"))
def list_all(ctx: Context) -> Object:
    customer = ctx.params.get("customer")
    return page(ctx, "payment_intent", PATH, lambda intent: customer is None or intent["customer"] == customer)


def _put(ctx: Context, draft: Object) -> None:
    """What may be given with every request about an open intent: types, options, details and the method."""
    given = ctx.params
    options.put_types(ctx, draft, PATH)
    options.put_options(draft, given.get("payment_method_options"), PATH)
    _put_details(ctx, draft)
    if "radar_options" in given:
        draft["_radar"] = {"session": (given["radar_options"] or {}).get("session")}
    chosen = given.get("payment_method")
    if "payment_method_data" in given:
        if chosen is not None:
            message = "You may only specify one of these parameters: payment_method, payment_method_data."
            raise invalid(message, param="payment_method_data")
        choose(ctx, draft, payment_methods.make(ctx, given["payment_method_data"], "payment_method_data"))
    elif chosen is not None:
        choose(ctx, draft, chosen)


def _put_details(ctx: Context, draft: Object) -> None:
    given = ctx.params
    if "amount_details" in given:
        details = given["amount_details"] or {}
        for name in details.keys() & {"line_items", "enforce_arithmetic_validation"}:
            raise not_implemented("POST", f"{PATH} with amount_details[{name}]")
        draft["amount_details"] = {"tip": {}, **details}
    if "hooks" in given:
        draft["hooks"] = given["hooks"]
    if "payment_details" in given:
        empty = {"customer_reference": None, "order_reference": None}
        draft["payment_details"] = {**empty, **(given["payment_details"] or {})}


def _refuse_several_captures(draft: Object) -> None:
    card = draft["payment_method_options"].get("card") or {}
    if card.get("request_multicapture") == "if_available":
        raise not_implemented("POST", f"{PATH}/{{intent}}/capture with final_capture=false")
    raise invalid(
        "You cannot set `final_capture` to false unless multicapture is available for this payment.",
        param="final_capture",
    )


def _confirm(ctx: Context, draft: Object) -> Object:
    given = ctx.params
    if given.get("mandate") is not None:
        ctx.get("mandate", given["mandate"], param="mandate")
    off_session = given.get("off_session") not in {None, False}
    if not off_session:
        options.require_return(ctx, draft)
    refuse_action = given.get("error_on_requires_action", False) or off_session
    in_sdk = given.get("use_stripe_sdk", False)
    intent = attempt(ctx, draft, refuse_action, given.get("return_url"), in_sdk=in_sdk, once=not off_session)
    if intent["last_payment_error"] is not None:
        raise payment_error(intent)
    return intent
