"""Documents that are named by their hash: those that a tenant trusts, and those that a client has sent before."""

from collections import OrderedDict
from dataclasses import dataclass, field

from gateway.wire import Asked, BadRequestError, hash_of
from storage import revisions
from storage.cache import LookupCache
from storage.database import Database
from storage.feed import RevisionBook
from tenants.context import Caller, Role


@dataclass(slots=True)
class Persisted:
    """Finds a document by its hash. What a client sent before is remembered per tenant, within a bound."""

    database: Database
    book: RevisionBook
    cache: LookupCache
    kept: int = 2_000
    _sent: "OrderedDict[tuple[int, str], str]" = field(default_factory=OrderedDict)

    async def document(self, caller: Caller, asked: Asked) -> str:
        """The text to run. Where the tenant trusts its own documents alone, a customer's token may run no other."""
        strict = caller.tenant.trusted_only and caller.role is Role.CUSTOMER
        if asked.query is not None:
            if strict and hash_of(asked.query) not in await self._trusted(caller):
                raise BadRequestError(403, "DOCUMENT_NOT_TRUSTED", "The tenant has not registered this document.")
            if asked.hash is not None and not strict:
                self._remember(caller.tenant.id, asked.hash, asked.query)
            return asked.query
        assert asked.hash is not None
        found = (await self._trusted(caller)).get(asked.hash)
        if found is None and strict:
            raise BadRequestError(403, "DOCUMENT_NOT_TRUSTED", "The tenant has not registered this document.")
        found = found or self._sent.get((caller.tenant.id, asked.hash))
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

    def _remember(self, tenant: int, hash_: str, query: str) -> None:
        self._sent[tenant, hash_] = query
        self._sent.move_to_end((tenant, hash_))
        if len(self._sent) > self.kept:
            self._sent.popitem(last=False)
