"""Which tenant the current task works for: the one value that row-level security compares against."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_tenant: ContextVar[int | None] = ContextVar("tenant", default=None)


def bound_tenant() -> int | None:
    """The tenant that queries of this task are bound to, or None: then the database shows no row at all."""
    return _tenant.get()


@contextmanager
def bind_tenant(tenant_id: int) -> Iterator[None]:
    """Bind every query of this task, and of tasks it starts inside, to one tenant."""
    token = _tenant.set(tenant_id)
    try:
        yield
    finally:
        _tenant.reset(token)
