"""The committed table of request parameters, against the SDK that is installed."""

import orjson

from tests.contract.parameters import TABLE, render, table


def test_the_committed_table_equals_the_derivation_from_the_sdk() -> None:
    assert TABLE.read_bytes() == render(table()), "run: python -m tests.contract.parameters --write"


def test_the_table_marks_what_is_required_what_clears_and_what_is_an_enum() -> None:
    committed = orjson.loads(TABLE.read_bytes())
    product = committed["POST /v1/products"]["fields"]
    assert product["name!"] == "string"
    customer = committed["POST /v1/customers"]["fields"]
    assert customer["metadata"] == {"map": "string", "clear": True}
    assert customer["business_name"] == "string?"
    session = committed["POST /v1/checkout/sessions"]["fields"]
    assert session["mode"] == ["payment", "setup", "subscription"]


def test_the_table_stays_small() -> None:
    assert len(TABLE.read_bytes()) < 400_000
