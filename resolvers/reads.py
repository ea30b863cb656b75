"""Every read of the API: from the mirror alone, narrowed to what the caller may see."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from mirror import queries
from mirror.queries import MAX_PAGE, Filters, Page, Row, Window
from schema import ids
from schema.access import READERS, access
from schema.context import Info
from schema.inputs import CustomerFilter, InvoiceFilter, Narrowed, OneId, PlanFilter, SomeIds, SubscriptionFilter
from schema.pagination import After, Before, Connection, First, Last, Order, Ordered, connection, window
from schema.types import (
    Customer,
    Invoice,
    Node,
    Plan,
    Subscription,
    checkout_session,
    customer,
    invoice,
    load_customer,
    load_plan,
    payment,
    payment_method,
    plan,
    subscription,
)
from schema.values import BadInputError, Currency, known
from schema.viewer import Industry, Tenant, TenantStatus, Viewer
from tenants.context import Role

_NODES_AT_ONCE = 100
_TABLES = {
    "Subscription": ("subscriptions", subscription),
    "Invoice": ("invoices", invoice),
    "Payment": ("payments", payment),
    "PaymentMethod": ("payment_methods", payment_method),
    "CheckoutSession": ("checkout_sessions", checkout_session),
}


async def viewer(info: Info) -> Viewer:
    caller = info.context.caller
    tenant = caller.tenant
    return Viewer(
        role=caller.role,
        scopes=sorted(caller.scopes),
        tenant=Tenant(
            slug=tenant.slug,
            name=tenant.name,
            industry=known(Industry, tenant.industry),
            status=known(TenantStatus, tenant.status),
            default_currency=Currency(tenant.default_currency),
            stripe_account=tenant.account,
            livemode=tenant.livemode,
        ),
        customer=await load_customer(info, caller.customer),
    )


@access(READERS)
async def node(info: Info, id: OneId) -> Node | None:  # noqa: A002 (Relay's word)
    return await _node(info, id)


@access(READERS)
async def nodes(info: Info, ids: SomeIds) -> list[Node | None]:
    if len(ids) > _NODES_AT_ONCE:
        raise BadInputError(f"`ids` takes {_NODES_AT_ONCE} at the most.")
    return [await _node(info, id_) for id_ in ids]


async def _node(info: Info, text: str) -> Node | None:
    try:
        found = ids.decode(text)
    except ids.MalformedIdError:
        return None
    if found.type == "Plan":
        return await load_plan(info, found.stripe_id, offered=True)
    if found.type == "Customer":
        return await load_customer(info, found.stripe_id)
    if found.type not in _TABLES:
        return None
    table, build = _TABLES[found.type]
    row = await info.context.one(table, found.stripe_id)
    return build(row) if row else None


@access(READERS)
async def plans(
    info: Info,
    filter: Narrowed[PlanFilter] = None,  # noqa: A002 (the API's word)
    first: First = None,
    last: Last = None,
    after: After = None,
    before: Before = None,
    order: Ordered = Order.NEWEST_FIRST,
) -> Connection[Plan]:
    context = info.context
    asked = window(first, last, after, before, order)
    equal: dict[str, Any] = {"type": "recurring"}
    if filter:
        given = {"active": filter.active, "currency": filter.currency}
        equal |= {name: value for name, value in given.items() if value is not None}
        equal |= {"interval": filter.interval.value} if filter.interval else {}
    if context.caller.role is Role.CUSTOMER:
        equal["active"] = True
    filters = Filters(equal)

    # what a client can name in endless ways is not kept; of the rest one whole page is, and all sizes are cut from it
    endless = asked.after or asked.before or "currency" in equal
    whole = replace(asked, size=MAX_PAGE)

    async def load() -> Page:
        return await _with_products(info, asked if endless else whole, filters)

    if endless:
        found = await load()
    else:
        space = f"plans:{context.caller.tenant.id}:{context.caller.livemode}"
        key = repr((asked.backwards, sorted(equal.items())))
        found = queries.cut(await context.cache.get(space, await context.catalog_revision(), key, load), asked)

    async def counter() -> int:
        return await queries.count(context.read, "prices", context.view, filters)

    return connection(found, asked, plan, counter, order)


async def _with_products(info: Info, asked: Window, filters: Filters) -> Page:
    context = info.context
    page = await queries.page(context.read, "prices", context.view, asked, filters)
    wanted = sorted({row["product_id"] for row in page.rows})
    products = await queries.by_ids(context.read, "products", context.view, wanted)
    rows: list[Row] = []
    for row in page.rows:
        product = products.get(row["product_id"], {})
        rows.append(
            {**row, "product_name": product.get("name"), "product_description": product.get("description")},
        )
    return Page(tuple(rows), page.more)


async def _list(
    info: Info, table: str, asked: Window, equal: dict[str, Any], build: Any, order: Order
) -> Connection[Any]:
    context = info.context
    filters = Filters({name: value for name, value in equal.items() if value is not None})
    page = await queries.page(context.read, table, context.view, asked, filters)

    async def counter() -> int:
        return await queries.count(context.read, table, context.view, filters)

    return connection(page, asked, build, counter, order)


def _id(text: str | None, type_: str) -> str | None:
    """A filter's id; one that names nothing finds nothing."""
    return None if text is None else ids.stripe_id(text, type_) or ""


