"""Expected refusals as the API shows them: an interface with a closed code, in every payload's `errors`."""

import strawberry

from billing import errors

strawberry.enum(errors.Code, name="BillingErrorCode", description="Why something was refused.")


@strawberry.interface(description="Why a mutation was refused.")
class BillingError:
    message: str = strawberry.field(description="For people.")
    code: errors.Code = strawberry.field(description="For programs.")
    field: str | None = strawberry.field(description="The path in the input, where one is at fault.")


@strawberry.type(description="The request can't be carried out as it is.")
class RequestError(BillingError):
    pass


@strawberry.type(description="The bank or Stripe declined the payment.")
class CardError(BillingError):
    decline_code: str | None = strawberry.field(description="The bank's reason, in Stripe's words.")
    advice_code: str | None = strawberry.field(description="What Stripe advises to do next.")


def shown(error: errors.BillingError) -> BillingError:
    """The refusal as a payload's error."""
    if error.code is errors.Code.CARD_DECLINED:
        return CardError(
            message=error.message,
            code=error.code,
            field=error.field,
            decline_code=error.decline_code,
            advice_code=error.advice_code,
        )
    return RequestError(message=error.message, code=error.code, field=error.field)
