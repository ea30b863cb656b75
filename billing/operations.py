"""How every mutation runs: claim the idempotency key, call Stripe, apply its answer and audit it in one transaction.

A process may die between any two steps. The claim is a row with a lease: who comes again with the same key after the
lease goes on where the dead one stopped, under the same key at Stripe, which answers what it answered before.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson

from billing.errors import BillingError, Code
from billing.mirroring import Mirroring, UnsettledOrderError
from billing.stripe_client import Answer, StripeGateway, UnknownOutcomeError
from mirror.apply import Applied, Arrival, apply, epoch
from mirror.kinds import KINDS
from mirror.order import Decision
from observability.failpoints import Failpoint, passed
from storage.database import Connection, Database
from storage.feed import announce
from storage.revisions import EVERYTHING, current
from tenants import audit
from tenants.context import Caller

# Short, so that a dead process holds nobody up. Taking over from a slow one is safe: both use one key at Stripe.
_LEASE = timedelta(seconds=3)
_WAIT = 0.05
_PATIENCE = 10.0  # how long a second request with the same key waits for the first one, in seconds
_STRIPE_FORGETS = timedelta(hours=23)  # Stripe keeps answers for 24 hours; later one looks first


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked: `input` is what must be the same again under the same `key`."""

    caller: Caller
    action: str
    key: str
    input: Mapping[str, Any]
    request_id: str | None = None

    @property
    def owner(self) -> str:
        """Whose space of keys this is: a customer's own, or that of the tenant's back end with all of its tokens.

        So no customer learns of another's keys or takes them, and a repetition under a rotated token is still one.
        """
        return self.caller.customer or ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is answered, the first time and again; `body` is Stripe's answer where Stripe was asked just now."""

    object_id: str
    revision: int
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Claim:
    id: UUID
    attempt: int
    created: datetime
    answer: Outcome | None = None

    @property
    def stripe_key(self) -> str:
        return f"gw_{self.id}_{self.attempt}"


Call = Callable[[str, str], Awaitable[Answer]]
Find = Callable[[str], Awaitable[Answer | None]]


