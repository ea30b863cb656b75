"""What a resolver is handed: the caller, and loaders that gather the reads of one request into few queries."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakSet

from graphql import DocumentNode, GraphQLSchema
from strawberry import Info as StrawberryInfo
from strawberry.dataloader import DataLoader

from billing.operations import Operations
from mirror import queries
from mirror.queries import Page, Row, View, Window
from schema.values import BadInputError
from storage.cache import LookupCache
from storage.database import Connection, Database
from tenants.audit import Author, author
from tenants.context import Caller, Role
from tenants.sessions import SessionKeys

K = TypeVar("K")
V = TypeVar("V")


async def _never() -> AsyncIterator[int]:
    """Where nothing is live."""
    none: tuple[int, ...] = ()
    for number in none:
        yield number


async def _nowhere() -> int:
    """Where nothing is kept."""
    return 0


@dataclass(slots=True)
class RequestContext:
    """One request. Loaders live no longer than it does, so that nothing is shared between callers."""

    caller: Caller
    database: Database
    operations: Operations
    sessions: SessionKeys
    cache: LookupCache
    catalog_revision: Callable[[], Awaitable[int]]
    request_id: str
    revisions: Callable[[], AsyncIterator[int]] = _never
    settings_changed: Callable[[], Awaitable[int]] = _nowhere
    revision: int | None = None
    unpaged_most: int = 10_000
    """How many objects the lists without pages may hold in one answer: their length is not in what was paid for."""
    _unpaged: int = 0
    document: DocumentNode | None = None
    valid_for: "WeakSet[GraphQLSchema] | None" = None
    _loaders: dict[object, DataLoader[Any, Any]] = field(default_factory=dict)

    @property
    def view(self) -> View:
        return View(self.caller.tenant.id, self.caller.livemode, self.caller.customer)

    @property
    def read(self) -> Connection:
        """The tenant's own connection: row-level security is on it."""
        return self.database.app

    @property
    def author(self) -> Author:
        """How the audit log names the request."""
        return author(self.caller, self.request_id)

    @property
    def masked(self) -> bool:
        """Support sees no personal data."""
        return self.caller.role is Role.SUPPORT

    def unpaged(self, rows: Sequence[V]) -> Sequence[V]:
        """The rows of a list without pages, if the answer may hold them too; raises BadInputError."""
        self._unpaged += len(rows)
        self._check(self._unpaged)
        return rows

    def _check(self, count: int) -> None:
        if count > self.unpaged_most:
            raise BadInputError(f"The lists without pages hold more than {self.unpaged_most} objects. Ask for fewer.")

    def renew(self) -> None:
        """Forget what was loaded: a mutation has changed it."""
        self._loaders.clear()

    def _loader(self, name: object, load: Callable[[list[K]], Awaitable[list[V]]]) -> DataLoader[K, V]:
        if name not in self._loaders:
            self._loaders[name] = DataLoader(load_fn=load)
        return self._loaders[name]

    async def one(self, table: str, stripe_id: str) -> Row | None:
        """An object by Stripe's id, if the caller may see it."""

        async def load(ids: list[str]) -> list[Row | None]:
            found = await queries.by_ids(self.read, table, self.view, ids)
            return [found.get(id_) for id_ in ids]

        return await self._loader(table, load).load(stripe_id)

    async def page_of(self, table: str, column: str, parent: str, window: Window) -> Page:
        """A page of the objects that belong to a parent."""

        async def load(parents: list[str]) -> list[Page]:
            found = await queries.pages_by(self.read, table, self.view, column, parents, window)
            return [found[id_] for id_ in parents]

        return await self._loader((table, column, window), load).load(parent)

    async def count_of(self, table: str, column: str, parent: str) -> int:
        """How many objects belong to a parent."""

        async def load(parents: list[str]) -> list[int]:
            found = await queries.counts_by(self.read, table, self.view, column, parents)
            return [found[id_] for id_ in parents]

        return await self._loader((table, column, "count"), load).load(parent)

    async def parts(self, table: str, parent: str) -> tuple[Row, ...]:
        """Items of a subscription or lines of an invoice."""

        async def load(parents: list[str]) -> list[tuple[Row, ...]]:
            found = await queries.children(self.read, table, self.view, parents, self.unpaged_most + 1)
            self._check(sum(map(len, found.values())))
            return [found[id_] for id_ in parents]

        return tuple(self.unpaged(await self._loader((table, "parts"), load).load(parent)))

    async def payments(self, invoice: str) -> tuple[Row, ...]:
        """What was tried to pay an invoice."""

        async def load(invoices: list[str]) -> list[tuple[Row, ...]]:
            found = await queries.payments_of_invoices(self.read, self.view, invoices)
            return [found[id_] for id_ in invoices]

        return tuple(self.unpaged(await self._loader("payments", load).load(invoice)))


Info = StrawberryInfo[RequestContext, None]
