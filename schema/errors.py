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


# Stripe's parameters by the fields of our inputs that they come from; others are nobody's to mend by field.
_FIELDS = {
    "discounts[0][coupon]": "coupon",
    "default_payment_method": "paymentMethod",
    "invoice_settings[default_payment_method]": "defaultPaymentMethod",
    "payment_method": "paymentMethod",
    "items[0][price]": "plan",
    "items[0][quantity]": "quantity",
    "line_items[0][price]": "plan",
    "line_items[0][quantity]": "quantity",
    "trial_period_days": "trialPeriodDays",
    "success_url": "successUrl",
    "cancel_url": "cancelUrl",
    "return_url": "returnUrl",
}


def _field(name: str | None) -> str | None:
    """Where in the input a refusal of ours or of Stripe's is at home."""
    if name is None or name in _FIELDS:
        return name and _FIELDS[name]
    outer, bracket, inner = name.partition("[")
    if bracket:
        return {"address": f"address.{_camel(inner.rstrip(']'))}", "metadata": "externalId"}.get(outer)
    return None if "_" in name else name


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def shown(error: errors.BillingError) -> BillingError:
    """The refusal as a payload's error."""
    field = _field(error.field)
    if error.code is errors.Code.CARD_DECLINED:
        return CardError(
            message=error.message,
            code=error.code,
            field=field,
            decline_code=error.decline_code,
            advice_code=error.advice_code,
        )
    return RequestError(message=error.message, code=error.code, field=field)
