"""Errors in Stripe's words and shape."""

from typing import Any

DOCS = "https://stripe.com/docs/error-codes/"
# How "No such …" calls what is not simply its type with spaces.
NAMES = {
    "checkout.session": "checkout.session",
    "payment_intent": "payment_intent",
    "payment_method": "PaymentMethod",
    "setup_intent": "setupintent",
}
# How Stripe calls the id in a path; `id` where it is not here.
IN_PATH = {"payment_intent": "intent", "setup_intent": "intent"}


class StripeError(Exception):
    """An answer other than 2xx; `keep` commits the request's changes all the same (a declined payment)."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        keep: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.keep = keep
        self.error: dict[str, Any] = {"type": kind, "message": message}
        if code is not None:
            self.error |= {"code": code, "doc_url": DOCS + code.replace("_", "-")}
        self.error |= {name: value for name, value in more.items() if value is not None}


def invalid(message: str, *, param: str | None = None, code: str | None = None, status: int = 400) -> StripeError:
    """A request that Stripe refuses as invalid."""
    return StripeError(status, "invalid_request_error", message, code=code, param=param)


def missing(kind: str, object_id: str, *, param: str | None = None) -> StripeError:
    """404 for an object named in the path (`param` None or `id`), 400 for one named in the parameters."""
    name = NAMES.get(kind) or kind.rpartition(".")[2].replace("_", " ")
    status = 404 if param is None or param == "id" else 400
    message = f"No such {name}: '{object_id}'"
    return invalid(message, param=param or IN_PATH.get(kind, "id"), code="resource_missing", status=status)


def declined(refusal: dict[str, Any], **more: Any) -> StripeError:
    """402 for a card that the bank refused; what the request did up to there is kept."""
    words = dict(refusal)
    return StripeError(402, "card_error", words.pop("message"), keep=True, **words, **more)


def not_implemented(method: str, path: str) -> StripeError:
    """What the sandbox does not have: never a wrong success."""
    message = f"The sandbox does not have {method} {path} yet."
    return StripeError(501, "api_error", message, code="not_implemented_in_sandbox")
