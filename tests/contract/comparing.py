"""Compares an answer of the sandbox with a recorded one: same shape, same states, same amounts.

Ids differ and are mapped at first sight; times may differ by seconds; what only Stripe can know is left out.
"""

import functools
import re
from typing import Any

from tests.contract.responses import object_properties

TOLERANCE = 5  # seconds
FIRST_TIME = 1_000_000_000  # smaller integers are amounts and counts
ID = re.compile(r"[a-z]{2,8}_(test_)?[A-Za-z0-9]{8,}|req_\w+")

# The recorded account's own settings.
SETTINGS = frozenset(
    {
        "account_country", "account_name", "payment_method_configuration_details", "payment_method_types",
        "statement_descriptor",
    }
)  # fmt: skip
# Values that only Stripe can know: whether there is one is compared, but not which.
OWN_VALUES = frozenset(
    {
        "acs_transaction_id", "authorization_code", "balance_transaction",
        "client_secret", "country", "directory_server_encryption", "directory_server_id", "display_name",
        "exp_month", "exp_year", "fingerprint", "hosted_invoice_url", "invoice_pdf", "invoice_prefix",
        "network_transaction_id", "network_token", "number", "receipt_number",
        "receipt_url", "reference", "request_log_url", "risk_level", "risk_score",
        "calculated_statement_descriptor", "url", "verification", "webhooks_delivered_at",
        "payment_method_options", "use_stripe_sdk", "doc_url",
        "automatic_payment_methods", "radar_options", "statement_descriptor_suffix",
    }
)  # fmt: skip


class Comparison:
    """Compares the answers of one scenario, and learns on the way which of our ids stands for which of Stripe's."""

    def __init__(self) -> None:
        self.ours: dict[str, str] = {}

    def translated(self, text: str) -> str:
        """A recorded path or parameter with our ids in it."""
        for theirs, ours in self.ours.items():
            text = text.replace(theirs, ours)
        return text

    def differences(self, theirs: Any, ours: Any, path: str = "") -> list[str]:
        """What differs, one line each."""
        if isinstance(theirs, dict) and isinstance(ours, dict):
            return self._of_objects(theirs, ours, path)
        if isinstance(theirs, list) and isinstance(ours, list):
            return self._of_lists(theirs, ours, path)
        if isinstance(theirs, str) and isinstance(ours, str) and self._same_id(theirs, ours):
            return []
        if _are_times(theirs, ours) and abs(theirs - ours) <= TOLERANCE:
            return []
        same = type(theirs) is type(ours) and theirs == ours
        return [] if same else [f"{path}: {_short(ours)} instead of {_short(theirs)}"]

    def _of_objects(self, theirs: dict[str, Any], ours: dict[str, Any], path: str) -> list[str]:
        found = []
        known = _known(theirs.get("object"))
        for name, value in theirs.items():
            here = f"{path}.{name}" if path else name
            if name in SETTINGS or (known is not None and name not in known):
                continue  # not the sandbox's to say; gone since the recording; or never documented
            if name not in ours:
                found.append(f"{here}: missing, instead of {_short(value)}")
            elif name in OWN_VALUES:
                if (value is None) != (ours[name] is None):
                    found.append(f"{here}: {_short(ours[name])} instead of {_short(value)}")
            else:
                found += self.differences(value, ours[name], here)
        return found

    def _of_lists(self, theirs: list[Any], ours: list[Any], path: str) -> list[str]:
        if len(theirs) != len(ours):
            return [f"{path}: {len(ours)} elements instead of {len(theirs)}"]
        found = []
        for index, (value, our_value) in enumerate(zip(theirs, ours, strict=True)):
            found += self.differences(value, our_value, f"{path}[{index}]")
        return found

    def _same_id(self, theirs: str, ours: str) -> bool:
        if theirs in self.ours:
            return self.ours[theirs] == ours
        if ID.fullmatch(theirs) and ID.fullmatch(ours) and theirs.partition("_")[0] == ours.partition("_")[0]:
            self.ours[theirs] = ours
            return True
        return self.translated(theirs) == ours


@functools.cache
def _known(kind: object) -> frozenset[str] | None:
    return object_properties(kind) if isinstance(kind, str) else None


def _are_times(theirs: Any, ours: Any) -> bool:
    return isinstance(theirs, int) and isinstance(ours, int) and min(theirs, ours) > FIRST_TIME


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 100 else text[:97] + "…"
