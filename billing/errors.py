"""The one family of refusals: everything that a caller can be told no for, with a code that never changes."""

from enum import StrEnum


class Code(StrEnum):
    """The closed list of codes, as the API shows them."""

    INVALID_INPUT = "INVALID_INPUT"
    NOT_FOUND = "NOT_FOUND"
    FORBIDDEN = "FORBIDDEN"
    CARD_DECLINED = "CARD_DECLINED"
    IDEMPOTENCY_KEY_REUSED = "IDEMPOTENCY_KEY_REUSED"
    IDEMPOTENCY_KEY_IN_USE = "IDEMPOTENCY_KEY_IN_USE"
    STRIPE_REFUSED = "STRIPE_REFUSED"
    STRIPE_UNAVAILABLE = "STRIPE_UNAVAILABLE"
    RATE_LIMITED = "RATE_LIMITED"
    TENANT_NOT_READY = "TENANT_NOT_READY"


class BillingError(Exception):
    """A refusal. `field` is the path in the input; the card codes are Stripe's own words."""

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        field: str | None = None,
        decline_code: str | None = None,
        advice_code: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.decline_code = decline_code
        self.advice_code = advice_code

    @property
    def final(self) -> bool:
        """Whether the same request can only be refused again: then the answer is kept under its idempotency key."""
        return self.code in {Code.CARD_DECLINED, Code.STRIPE_REFUSED, Code.INVALID_INPUT}


def not_found(what: str, field: str) -> BillingError:
    """The same words for what does not exist and for what belongs to somebody else."""
    return BillingError(Code.NOT_FOUND, f"There is no such {what}.", field=field)
