"""Previews: the change is made, its invoice is looked at, and everything is undone."""

from dataclasses import replace

from sandbox.billing.periods import Period
from sandbox.calls import call
from sandbox.context import Context
from sandbox.errors import invalid, not_implemented
from sandbox.invoicing.automatic_tax import of_invoice
from sandbox.invoicing.invoice import add_up, new_invoice
from sandbox.invoicing.items import pending
from sandbox.invoicing.lines import line_of_item
from sandbox.operations import operation
from sandbox.planning import on_clock
from sandbox.resources import discounts
from sandbox.resources.invoice_dress import dress
from sandbox.resources.subscriptions import create_subscription
from sandbox.store import Object, copy
from sandbox.subscribing import change
from sandbox.subscribing.billing import bill_now, credit, draft
from sandbox.subscribing.items import fit_period, period_of
from sandbox.subscribing.state import ENDED

PATH = "/v1/invoices/create_preview"
DETAILS = (
    "billing_cycle_anchor", "billing_mode", "cancel_at", "cancel_at_period_end", "cancel_now", "default_tax_rates",
    "items", "proration_behavior", "proration_date", "start_date", "trial_end",
)  # fmt: skip
OF_NEW = ("billing_cycle_anchor", "billing_mode", "cancel_at", "default_tax_rates", "items", "proration_behavior",
          "start_date", "trial_end")  # fmt: skip
ITEM = ("amount", "currency", "description", "discountable", "discounts", "metadata", "period", "price_data",
        "quantity", "tax_rates", "unit_amount_decimal")  # fmt: skip


@operation(
    "POST",
    PATH,
    takes=(
        "automatic_tax", "currency", "customer", "customer_details", "discounts", "invoice_items", "issuer",
        "on_behalf_of", "preview_mode", "schedule", "schedule_details", "subscription", "subscription_details",
    ),
)  # fmt: skip
def create_preview(ctx: Context) -> Object:
    given = ctx.params
    details = {name: value for name, value in given.get("subscription_details", {}).items() if value is not None}
    for name in details.keys() - set(DETAILS):
        raise not_implemented("POST", f"{PATH} with subscription_details[{name}]")
    if (details.pop("billing_mode", None) or {}).get("type", "flexible") != "flexible":
        raise not_implemented("POST", f"{PATH} with a billing_mode other than flexible")
    found = _schedule(ctx) or _subscription_of(ctx)
    customer = _customer(ctx, found)
    ctx = on_clock(ctx, ctx.get("customer", customer))
    _put_items(ctx, customer)
    if found is not None:
        made = _of_existing(ctx, found, details)
    elif details.get("items"):
        made = _of_new(ctx, customer, details)
    elif "schedule_details" in given:
        made = _of_phases(ctx, customer)
    else:
        made = _of_items(ctx, customer)
    dress(ctx, made)
    if "automatic_tax" in given:
        made["automatic_tax"] = of_invoice(given["automatic_tax"], ctx.get("customer", customer))
    preview = _as_preview(copy(made))
    ctx.tx.rollback()
    return preview


def _subscription_of(ctx: Context) -> Object | None:
    if "subscription" not in ctx.params:
        return None
    found = ctx.get("subscription", ctx.params["subscription"], param="subscription")
    if ctx.params.get("customer", found["customer"]) != found["customer"]:
        raise invalid("The subscription does not belong to this customer.", param="subscription")
    if found["status"] in ENDED:
        raise invalid("No upcoming invoices for customer", code="invoice_upcoming_none")
    return found


def _schedule(ctx: Context) -> Object | None:
    """The subscription of a schedule; one that has not begun begins, to be looked at."""
    if "schedule" not in ctx.params:
        return None
    schedule = ctx.get("subscription_schedule", ctx.params["schedule"], param="schedule")
    if schedule["subscription"] is None:
        raise invalid("No upcoming invoices for customer", code="invoice_upcoming_none")
    return ctx.get("subscription", schedule["subscription"])


def _customer(ctx: Context, found: Object | None) -> str:
    """Whose invoice it is: the customer that was named, or one made of `customer_details`."""
    details = dict(ctx.params.get("customer_details") or {})
    owner = found["customer"] if found else None
    known: str | None = ctx.params.get("customer") or owner
    if known is not None:
        ctx.get("customer", known, param="customer")
        if details:
            details.pop("tax_ids", None)
            call(ctx, "POST", f"/v1/customers/{known}", **details)
        return known
    if not details:
        message = "You must specify `customer`, `customer_details`, `subscription` or `schedule`."
        raise invalid(message, param="customer", code="parameter_missing")
    tax_ids = details.pop("tax_ids", None)
    return str(call(ctx, "POST", "/v1/customers", **details, tax_id_data=tax_ids)["id"])


def _put_items(ctx: Context, customer: str) -> None:
    """`invoice_items`: new ones, or changes of those that wait."""
    if ctx.params.get("preview_mode") == "recurring":
        for item in list(ctx.tx.newest(ctx.account, "invoiceitem")):
            if item["customer"] == customer and item["invoice"] is None:
                ctx.delete(item)
    for given in ctx.params.get("invoice_items") or []:
        for name in given.keys() - {*ITEM, "invoiceitem", "price", "unit_amount", "tax_behavior", "tax_code"}:
            raise not_implemented("POST", f"{PATH} with invoice_items[{name}]")
        item = {name: given[name] for name in ITEM if name in given}
        if "price" in given:
            item["pricing"] = {"price": given["price"]}
        if "unit_amount" in given:
            item["unit_amount_decimal"] = str(given["unit_amount"])
        if "invoiceitem" in given:
            item.pop("currency", None)
            call(ctx, "POST", f"/v1/invoiceitems/{given['invoiceitem']}", **item)
            continue
        owner = ctx.params.get("subscription")
        call(ctx, "POST", "/v1/invoiceitems", customer=customer, subscription=owner, **item)


