"""The replay of recorded traffic: on a small recording written here, and on a folder of real ones where given."""

import os
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.contract.recorded import ENOUGH, main, replay

FOLDER = os.environ.get("RECORDED_FOLDER")
DATE = "Mon, 30 Mar 2026 21:22:18 GMT"
SECONDS = 1_774_905_738


def a_row(method: str, path: str, form: list[list[str]], status: int, body: Any, date: str = DATE) -> dict[str, Any]:
    return {
        "method": method,
        "path": path,
        "query": [],
        "form": form,
        "request_headers": {},
        "status": status,
        "response_headers": {"date": date},
        "api_version": "2026-10-28.endive",
        "recorded_at": date,
        "body": body,
    }


def a_recording(folder: Path, *, refused: str = "No such customer: 'cus_RecordedOther1'") -> Path:
    """A customer is made and read again, another does not exist."""
    customer = {"id": "cus_RecordedCustom", "object": "customer", "created": SECONDS, "email": "ada@example.org"}
    gone = {"error": {"type": "invalid_request_error", "code": "resource_missing", "message": refused}}
    rows = [
        a_row("POST", "/v1/customers", [["email", "old@example.org"]], 200, {}, "Mon, 30 Mar 2025 21:22:18 GMT"),
        a_row("POST", "/v1/customers", [["email", "ada@example.org"]], 200, customer),
        a_row("GET", "/v1/customers/cus_RecordedCustom", [], 200, customer),
        a_row("GET", "/v1/customers/cus_RecordedOther1", [], 404, gone),
    ]
    folder.joinpath("customers.json").write_bytes(orjson.dumps(rows))
    return folder


def test_ids_are_mapped_and_only_the_last_run_is_replayed(tmp_path: Path) -> None:
    (results,) = replay(a_recording(tmp_path)).values()
    assert [one.differences for one in results] == [[], [], []]


def test_a_difference_is_found_and_fails_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(a_recording(tmp_path, refused="No such person"))]) == 1
    printed = capsys.readouterr().out
    assert "2/3 customers" in printed
    assert "instead of 'No such person'" in printed


def test_products_and_prices_of_the_recorded_account_are_there_from_the_start(tmp_path: Path) -> None:
    product = {"id": "prod_Recorded000001", "object": "product", "created": SECONDS - 99, "name": "Seat"}
    rows = [a_row("GET", f"/v1/products/{product['id']}", [], 200, product)]
    tmp_path.joinpath("products.json").write_bytes(orjson.dumps(rows))
    (results,) = replay(tmp_path).values()
    assert [one.differences for one in results] == [[]]


@pytest.mark.skipif(FOLDER is None, reason="RECORDED_FOLDER names no folder of recorded Stripe traffic")
def test_the_sandbox_answers_as_stripe_did() -> None:
    assert FOLDER is not None
    every = [one for results in replay(Path(FOLDER)).values() for one in results]
    assert every
    wrong = [f"{one.exchange.title}: {one.differences[0]}" for one in every if one.differences]
    assert len(wrong) <= (1 - ENOUGH) * len(every), "\n".join([f"{len(wrong)} of {len(every)} differ", *wrong])
