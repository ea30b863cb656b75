"""The application's database client: every connection it hands out is bound to the task's tenant.

Tortoise finds it by the dotted name of this module (`engine`). The pool's own reset clears the setting when a
connection comes back, so that a connection without a tenant sees no row.
"""

from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionContext, TransactionContextPooled

from storage.binding import bound_tenant


class TenantChangedInTransactionError(RuntimeError):
    """A transaction belongs to the tenant it began with; the task has bound another one since."""


class TenantBoundTransaction(TransactionWrapper):
    """A transaction that refuses to be used for another tenant than the one it was begun for."""

    def __init__(self, connection: AsyncpgDBClient) -> None:
        super().__init__(connection)
        self._tenant = bound_tenant()

    def acquire_connection(self) -> Any:
        if bound_tenant() != self._tenant:
            raise TenantChangedInTransactionError
        return super().acquire_connection()


class TenantBoundClient(AsyncpgDBClient):
    """Binds each connection at the moment it is taken from the pool."""

    async def create_pool(self, **options: Any) -> asyncpg.Pool:
        async def bind(connection: Any) -> None:
            if (tenant := bound_tenant()) is not None:
                await connection.execute("select set_config('app.tenant', $1, false)", str(tenant))

        return await asyncpg.create_pool(None, setup=bind, **options)

    def _in_transaction(self) -> TransactionContext:
        return TransactionContextPooled(TenantBoundTransaction(self), self._pool_init_lock)


client_class = TenantBoundClient