def _of_existing(ctx: Context, found: Object, details: Object) -> Object:
    subscription = ctx.edit("subscription", found["id"])
    latest = subscription["latest_invoice"]
    if details.pop("cancel_now", False):
        return _of_cancellation(ctx, subscription, details)
    details.pop("start_date", None)
    if "discounts" in ctx.params:
        details["discounts"] = ctx.params["discounts"]
    if details:
        anchor = details.get("billing_cycle_anchor")
        if anchor is not None and anchor["type"] == "timestamp":
            raise not_implemented("POST", f"{PATH} with subscription_details[billing_cycle_anchor][type]=timestamp")
        params = {**details, "payment_behavior": "default_incomplete"}
        subscription = change.update(replace(ctx, params=params), subscription)
    if subscription["latest_invoice"] != latest:
        return ctx.get("invoice", subscription["latest_invoice"])
    return _next(ctx, subscription)


def _of_cancellation(ctx: Context, subscription: Object, details: Object) -> Object:
    """What is left to settle when the subscription ends now."""
    if details.get("proration_behavior", "create_prorations") != "none" and subscription["status"] != "trialing":
        for item in subscription["items"]["data"]:
            credit(ctx, subscription, item, details.get("proration_date", ctx.now))
    return bill_now(ctx, subscription, "subscription_update", [], None)


def _next(ctx: Context, subscription: Object) -> Object:
    """The invoice of the next renewal, as if its second had come."""
    items = subscription["items"]["data"]
    at = min(item["current_period_end"] for item in items)
    if subscription["cancel_at"] is not None and subscription["cancel_at"] <= at:
        raise invalid("No upcoming invoices for customer", code="invoice_upcoming_none")
    over = [item for item in items if item["current_period_end"] <= at]
    before = Period(min(period_of(item).start for item in over), at)
    if subscription["status"] == "trialing":
        subscription["status"] = "active"
    for item in over:
        fit_period(subscription, item, at)
    later = replace(ctx, now=at)
    return draft(later, subscription, "subscription_cycle", over, before)[0]


def _of_new(ctx: Context, customer: str, details: Object) -> Object:
    for name in details.keys() - set(OF_NEW):
        raise not_implemented("POST", f"{PATH} of a new subscription with subscription_details[{name}]")
    params = {**details, "customer": customer, "payment_behavior": "default_incomplete"}
    anchor = params.pop("billing_cycle_anchor", None)
    if anchor is not None and anchor["type"] == "timestamp":
        params["billing_cycle_anchor"] = anchor["timestamp"]
    start = params.pop("start_date", None)
    if start is not None and start < ctx.now:
        params["backdate_start_date"] = start
    for name in ("currency", "discounts"):
        if name in ctx.params:
            params[name] = ctx.params[name]
    made = create_subscription(ctx, params)
    return ctx.get("invoice", made["latest_invoice"])


def _of_phases(ctx: Context, customer: str) -> Object:
    """The first invoice of a schedule that would begin now."""
    details = ctx.params["schedule_details"]
    for name in details.keys() - {"end_behavior", "phases"}:
        raise not_implemented("POST", f"{PATH} with schedule_details[{name}]")
    made = call(ctx, "POST", "/v1/subscription_schedules", customer=customer, start_date="now", **details)
    return ctx.get("invoice", ctx.get("subscription", made["subscription"])["latest_invoice"])


def _of_items(ctx: Context, customer: str) -> Object:
    """Without a subscription: what waits for an invoice of its own."""
    owner = ctx.get("customer", customer)
    wanted = ctx.params.get("currency") or owner["currency"]
    waiting = [item for item in ctx.tx.newest(ctx.account, "invoiceitem") if item["customer"] == customer]
    if wanted is None:
        wanted = next((item["currency"] for item in waiting if item["invoice"] is None), "usd")
    items = pending(ctx, customer, wanted.lower(), None)
    if not items:
        raise invalid("No upcoming invoices for customer", code="invoice_upcoming_none")
    lines = [line_of_item(ctx, item) for item in items]
    made = new_invoice(ctx, customer=owner, currency=wanted.lower(), reason="manual", lines=lines)
    if ctx.params.get("discounts"):
        taken = discounts.make(ctx, ctx.params["discounts"], customer=customer, invoice=made["id"])
        made |= {"discounts": [one["id"] for one in taken], "_discounts": taken}
        add_up(ctx, made)
    return made


def _as_preview(invoice: Object) -> Object:
    """The same lines and totals on a draft that nobody finalised."""
    preview = "upcoming_" + invoice["id"]
    for line in invoice["_lines"] + invoice["lines"]["data"]:
        line["invoice"] = preview
    invoice["lines"]["url"] = f"/v1/invoices/{preview}/lines"
    transitions = dict.fromkeys(invoice["status_transitions"])
    return invoice | {
        "id": preview,
        "amount_remaining": invoice["amount_due"],
        "attempted": False,
        "auto_advance": True,
        "effective_at": None,
        "ending_balance": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "number": None,
        "status": "draft",
        "status_transitions": transitions,
    }
