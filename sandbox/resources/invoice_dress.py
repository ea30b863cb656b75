"""How an invoice is shown and for whom it is: rendering, payment settings, issuer, shipping, Connect."""

from sandbox.context import Context
from sandbox.errors import invalid
from sandbox.store import Object

PAGE = ("amount_tax_display", "template", "template_version")


def dress(ctx: Context, invoice: Object) -> None:
    """Take these parameters of an invoice; none of them changes its total."""
    given = ctx.params
    if "rendering" in given:
        _rendering(invoice, given["rendering"] or {})
    if "payment_settings" in given:
        settings = given["payment_settings"]
        invoice["payment_settings"] = invoice["payment_settings"] | {
            name: value or None for name, value in settings.items()
        }
    if "issuer" in given:
        invoice["issuer"] = {name: value for name, value in given["issuer"].items() if value is not None}
    if "shipping_details" in given:
        details = given["shipping_details"]
        invoice["shipping_details"] = details and {"phone": None, **details}
    if "on_behalf_of" in given:
        invoice["on_behalf_of"] = given["on_behalf_of"]
    if "transfer_data" in given:
        invoice["_transfer"] = given["transfer_data"]
    _check(ctx, invoice)


def _rendering(invoice: Object, given: Object) -> None:
    shown: Object = invoice["rendering"] or (dict.fromkeys(PAGE) | {"pdf": {"page_size": "auto"}})
    plain = {name: value for name, value in given.items() if name != "pdf"}
    invoice["rendering"] = shown | plain | {"pdf": shown["pdf"] | (given.get("pdf") or {})}


def _check(ctx: Context, invoice: Object) -> None:
    """Accounts that are named must be there, and a fee needs somebody to share the payment with."""
    accounts = ctx.inside(ctx.config.platform)
    named = {
        "on_behalf_of": invoice["on_behalf_of"],
        "transfer_data[destination]": (invoice.get("_transfer") or {}).get("destination"),
        "issuer[account]": invoice["issuer"].get("account"),
    }
    for param, account in named.items():
        if account is not None and accounts.tx.get(accounts.account, "account", account) is None:
            kind = "destination" if param.startswith("transfer_data") else param.partition("[")[0]
            raise invalid(f"No such {kind}: '{account}'", param=param, code="resource_missing")
    for_nobody = ctx.application is None and invoice.get("_transfer") is None
    if ctx.params.get("application_fee_amount") and for_nobody:
        raise invalid(
            "Can only apply an application_fee_amount when the request is made on behalf of another account "
            "(using an OAuth key, the Stripe-Account header, or `transfer_data[destination]`).",
            param="application_fee_amount",
        )
