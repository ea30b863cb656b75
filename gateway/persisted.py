"""Documents that are named by their hash: those that a tenant trusts, and those that a client has sent before."""

from collections import OrderedDict
from dataclasses import dataclass, field

from gateway.wire import Asked, BadRequestError, hash_of
from storage import revisions
from storage.cache import LookupCache
from storage.database import Database
from storage.feed import RevisionBook
from tenants.context import Caller, Role

_OVERHEAD = 200  # characters that an entry takes beside its document's own


@dataclass(slots=True)
class Sent:
    """What clients sent before, by tenant: no tenant can push another's out before it has filled its own share.

    `kept` and `share` bound the characters of all and of one tenant; of what is longer than `longest` nothing is kept.
    """

    longest: int = 65_536
    kept: int = 8_000_000
    share: int = 500_000
    _of: "OrderedDict[int, OrderedDict[str, str]]" = field(default_factory=OrderedDict)
    _sizes: dict[int, int] = field(default_factory=dict)

    def get(self, tenant: int, hash_: str) -> str | None:
        mine = self._of.get(tenant)
        return mine.get(hash_) if mine else None

    def keep(self, tenant: int, hash_: str, query: str) -> None:
        if len(query) > self.longest:
            return
        mine = self._of.setdefault(tenant, OrderedDict())
        self._of.move_to_end(tenant)
        if hash_ not in mine:
            mine[hash_] = query
            self._sizes[tenant] = self._sizes.get(tenant, 0) + len(query) + _OVERHEAD
        mine.move_to_end(hash_)
        while self._sizes[tenant] > self.share:
            self._sizes[tenant] -= len(mine.popitem(last=False)[1]) + _OVERHEAD
        while sum(self._sizes.values()) > self.kept:
            self._sizes.pop(self._of.popitem(last=False)[0])


@dataclass(slots=True)
class Persisted:
    """Finds a document by its hash. What a client sent before is remembered per tenant, within a bound."""

    database: Database
    book: RevisionBook
    cache: LookupCache
    sent: Sent = field(default_factory=Sent)

    async def document(self, caller: Caller, asked: Asked) -> str:
        """The text to run. Where the tenant trusts its own documents alone, a customer's token may run no other."""
        strict = caller.tenant.trusted_only and caller.role is Role.CUSTOMER
        if asked.query is not None:
            if strict and hash_of(asked.query) not in await self._trusted(caller):
                raise BadRequestError(403, "DOCUMENT_NOT_TRUSTED", "The tenant has not registered this document.")
            if asked.hash is not None and not strict:
                self.sent.keep(caller.tenant.id, asked.hash, asked.query)
            return asked.query
        assert asked.hash is not None
        found = (await self._trusted(caller)).get(asked.hash)
        if found is None and strict:
            raise BadRequestError(403, "DOCUMENT_NOT_TRUSTED", "The tenant has not registered this document.")
        found = found or self.sent.get(caller.tenant.id, asked.hash)
        if found is None:
            # In the words of the clients that know what to do then: they send the document with its hash.
            raise BadRequestError(400, "PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound")
        return found

    async def _trusted(self, caller: Caller) -> dict[str, str]:
        tenant = caller.tenant.id
        number = (await self.book.numbers(tenant, [revisions.SETTINGS]))[revisions.SETTINGS]

        async def load() -> dict[str, str]:
            rows = await self.database.app.execute_query_dict(
                "select hash, document from trusted_documents where tenant_id = $1", [tenant]
            )
            return {row["hash"]: row["document"] for row in rows}

        return await self.cache.get("documents", number, str(tenant), load)
