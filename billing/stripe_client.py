"""Stripe's API for one connected account at a time: the official SDK, with our time-outs, keys and refusals."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import orjson
import stripe

from billing.errors import BillingError, Code
from billing.pressure import Limits, Pressure, StripeAwayError, TooBusyError, Turn

_RETRIES = 1  # a second try under the same key; longer waiting is the caller's choice


@dataclass(frozen=True, slots=True)
class Answer:
    """What Stripe answered: the JSON object, and the answer's Date, which stamps it in the mirror.

    `request` is Stripe's id of the request; `replayed` says that Stripe repeated an old answer under its key.
    """

    body: Mapping[str, Any]
    stamp: datetime
    request: str | None = None
    replayed: bool = False


class UnknownOutcomeError(BillingError):
    """Stripe may or may not have done it: the same idempotency key must be used again."""

    def __init__(self, *, saved: bool) -> None:
        super().__init__(
            Code.STRIPE_UNAVAILABLE, "Stripe can't be reached now. Try again with the same idempotencyKey."
        )
        self.saved = saved


class MissingError(BillingError):
    """Stripe has no such object in this account."""

    def __init__(self, message: str, *, field: str | None) -> None:
        super().__init__(Code.STRIPE_REFUSED, message, field=field)


class StripeGateway:
    """One SDK client for all tenants: it has no account of its own, each call names one."""

    def __init__(self, *, api_key: str, base: str | None, timeout: float, limits: Limits | None = None) -> None:
        """`base` is the address of a stand-in, None for Stripe itself; `timeout` is in seconds."""
        self.pressure = Pressure(limits or Limits())
        stripe.enable_telemetry = False
        self._http = stripe.AIOHTTPClient(timeout=aiohttp.ClientTimeout(total=timeout, connect=2.0))
        addresses = {"api": base, "connect": base, "files": base, "meter_events": base} if base else {}
        self._client = stripe.StripeClient(
            api_key,
            http_client=self._http,
            base_addresses=addresses,  # type: ignore[arg-type]  # a TypedDict that may be empty
            max_network_retries=_RETRIES,
        )

    async def close(self) -> None:
        await self._http.close_async()  # type: ignore[no-untyped-call]

    async def call(
        self,
        account: str | None,
        act: Callable[[Any, Any], Awaitable[Any]],
        *,
        idempotency_key: str | None = None,
        background: bool = False,
    ) -> Answer:
        """Run `act(services, options)` for an account (None: the platform); refusals come as BillingError.

        `background` is work that nobody waits for: it keeps to a budget, so that requests find room.
        """
        options: dict[str, Any] = {}
        if account is not None:
            options["stripe_account"] = account
        if idempotency_key is not None:
            options["idempotency_key"] = idempotency_key
        try:
            async with self.pressure.request(account or "", background=background) as turn:
                answered = await self._act(act, options, turn)
        except StripeAwayError:
            raise UnknownOutcomeError(saved=False) from None
        except TooBusyError:
            raise BillingError(
                Code.RATE_LIMITED,
                "Too many requests of this tenant are under way. Try again with the same idempotencyKey.",
            ) from None
        headers = {name.lower(): value for name, value in answered.last_response.headers.items()}
        return Answer(
            orjson.loads(answered.last_response.body),
            _stamp(headers),
            request=headers.get("request-id"),
            replayed=headers.get("idempotent-replayed") == "true",
        )

    async def _act(self, act: Callable[[Any, Any], Awaitable[Any]], options: Any, turn: Turn) -> Any:
        try:
            answered = await act(self._client.v1, options)
        except stripe.StripeError as error:
            found = refusal(error)
            if isinstance(error, stripe.RateLimitError):
                turn.slow_down()
            elif isinstance(found, UnknownOutcomeError):
                turn.failed()
            else:
                turn.answered()
            raise found from error
        turn.answered()
        return answered


def _stamp(headers: Mapping[str, str]) -> datetime:
    date = headers.get("date")
    return parsedate_to_datetime(date) if date else datetime.now(UTC).replace(microsecond=0)


def refusal(error: stripe.StripeError) -> BillingError:
    """Stripe's error as one of ours; messages of Stripe's are meant for people and carry no secret."""
    detail = error.error
    message = error.user_message or "Stripe refused the request."
    if isinstance(error, stripe.CardError):
        return BillingError(
            Code.CARD_DECLINED,
            message,
            decline_code=getattr(detail, "decline_code", None),
            advice_code=getattr(detail, "advice_code", None),
        )
    if isinstance(error, stripe.RateLimitError):
        return BillingError(Code.RATE_LIMITED, "Stripe asks us to slow down. Try again with the same idempotencyKey.")
    if isinstance(error, stripe.IdempotencyError):
        return BillingError(Code.IDEMPOTENCY_KEY_REUSED, "This idempotencyKey was used with another input.")
    if isinstance(error, stripe.InvalidRequestError) and error.code == "resource_missing":
        return MissingError(message, field=error.param)
    if isinstance(error, stripe.InvalidRequestError):
        return BillingError(Code.STRIPE_REFUSED, message, field=error.param)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return BillingError(Code.TENANT_NOT_READY, "Stripe does not let us act for this account.")
    # a 5xx is saved under its key at Stripe and would only be repeated; a broken connection is not
    return UnknownOutcomeError(saved=(error.http_status or 0) >= 500)
