"""Lists the operations of Stripe's API that the SDK's services call, and names the sandbox's core set."""

import ast
import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.contract.sdk_modules import Module, module, sdk_folder

# The core set by the start of the path. Everything below these is in, but for NOT_CORE.
CORE_PREFIXES = (
    "/v1/account",
    "/v1/account_links",
    "/v1/accounts",
    "/v1/application_fees",
    "/v1/balance",
    "/v1/balance_transactions",
    "/v1/billing_portal",
    "/v1/charges",
    "/v1/checkout/sessions",
    "/v1/coupons",
    "/v1/credit_notes",
    "/v1/customers",
    "/v1/disputes",
    "/v1/events",
    "/v1/invoice_payments",
    "/v1/invoiceitems",
    "/v1/invoices",
    "/v1/payment_intents",
    "/v1/payment_methods",
    "/v1/payouts",
    "/v1/prices",
    "/v1/products",
    "/v1/promotion_codes",
    "/v1/refunds",
    "/v1/setup_intents",
    "/v1/subscription_items",
    "/v1/subscription_schedules",
    "/v1/subscriptions",
    "/v1/tax_rates",
    "/v1/test_helpers/test_clocks",
    "/v1/webhook_endpoints",
)
NOT_CORE = (
    "/amount_details_line_items",
    "/apply_customer_balance",
    "/cash_balance",
    "/external_accounts",
    "/features",
    "/funding_instructions",
    "/increment_authorization",
    "/persons",
    "/reject",
    "/sources",
    "/unreject",
    "/verify_microdeposits",
)


@dataclass(frozen=True)
class Operation:
    """One HTTP operation with the annotations of its parameters and of its answer, as written in `module`."""

    verb: str
    path: str
    params: str | None
    returns: str
    module: Module
    service: str

    @property
    def name(self) -> str:
        """How this project writes an operation: `GET /v1/customers/{customer}`."""
        return f"{self.verb} {self.path}"


def is_core(operation: Operation) -> bool:
    """Whether the sandbox means to answer this operation, now or soon."""
    inside = any(operation.path == prefix or operation.path.startswith(prefix + "/") for prefix in CORE_PREFIXES)
    return inside and not any(part in operation.path for part in NOT_CORE)


@functools.cache
def core_operations() -> dict[str, Operation]:
    """The core set by name, sorted."""
    found = {operation.name: operation for operation in _operations() if is_core(operation)}
    return dict(sorted(found.items()))


def _operations() -> Iterator[Operation]:
    folder = sdk_folder()
    for file in sorted(folder.rglob("*_service.py")):
        # Services of other areas are skipped unread: parsing them all would cost two seconds.
        if "/v1/" in file.read_text(encoding="utf-8"):
            yield from _of_module(module(_dotted(file.relative_to(folder.parent))))


def _dotted(file: Path) -> str:
    return ".".join(file.with_suffix("").parts)


def _of_module(found: Module) -> Iterator[Operation]:
    for service, node in found.classes.items():
        for function in node.body:
            if isinstance(function, ast.FunctionDef) and function.returns is not None:
                for call in ast.walk(function):
                    if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "_request":
                        yield _operation(found, service, function, call)


def _operation(found: Module, service: str, function: ast.FunctionDef, call: ast.Call) -> Operation:
    verb, path = call.args[0], call.args[1]
    if isinstance(path, ast.Call) and isinstance(path.func, ast.Attribute):  # "/v1/x/{id}".format(…)
        path = path.func.value
    assert isinstance(verb, ast.Constant)
    assert isinstance(path, ast.Constant)
    assert function.returns is not None
    return Operation(
        str(verb.value).upper(), str(path.value), _params(function), _text(function.returns), found, service
    )


def _params(function: ast.FunctionDef) -> str | None:
    for argument in function.args.args:
        if argument.arg == "params" and argument.annotation is not None:
            annotation = argument.annotation
            if isinstance(annotation, ast.Subscript):  # Optional["XParams"]
                annotation = annotation.slice
            return _text(annotation)
    return None


def _text(annotation: ast.expr) -> str:
    return ast.unparse(annotation).strip("'\"")
