"""What Stripe says about our right to act for an account: calls stop when it is taken away."""

from storage.database import Database
from tenants import registry
from webhooks import inbox, jobs
from webhooks.inbox import Event, Outcome

_STATUS = {"account.application.deauthorized": "disconnected", "account.application.authorized": "active"}
TYPES = frozenset(_STATUS)


async def handle(database: Database, event: Event, tenant_id: int) -> None:
    """Disconnect the tenant, or connect it again; its data stays readable.

    An older word does not undo a newer one. Who comes back gets a reconcile: events were missed meanwhile.
    """
    status = _STATUS[event.type]
    if await registry.connection_changed(database, tenant_id, status=status, at=event.created) and status == "active":
        await jobs.request(database.system, tenant_id, jobs.JobKind.RECONCILE)
    await inbox.settle(database.system, [(event.id, Outcome.CONNECTION)])
