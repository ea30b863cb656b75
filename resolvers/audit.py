"""The audit log, for a tenant's administrators: looking at it leaves an entry too."""

from mirror.queries import Page
from resolvers.permission import inspects
from schema.audit import AuditEntry, AuditFilter, audit_entry
from schema.context import Info
from schema.inputs import Narrowed
from schema.pagination import After, Before, Connection, First, Last, Order, Ordered, connection, window
from schema.values import BadInputError
from tenants import audit


@inspects
async def audit_entries(
    info: Info,
    filter: Narrowed[AuditFilter] = None,  # noqa: A002 (the API's word)
    first: First = None,
    last: Last = None,
    after: After = None,
    before: Before = None,
    order: Ordered = Order.NEWEST_FIRST,
) -> Connection[AuditEntry]:
    context, given = info.context, filter or AuditFilter()
    wanted = audit.Wanted(context.caller.tenant.id, given.action, given.target)
    if any("\0" in word for word in (given.action or "", given.target or "")):
        raise BadInputError("A filter can't hold a NUL.")
    asked = window(first, last, after, before, order)
    rows = await audit.page(
        context.read,
        wanted,
        _number(asked.after),
        _number(asked.before),
        size=asked.size + 1,
        oldest_first=asked.backwards,
    )
    more, kept = len(rows) > asked.size, rows[: asked.size]
    if asked.backwards:
        kept.reverse()

    async def counter() -> int:
        return await audit.count(context.read, wanted)

    return connection(Page(tuple(kept), more), asked, audit_entry, counter, order)


def _number(cursor: tuple[object, str] | None) -> int | None:
    """The entry's number in a cursor of this list."""
    if cursor is None:
        return None
    text = cursor[1]
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise BadInputError("The cursor is not one of this list.")
    return int(text)
