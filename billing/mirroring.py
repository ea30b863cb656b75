"""Brings Stripe's answers to the one door, and reads an object again where its place in the order is in doubt."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from billing.errors import BillingError
from billing.stripe_client import Answer, MissingError, StripeGateway
from mirror.apply import Applied, Arrival, apply
from mirror.order import Decision
from mirror.snapshot import Snapshot, Source, snapshot
from storage.database import Connection, Database
from storage.feed import announce

_MAX_REREADS = 5

# How to read one object of each type again. Options come last, as the SDK takes them.
_READS: Mapping[str, Callable[[Any, str, Any], Awaitable[Any]]] = {
    "account": lambda v1, id_, options: v1.accounts.retrieve_async(id_, options=options),
    "product": lambda v1, id_, options: v1.products.retrieve_async(id_, options=options),
    "price": lambda v1, id_, options: v1.prices.retrieve_async(id_, options=options),
    "coupon": lambda v1, id_, options: v1.coupons.retrieve_async(id_, options=options),
    "customer": lambda v1, id_, options: v1.customers.retrieve_async(id_, options=options),
    "payment_method": lambda v1, id_, options: v1.payment_methods.retrieve_async(id_, options=options),
    "subscription": lambda v1, id_, options: v1.subscriptions.retrieve_async(id_, options=options),
    "invoice": lambda v1, id_, options: v1.invoices.retrieve_async(id_, options=options),
    "payment_intent": lambda v1, id_, options: v1.payment_intents.retrieve_async(id_, options=options),
    "invoice_payment": lambda v1, id_, options: v1.invoice_payments.retrieve_async(id_, options=options),
    "checkout.session": lambda v1, id_, options: v1.checkout.sessions.retrieve_async(id_, options=options),
}


class UnsettledOrderError(RuntimeError):
    """An object kept changing while it was read again; the delivery is tried later."""


@dataclass(frozen=True, slots=True)
class Mirroring:
    """One tenant's way to the door. `background`: nobody waits for what it reads."""

    stripe: StripeGateway
    tenant_id: int
    account: str
    livemode: bool
    background: bool = False

    def arrival(self, answer: Answer, *, read_epoch: int | None = None) -> Arrival:
        """An answer as something to apply; `read_epoch` is the object's epoch just before the call."""
        return Arrival(self.tenant_id, self._snapshot(answer.body, answer, Source.API), read_epoch)

    def enclosed(self, answer: Answer) -> list[Arrival]:
        """What an answer holds beside its own object: a subscription's latest invoice and what was tried to pay it."""
        invoice = answer.body.get("latest_invoice")
        if not isinstance(invoice, Mapping):
            return []
        tried = (invoice.get("payments") or {}).get("data", [])
        return [self.arrival(replace(answer, body=body)) for body in (invoice, *tried)]

    def _snapshot(self, body: Mapping[str, Any], answer: Answer, source: Source) -> Snapshot:
        return snapshot(
            body,
            stamp=answer.stamp,
            source=source,
            livemode=self.livemode,
            request=answer.request,
            skewed=answer.replayed,
        )

    async def settle(
        self, arrival: Arrival, transact: Callable[[Arrival], Awaitable[Applied]]
    ) -> tuple[Applied, list[Decision]]:
        """Apply in a transaction of `transact`, reading again as long as the order is in doubt."""
        decisions: list[Decision] = []
        for _ in range(_MAX_REREADS):
            applied = await transact(arrival)
            result = applied.results[0]
            decisions.append(result.decision)
            if result.decision is not Decision.REREAD:
                return applied, decisions
            arrival = await self.reread(arrival.snapshot, result.epoch)
        raise UnsettledOrderError(arrival.snapshot.stripe_id)

    async def bring(self, database: Database, arrival: Arrival) -> None:
        """Apply what came beside an answer, reading again where that is in doubt.

        Best effort: where it can't be settled now it is left to the events, which bring it anyway.
        """
        with suppress(UnsettledOrderError, BillingError):
            await self.settle(arrival, lambda each: apply_as_tenant(database, each))

    async def reread(self, old: Snapshot, epoch: int) -> Arrival:
        """Read an object from Stripe, whole; `epoch` is what the door said when it asked for it."""
        read = _READS[old.kind.object]
        owner = None if old.kind.object == "account" else self.account
        try:
            answer = await self.stripe.call(
                owner, lambda v1, options: read(v1, old.stripe_id, options), background=self.background
            )
        except MissingError:
            return Arrival(self.tenant_id, _tombstone(replace(old, source=Source.REREAD), old), epoch)
        found = await self.whole(answer.body, answer)
        return Arrival(self.tenant_id, _tombstone(found, old) if found.deleted else found, read_epoch=epoch)

    async def whole(self, body: Mapping[str, Any], answer: Answer) -> Snapshot:
        """A re-read's object with all of its lines, however many pages they take."""
        if body.get("object") == "invoice" and body["lines"].get("has_more"):
            rest = await self._all_lines(str(body["id"]))
            body = {**body, "lines": {**body["lines"], "data": rest, "has_more": False}}
        return self._snapshot(body, answer, Source.REREAD)

    async def invoice_payments(self, invoice: str) -> list[Arrival]:
        """The payments that were tried for an invoice, as Stripe lists them now (never more than a hundred)."""
        params = {"invoice": invoice, "limit": 100}
        page = await self.stripe.call(
            self.account,
            lambda v1, options: v1.invoice_payments.list_async(params, options),
            background=self.background,
        )
        return [self.arrival(replace(page, body=body)) for body in page.body["data"]]

    async def _all_lines(self, invoice: str) -> list[Mapping[str, Any]]:
        lines: list[Mapping[str, Any]] = []
        while True:
            after = {"starting_after": lines[-1]["id"]} if lines else {}
            params = {"limit": 100} | after
            page = await self.stripe.call(
                self.account,
                lambda v1, options, params=params: v1.invoices.line_items.list_async(invoice, params, options),  # type: ignore[misc]
                background=self.background,
            )
            lines += page.body["data"]
            if not page.body["has_more"]:
                return lines


def _tombstone(found: Snapshot, told: Snapshot) -> Snapshot:
    """That an object is gone, with what an event told of it: so that one never seen before leaves a tombstone too.

    Not with parts: they have another shape in each version of the API, and are never deleted once they are final.
    """
    body = told.body if told.kind.children is None else {}
    gone = {"object": told.kind.object, "id": told.stripe_id, "deleted": True}
    return replace(found, body={**body, **gone}, deleted=True)


async def apply_as_tenant(database: Database, arrival: Arrival) -> Applied:
    """Apply in a transaction of the bound tenant's, and tell every process."""
    return await apply_all_as_tenant(database, [arrival])


async def apply_all_as_tenant(database: Database, arrivals: Sequence[Arrival]) -> Applied:
    """The same for many at once; what is in doubt is the caller's to read again."""
    async with database.app_transaction() as connection:
        applied = await apply(connection, arrivals)
    return await told(database.app, applied)


async def apply_as_system(database: Database, arrival: Arrival) -> Applied:
    """Apply in a transaction of the system's, and tell every process."""
    async with database.system_transaction() as connection:
        applied = await apply(connection, [arrival])
    return await told(database.system, applied)


async def told(connection: Connection, applied: Applied) -> Applied:
    """Tell every process, after the commit."""
    if applied.revision:
        await announce(connection, applied.scopes, applied.revision)
    return applied
