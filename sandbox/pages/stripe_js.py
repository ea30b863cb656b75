"""A stand-in for Stripe.js: its script, the frame that holds the card, and what a client secret lets it ask."""

import hmac
from importlib.resources import files
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.checkout.complete import Buyer, add_card
from sandbox.context import Context, public
from sandbox.errors import StripeError, invalid, missing
from sandbox.pages import forms
from sandbox.pages.desk import Desk
from sandbox.pages.render import template
from sandbox.paying import intents as payment_intents
from sandbox.resources import setup_intents
from sandbox.store import Object

KINDS = {"pi": "payment_intent", "seti": "setup_intent"}
ANSWERS = {"payment_intent": "paymentIntent", "setup_intent": "setupIntent"}
# What a browser may see of an intent with its secret alone.
SEEN = (
    "id", "object", "amount", "automatic_payment_methods", "canceled_at", "capture_method", "client_secret", "created",
    "currency", "description", "last_payment_error", "last_setup_error", "livemode", "next_action", "payment_method",
    "payment_method_types", "receipt_email", "setup_future_usage", "status", "usage",
)  # fmt: skip


def routes(desk: Desk) -> list[Route]:
    """The script under the paths of the real one, and what belongs to it."""

    async def frame(request: Request) -> Response:
        kind = "card" if request.query_params.get("kind") == "card" else "calls"
        headers = {
            # Any page may embed it, as it may embed Stripe's; inside it nothing comes from elsewhere.
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                "form-action 'none'; base-uri 'none'; frame-ancestors *"
            ),
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(template("frame.html", kind=kind), headers=headers, media_type="text/html")

    async def call(request: Request) -> Response:
        try:
            given = orjson.loads(await request.body())
            answer = _answer(desk, given if isinstance(given, dict) else {})
        except orjson.JSONDecodeError:
            return JSONResponse({"error": invalid("Invalid JSON.").error}, 400)
        except StripeError as refused:
            return JSONResponse({"error": refused.error})
        return JSONResponse(answer)

    return [
        Route("/v3/", _script("stripe.js")),
        Route("/v3", _script("stripe.js")),
        Route("/{release}/stripe.js", _script("stripe.js")),
        Route("/js/frame.js", _script("frame.js")),
        Route("/js/frame", frame),
        Route("/js/call", call, methods=["POST"]),
    ]


def _script(name: str) -> Any:
    async def serve(_: Request) -> Response:
        source = (files("sandbox.pages") / "static" / name).read_text("utf-8")
        headers = {"Cache-Control": "max-age=300", "X-Content-Type-Options": "nosniff"}
        return Response(source, headers=headers, media_type="text/javascript")

    return serve


def _answer(desk: Desk, given: Object) -> Object:
    """What the frame is told; a decline is an answer, as in Stripe.js, and its trace is kept."""
    if not str(given.get("key", "")).startswith("pk_test_"):
        raise invalid("Invalid API Key provided.", status=401)
    account = given.get("account") or desk.platform
    if not isinstance(account, str) or (account != desk.platform and not desk.knows(account)):
        raise invalid("The provided account does not exist.", code="account_invalid", status=403)
    if given.get("action") == "create":
        return desk.act(account, lambda ctx: {"paymentMethod": _method(ctx, given)})
    work = {
        "retrieve": _found,
        "confirm_payment": _confirm_payment,
        "confirm_setup": _confirm_setup,
    }.get(str(given.get("action")))
    if work is None:
        raise invalid("The sandbox's Stripe.js does not have this call.")
    intent = desk.act(account, lambda ctx: work(ctx, given))
    refused = intent.get("last_payment_error") or intent.get("last_setup_error")
    if refused and intent["status"] == "requires_payment_method" and given["action"] != "retrieve":
        return {"error": {**refused, intent["object"]: _seen(intent)}}
    return {ANSWERS[intent["object"]]: _seen(intent)}


def _found(ctx: Context, given: Object) -> Object:
    """The intent that the secret is of; a wrong secret finds nothing."""
    secret = str(given.get("client_secret", ""))
    intent_id = secret.partition("_secret_")[0]
    kind = KINDS.get(intent_id.partition("_")[0])
    found = kind and ctx.tx.get(ctx.account, kind, intent_id)
    if not found or not hmac.compare_digest(found["client_secret"].encode(), secret.encode()):
        raise missing(kind or "payment_intent", intent_id, param="intent")
    return found


def _confirm_payment(ctx: Context, given: Object) -> Object:
    intent = _found(ctx, given)
    if intent["object"] != "payment_intent":
        raise invalid("This is not the client secret of a PaymentIntent.", param="client_secret")
    return payment_intents.confirm(ctx, intent, _chosen(ctx, given), return_url=_return_url(given))


def _confirm_setup(ctx: Context, given: Object) -> Object:
    intent = _found(ctx, given)
    if intent["object"] != "setup_intent":
        raise invalid("This is not the client secret of a SetupIntent.", param="client_secret")
    return setup_intents.confirm(ctx, intent, _chosen(ctx, given), return_url=_return_url(given))


def _chosen(ctx: Context, given: Object) -> str | None:
    if given.get("payment_method"):
        return str(given["payment_method"])
    return str(_method(ctx, given)["id"]) if given.get("card") else None


def _method(ctx: Context, given: Object) -> Object:
    details = given.get("billing_details") or {}
    typed = {name: str(value).strip() for name, value in (given.get("card") or {}).items()}
    made = add_card(ctx, Buyer(details.get("email") or "", details.get("name")), forms.card(typed))
    return public(made)


def _return_url(given: Object) -> str | None:
    address = given.get("return_url")
    return address if isinstance(address, str) and address.startswith(("http://", "https://")) else None


def _seen(intent: Object) -> Object:
    return {name: intent[name] for name in SEEN if name in intent}