def _states(given: Sequence[Any] | None) -> list[str] | None:
    return None if given is None else [state.value for state in given]


@access(READERS)
async def customers(
    info: Info,
    filter: Narrowed[CustomerFilter] = None,  # noqa: A002 (the API's word)
    first: First = None,
    last: Last = None,
    after: After = None,
    before: Before = None,
    order: Ordered = Order.NEWEST_FIRST,
) -> Connection[Customer]:
    given = filter or CustomerFilter()
    equal = {"email": given.email, "external_id": given.external_id}
    masked = info.context.masked
    asked = window(first, last, after, before, order)
    return await _list(info, "customers", asked, equal, lambda row: customer(row, masked=masked), order)


@access(READERS)
async def subscriptions(
    info: Info,
    filter: Narrowed[SubscriptionFilter] = None,  # noqa: A002 (the API's word)
    first: First = None,
    last: Last = None,
    after: After = None,
    before: Before = None,
    order: Ordered = Order.NEWEST_FIRST,
) -> Connection[Subscription]:
    given = filter or SubscriptionFilter()
    equal = {"status": _states(given.status), "customer_id": _id(given.customer, "Customer")}
    return await _list(info, "subscriptions", window(first, last, after, before, order), equal, subscription, order)


@access(READERS)
async def invoices(
    info: Info,
    filter: Narrowed[InvoiceFilter] = None,  # noqa: A002 (the API's word)
    first: First = None,
    last: Last = None,
    after: After = None,
    before: Before = None,
    order: Ordered = Order.NEWEST_FIRST,
) -> Connection[Invoice]:
    given = filter or InvoiceFilter()
    equal = {"status": _states(given.status), "customer_id": _id(given.customer, "Customer")}
    equal["subscription_id"] = _id(given.subscription, "Subscription")
    return await _list(info, "invoices", window(first, last, after, before, order), equal, invoice, order)


@access(READERS)
async def plan_by_id(info: Info, id: OneId) -> Plan | None:  # noqa: A002 (Relay's word)
    asked = ids.stripe_id(id, "Plan")
    return await load_plan(info, asked, offered=True) if asked else None


@access(READERS)
async def customer_by_id(info: Info, id: OneId) -> Customer | None:  # noqa: A002 (Relay's word)
    return await load_customer(info, ids.stripe_id(id, "Customer"))


@access(READERS)
async def subscription_by_id(info: Info, id: OneId) -> Subscription | None:  # noqa: A002 (Relay's word)
    asked = ids.stripe_id(id, "Subscription")
    row = await info.context.one("subscriptions", asked) if asked else None
    return subscription(row) if row else None


@access(READERS)
async def invoice_by_id(info: Info, id: OneId) -> Invoice | None:  # noqa: A002 (Relay's word)
    asked = ids.stripe_id(id, "Invoice")
    row = await info.context.one("invoices", asked) if asked else None
    return invoice(row) if row else None
