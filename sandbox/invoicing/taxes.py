"""What tax rates add to invoice lines, or are contained in them."""

from decimal import Decimal

from sandbox.billing.pricing import rounded
from sandbox.context import Context, public
from sandbox.errors import invalid
from sandbox.store import Object, copy

MAX_RATES = 5
# What becomes of the tax of a customer who owes none, or owes it without Stripe's help.
REASONS = {"exempt": "customer_exempt", "reverse": "reverse_charge"}


def rates_of(ctx: Context, given: list[str] | None, param: str) -> list[Object]:
    """The tax rates of a parameter, as they are now: an object that names them keeps them so."""
    ids = given or []
    if len(ids) > MAX_RATES:
        raise invalid(f"At most {MAX_RATES} tax rates are possible.", param=param)
    found = [ctx.get("tax_rate", rate, param=f"{param}[{place}]") for place, rate in enumerate(ids)]
    for place, rate in enumerate(found):
        if not rate["active"]:
            raise invalid("This tax rate is archived and can't be used.", param=f"{param}[{place}]")
    return [copy(public(rate)) for rate in found]


def tax_lines(ctx: Context, invoice: Object) -> list[Object]:
    """Put the taxes on each line, after its discounts; returns the total of each rate."""
    totals: dict[tuple[str, str], Object] = {}
    for line in invoice["_lines"]:
        rates = _own_rates(ctx, line) or invoice["default_tax_rates"]
        line["taxes"] = _taxes(taxable(line), rates, REASONS.get(invoice["customer_tax_exempt"] or ""))
        for tax in line["taxes"]:
            key = (tax["tax_rate_details"]["tax_rate"], tax["tax_behavior"])
            whole = totals.setdefault(key, copy(tax) | {"amount": 0, "taxable_amount": 0})
            whole["amount"] += tax["amount"]
            whole["taxable_amount"] += tax["taxable_amount"]
    return list(totals.values())


def taxable(line: Object) -> int:
    """What is left of a line's amount after its discounts."""
    return int(line["amount"]) - sum(int(each["amount"]) for each in line["discount_amounts"])


def added(taxes: list[Object]) -> int:
    """What the taxes add to the price: those that are not contained in it already."""
    return sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == "exclusive")


def without_tax(line: Object) -> int:
    """A line's amount before discounts, without the taxes that it contains."""
    inside = sum(tax["amount"] for tax in line["taxes"] if tax["tax_behavior"] == "inclusive")
    left = taxable(line)
    return int(line["amount"]) - (rounded(Decimal(inside) * line["amount"] / left) if left else 0)


def _own_rates(ctx: Context, line: Object) -> list[Object]:
    """The rates of the invoice item or of the subscription item that the line comes from."""
    details = line["parent"]["subscription_item_details"] or line["parent"]["invoice_item_details"]
    item = ctx.tx.get(ctx.account, "invoiceitem", details["invoice_item"] or "")
    if item is not None and item["tax_rates"]:
        return list(item["tax_rates"])
    if not details.get("subscription_item"):
        return []
    subscription = ctx.tx.get(ctx.account, "subscription", details["subscription"])
    items = subscription["items"]["data"] if subscription else []
    return next((list(one["tax_rates"]) for one in items if one["id"] == details["subscription_item"]), [])


def _taxes(base: int, rates: list[Object], reason: str | None) -> list[Object]:
    inside = sum((_percentage(rate) for rate in rates if rate["inclusive"]), Decimal(0))
    parts = {rate["id"]: rounded(base * _percentage(rate) / (100 + inside)) for rate in rates if rate["inclusive"]}
    net = base - (0 if reason else sum(parts.values()))
    for rate in rates:
        if not rate["inclusive"]:
            parts[rate["id"]] = rounded(net * _percentage(rate) / 100)
    return [
        {
            "amount": 0 if reason else parts[rate["id"]],
            "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
            "tax_rate_details": {"tax_rate": rate["id"]},
            "taxability_reason": reason or "standard_rated",
            "taxable_amount": 0 if reason else net,
            "type": "tax_rate_details",
        }
        for rate in rates
    ]


def _percentage(rate: Object) -> Decimal:
    return Decimal(str(rate["percentage"]))
