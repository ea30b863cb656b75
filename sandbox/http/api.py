"""One API request from bytes to bytes: key, account, route, parameters, idempotency, transaction."""

import logging
from base64 import b64decode
from binascii import Error as BadBase64
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from sandbox.config import API_VERSION, Config
from sandbox.context import Context
from sandbox.errors import StripeError, invalid, not_implemented
from sandbox.http import form, parameters
from sandbox.http.expand import shown
from sandbox.ids import identifier
from sandbox.log import Log
from sandbox.operations import Operation, find
from sandbox.retention import Events
from sandbox.store import Object, Store, Transaction

MAX_KEY = 255
KEY_LIFE = 24 * 3600
RATE_LIMITED = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."

NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth "
    "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we "
    "can help at https://support.stripe.com/."
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """`headers` has lower-case names."""

    method: str
    path: str
    query: bytes
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back; `operation` names the operation reached, for the counters."""

    status: int
    body: bytes
    headers: dict[str, str]
    operation: str | None = None


class Api:
    """Answers one request after the other, each in its own transaction."""

    def __init__(self, config: Config, store: Store, log: Log, deliver: Callable[[Object], None]) -> None:
        self.config = config
        self.store = store
        self.log = log
        self.deliver = deliver
        self.requests: Counter[str] = Counter()
        self._idempotency_order: dict[tuple[str, str], int] = {}
        self._in_flight: set[tuple[str, str]] = set()
        self.reindex()

    def reindex(self) -> None:
        """Learn anew what the store holds, after it was filled otherwise than by requests."""
        self._events = Events(self.store, self.config.events_kept)
        self._idempotency_order = {
            (account, key): kept["created"]
            for account, tables in self.store.accounts.items()
            for key, kept in tables.get("_idempotency", {}).items()
        }

    def answer(self, request: Request, *, failure: StripeError | None = None) -> Answer:
        """`failure` is what the sandbox was told to answer, and to keep under the idempotency key.

        With its `keep` the request takes effect first.
        """
        self.store.sequence += 1
        request_id = identifier("req", self.config.seed, self.store.sequence, "")
        headers = {
            "Request-Id": request_id,
            "Stripe-Version": request.headers.get("stripe-version", API_VERSION),
            "Content-Type": "application/json",
        }
        name: str | None = None
        try:
            account = self._account(request.headers, headers)
            found = find(request.method, request.path)
            if found is None:
                raise not_implemented(request.method, request.path)
            name = found[0].name
            self.requests[name] += 1
            self._limit(account, name, headers)
            status, body = self._run(request, account, *found, headers, failure)
        except StripeError as error:
            status, body = error.status, self._refusal(error, request_id)
        except Exception:  # noqa: BLE001  the answer to any fault of the sandbox is 500
            _log.exception("%s %s failed", request.method, request.path)
            status, body = 500, self._refusal(_crash(), request_id)
        if request.method == "POST":
            headers["Stripe-Should-Retry"] = "true" if status in {409, 429} else "false"
        return Answer(status, body, headers, name)

    @contextmanager
    def in_flight(self, request: Request) -> Iterator[None]:
        """While an answer is held back, its idempotency key is in use."""
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        mark = (request.headers.get("stripe-account", self.config.platform), key or "")
        first = key is not None and mark not in self._in_flight
        if first:
            self._in_flight.add(mark)
        try:
            yield
        finally:
            if first:
                self._in_flight.discard(mark)

    def _account(self, given: dict[str, str], headers: dict[str, str]) -> str:
        key = bearer(given.get("authorization", ""))
        if key not in self.config.api_keys:
            message = NO_KEY if not key else f"Invalid API Key provided: {_mask(key)}"
            raise invalid(message, status=401)
        account = given.get("stripe-account", self.config.platform)
        if account != self.config.platform:
            known = self.store.table(self.config.platform, "account").get(account)
            if known is None or known.get("_deauthorized"):
                message = (
                    f"The provided key '{_mask(key)}' does not have access to account '{account}' "
                    "(or that account does not exist). Application access may have been revoked."
                )
                raise invalid(message, code="account_invalid", status=403)
            headers["Stripe-Account"] = account
        return account

    def _limit(self, account: str, operation: str, headers: dict[str, str]) -> None:
        reason = self.store.limits.exceeded(account, operation, self.config.clock())
        if reason is not None:
            headers["Stripe-Rate-Limited-Reason"] = reason
            raise StripeError(429, "invalid_request_error", RATE_LIMITED, code="rate_limit")

    def _run(
        self,
        request: Request,
        account: str,
        operation: Operation,
        path: dict[str, str],
        headers: dict[str, str],
        failure: StripeError | None,
    ) -> tuple[int, bytes]:
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        mark = ""
        if key is not None:
            headers |= {"Idempotency-Key": key, "Original-Request": headers["Request-Id"]}
            mark = fingerprint(request)
            kept = self._replay(account, key, mark, request.path, headers)
            if kept is not None:
                return kept
        given = form.parse(request.query)
        if request.method == "POST":
            given |= form.parse(request.body)
        params = parameters.check(operation.name, given)
        if operation.takes is not None and not params.keys() <= operation.takes:
            ignored = ", ".join(sorted(params.keys() - operation.takes))
            raise not_implemented(request.method, f"{operation.name.partition(' ')[2]} with {ignored}")
        tx = Transaction(self.store)
        ctx = Context(tx, self.config, account, int(self.config.clock()), params, path, headers["Request-Id"], key)
        status = 200
        try:
            if failure is not None and not failure.keep:
                raise failure
            body = orjson.dumps(shown(ctx, operation.run(ctx), params.pop("expand", None) or []))
            if failure is not None:
                raise failure
        except StripeError as error:
            if not error.keep:
                tx.rollback()
            status, body = error.status, self._refusal(error, headers["Request-Id"])
        except Exception:  # noqa: BLE001
            # A fault of the sandbox is answered as Stripe answers its own, and a retry gets the same answer.
            tx.rollback()
            _log.exception("%s failed", operation.name)
            status, body = 500, self._refusal(_crash(), headers["Request-Id"])
        if key is not None:
            self._keep(tx, ctx, key, {"fingerprint": mark, "path": request.path}, status, body)
        self.commit(tx)
        return status, body

    def commit(self, tx: Transaction) -> None:
        """Write the record, and only then start the deliveries."""
        self._events.trim(tx, int(self.config.clock()))
        deliveries = tx.inserted("_delivery")
        record = tx.commit()
        if record is not None:
            self.log.append(record)
        for _, delivery in deliveries:
            self.deliver(delivery)

    def _replay(
        self, account: str, key: str, mark: str, path: str, headers: dict[str, str]
    ) -> tuple[int, bytes] | None:
        if len(key) > MAX_KEY:
            raise invalid(f"Idempotency keys may have at most {MAX_KEY} characters.")
        if (account, key) in self._in_flight:
            raise StripeError(
                409,
                "idempotency_error",
                f"There is currently another in-progress request using this Stripe-Idempotency-Key ({key}) "
                "(that probably means you submitted twice, and the other request is still going through). "
                "Please try again later.",
                code="idempotency_key_in_use",
            )
        kept = self.store.table(account, "_idempotency").get(key)
        if kept is None or kept["created"] < self.config.clock() - KEY_LIFE:
            return None
        if kept.get("path", path) != path:
            message = (
                "Keys for idempotent requests can only be used for the same endpoint they were first used for "
                f"('{path}' vs '{kept['path']}'). Try using a key other than '{key}' if you meant to execute a "
                "different request."
            )
            raise StripeError(400, "idempotency_error", message)
        if kept["fingerprint"] != mark:
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were first used "
                f"with. Try using a key other than '{key}' if you meant to execute a different request."
            )
            raise StripeError(400, "idempotency_error", message)
        headers |= {"Idempotent-Replayed": "true", "Original-Request": kept["request"]}
        return kept["status"], kept["body"].encode()

    def _keep(self, tx: Transaction, ctx: Context, key: str, marks: Object, status: int, body: bytes) -> None:
        kept = {
            "id": key,
            "object": "_idempotency",
            "created": ctx.now,
            **marks,
            "request": ctx.request_id,
            "status": status,
            "body": body.decode(),
        }
        self._idempotency_order.pop((ctx.account, key), None)
        self._idempotency_order[ctx.account, key] = ctx.now
        while self._idempotency_order:
            (account, oldest), created = next(iter(self._idempotency_order.items()))
            few = len(self._idempotency_order) <= self.config.idempotency_keys_kept
            if few and created >= ctx.now - KEY_LIFE:
                break
            del self._idempotency_order[account, oldest]
            tx.delete(account, "_idempotency", oldest)
        tx.insert(ctx.account, "_idempotency", kept)

    def _refusal(self, error: StripeError, request_id: str) -> bytes:
        more: dict[str, Any] = {}
        if error.status < 500 and error.status != 401:
            url = f"https://dashboard.stripe.com/test/logs/{request_id}?t={int(self.config.clock())}"
            more["request_log_url"] = url
        return orjson.dumps({"error": dict(sorted((error.error | more).items()))})


def _crash() -> StripeError:
    return StripeError(500, "api_error", "An error occurred inside the sandbox. Its log says more.")


def fingerprint(request: Request) -> str:
    """Two requests with the same are the same request."""
    whole = b"\n".join((request.method.encode(), request.path.encode(), request.query, request.body))
    return blake2b(whole, digest_size=16).hexdigest()


def bearer(authorization: str) -> str:
    """The key in an Authorization header, Bearer or Basic; empty where there is none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return b64decode(value, validate=True).decode().partition(":")[0]
        except (BadBase64, UnicodeDecodeError):
            return ""
    return ""


def _mask(key: str) -> str:
    return key[:8] + "*" * 8 + key[-4:] if len(key) > 16 else "*" * len(key)