@dataclass(frozen=True, slots=True)
class Operations:
    """Runs orders for whichever tenant the task is bound to."""

    database: Database
    stripe: StripeGateway

    async def answered(self, order: Order) -> Outcome | None:
        """What an order came to that is over; None where it is new, or not over yet.

        To be asked before what the order names is looked up: a repetition gets its answer though that is gone since.
        Raises the refusal that the order came to, and IDEMPOTENCY_KEY_REUSED for another input.
        """
        tenant = order.caller.tenant
        rows = await self.database.app.execute_query_dict(
            "select input_hash, state, answer from operations"
            " where tenant_id = $1 and livemode = $2 and owner = $3 and key = $4",
            [tenant.id, tenant.livemode, order.owner, order.key],
        )
        return _judged(rows[0], order) if rows else None

    async def run(
        self,
        order: Order,
        call: Call,
        *,
        find: Find | None = None,
        target: tuple[str, str] | None = None,
        mirrored: bool = True,
    ) -> Outcome:
        """Run an order once, however often it is sent. `target` is the type and id of the object that it changes.

        `call(idempotency_key, operation_id)` makes the Stripe call. `find(operation_id)` looks for what an earlier
        call made, for the cases in which Stripe's own memory can't be used. What is not `mirrored` (short-lived
        secrets) is never stored: a repetition asks Stripe, which repeats its answer.
        """
        claim = await self._claim(order)
        if claim.answer and mirrored:
            return claim.answer
        read_epoch = await self._epoch(order, target)
        try:
            answer = await self._ask_stripe(claim, call, find)
        except BillingError as error:
            await self._give_up(order, claim, error)
            raise
        await passed(Failpoint.AFTER_STRIPE)
        if claim.answer:
            return Outcome(claim.answer.object_id, claim.answer.revision, answer.body)
        return await self._settle(order, claim, answer, read_epoch, mirrored=mirrored)

    async def _epoch(self, order: Order, target: tuple[str, str] | None) -> int | None:
        """What was judged of the target before the call: the answer is newer than all of it."""
        if target is None:
            return None
        tenant = order.caller.tenant
        return await epoch(self.database.app, tenant.id, KINDS[target[0]], target[1], livemode=tenant.livemode)

    async def _claim(self, order: Order) -> _Claim:
        digest = _digest(order)
        patience = _PATIENCE
        while True:
            claim = await self._try_claim(order, digest)
            if claim:
                return claim
            if patience <= 0:
                raise BillingError(
                    Code.IDEMPOTENCY_KEY_IN_USE,
                    "The first request with this key is still running. Try again.",
                    field="idempotencyKey",
                )
            patience -= _WAIT
            await asyncio.sleep(_WAIT)

    async def _try_claim(self, order: Order, digest: bytes) -> _Claim | None:
        now = datetime.now(UTC)
        tenant = order.caller.tenant
        async with self.database.app_transaction() as connection:
            made = await connection.execute_query_dict(
                "insert into operations (tenant_id, livemode, owner, key, action, input_hash, lease_until)"
                " values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing returning id, attempt, created",
                [tenant.id, tenant.livemode, order.owner, order.key, order.action, digest, now + _LEASE],
            )
            if made:
                return _Claim(made[0]["id"], made[0]["attempt"], made[0]["created"])
            rows = await connection.execute_query_dict(
                "select id, attempt, created, input_hash, state, lease_until, answer from operations"
                " where tenant_id = $1 and livemode = $2 and owner = $3 and key = $4 for update",
                [tenant.id, tenant.livemode, order.owner, order.key],
            )
            row = rows[0]
            answer = _judged(row, order)
            if answer is None:
                if row["lease_until"] > now:
                    return None
                await connection.execute_query(
                    "update operations set lease_until = $3 where tenant_id = $1 and id = $2",
                    [tenant.id, row["id"], now + _LEASE],
                )
            return _Claim(row["id"], row["attempt"], row["created"], answer)

    async def _ask_stripe(self, claim: _Claim, call: Call, find: Find | None) -> Answer:
        # under a later attempt, or when Stripe has forgotten the key, look before asking again
        if find and (claim.attempt > 1 or datetime.now(UTC) - claim.created > _STRIPE_FORGETS):
            found = await find(str(claim.id))
            if found:
                return found
        await passed(Failpoint.BEFORE_STRIPE)
        return await call(claim.stripe_key, str(claim.id))

    async def _give_up(self, order: Order, claim: _Claim, error: BillingError) -> None:
        """A final refusal is kept as the answer; otherwise the key is free again at once."""
        tenant = order.caller.tenant
        if claim.answer:
            return
        next_attempt = claim.attempt + (isinstance(error, UnknownOutcomeError) and error.saved)
        kept = orjson.dumps(
            {"code": error.code, "message": error.message, "field": error.field}
            | {"decline_code": error.decline_code, "advice_code": error.advice_code}
        ).decode()
        async with self.database.app_transaction() as connection:
            await connection.execute_query(
                "update operations set state = $3, answer = $4, attempt = $5, lease_until = now(), finished = now()"
                " where tenant_id = $1 and id = $2",
                [
                    tenant.id,
                    claim.id,
                    "refused" if error.final else "started",
                    kept if error.final else None,
                    next_attempt,
                ],
            )
            await self._audit(connection, order, claim, outcome=error.code)

    async def _settle(
        self, order: Order, claim: _Claim, answer: Answer, read_epoch: int | None, *, mirrored: bool
    ) -> Outcome:
        tenant = order.caller.tenant
        object_id = str(answer.body["id"])
        revision = 0

        async def transact(arrival: Arrival | None) -> Applied:
            nonlocal revision
            async with self.database.app_transaction() as connection:
                applied = await apply(connection, [arrival] if arrival else [])
                if arrival and applied.results[0].decision is Decision.REREAD:
                    return applied
                revision = applied.revision or await self._revision(connection, tenant.id)
                await self._audit(connection, order, claim, outcome="ok", target=object_id)
                await connection.execute_query(
                    "update operations set state = 'done', finished = now(), answer = $3"
                    " where tenant_id = $1 and id = $2",
                    [tenant.id, claim.id, orjson.dumps({"id": object_id, "revision": revision}).decode()],
                )
                await passed(Failpoint.BEFORE_COMMIT)
            if applied.revision:
                await announce(self.database.app, applied.scopes, applied.revision)
            return applied

        if not mirrored:
            await transact(None)
            return Outcome(object_id, revision, answer.body)
        way = Mirroring(self.stripe, tenant.id, tenant.account or "", tenant.livemode)
        for each in way.enclosed(answer):  # first, so that the operation's own revision covers it
            await way.bring(self.database, each)
        try:
            await way.settle(way.arrival(answer, read_epoch=read_epoch), transact)
        except UnsettledOrderError as error:
            # done at Stripe, and not yet ours: the same key brings the same answer again
            raise UnknownOutcomeError(saved=False) from error
        return Outcome(object_id, revision, answer.body)

    async def _revision(self, connection: Connection, tenant_id: int) -> int:
        """Where nothing changed (a webhook was faster) the tenant's present number covers the answer."""
        return (await current(connection, tenant_id, [EVERYTHING]))[EVERYTHING]

    async def _audit(
        self, connection: Connection, order: Order, claim: _Claim, *, outcome: str, target: str | None = None
    ) -> None:
        await audit.record(
            connection,
            order.caller.tenant.id,
            audit.author(order.caller, order.request_id),
            action=order.action,
            outcome=outcome,
            target=target,
            operation_id=claim.id,
        )


def _digest(order: Order, *who: str) -> bytes:
    asked = [order.action, *who, order.input]
    return hashlib.sha256(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)).digest()


def _judged(row: Mapping[str, Any], order: Order) -> Outcome | None:
    """What the order in a row came to; None while it is not over."""
    # the second is what versions before wrote, whose tokens had keys of their own
    if row["input_hash"] not in {_digest(order), _digest(order, order.caller.actor)}:
        raise BillingError(
            Code.IDEMPOTENCY_KEY_REUSED,
            "This idempotencyKey was used with another input.",
            field="idempotencyKey",
        )
    if row["state"] == "refused":
        raise _refusal(row["answer"])
    if row["state"] == "started":
        return None
    answer = orjson.loads(row["answer"])
    return Outcome(answer["id"], answer["revision"])


def _refusal(stored: Any) -> BillingError:
    answer = orjson.loads(stored)
    return BillingError(
        Code(answer["code"]),
        answer["message"],
        field=answer["field"],
        decline_code=answer["decline_code"],
        advice_code=answer["advice_code"],
    )
