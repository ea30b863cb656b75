"""The whole state of a sandbox is saved, put back, emptied and compared."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import stripe

from sandbox.state import compare
from tests.sandbox.billed import customer_with, monthly
from tests.sandbox.server import official_client, sandbox_running


async def _state(address: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(address) as session,
        session.request(method, "/_sandbox/state", json=body) as answer,
    ):
        return answer.status, await answer.json()


async def _live(client: stripe.StripeClient) -> str:
    price, customer = await monthly(client, 1900), await customer_with(client)
    made: Any = {"customer": customer, "items": [{"price": price}]}
    return (await client.v1.subscriptions.create_async(made)).id


async def test_a_saved_state_comes_back_whole_also_after_a_restart(tmp_path: Path) -> None:
    async with sandbox_running(tmp_path) as address, official_client(address) as client:
        subscription = await _live(client)
        _, saved = await _state(address)
        await client.v1.subscriptions.cancel_async(subscription)
        await client.v1.customers.create_async({"name": "late"})
        assert (await _state(address, "POST", saved))[0] == 200
        assert (await _state(address))[1] == saved
        assert (await client.v1.subscriptions.retrieve_async(subscription)).status == "active"
        assert len((await client.v1.customers.list_async()).data) == 1
    async with sandbox_running(tmp_path) as address:
        again = (await _state(address))[1]
        assert compare(again, saved) == []


async def test_a_reset_forgets_everything_and_ids_begin_again(address: str, client: stripe.StripeClient) -> None:
    first = await client.v1.customers.create_async({"name": "A"})
    assert (await _state(address, "DELETE"))[0] == 200
    assert (await client.v1.customers.list_async()).data == []
    assert (await _state(address))[1]["objects"] == []
    await _state(address, "DELETE")
    assert (await client.v1.customers.create_async({"name": "A"})).id == first.id


async def test_what_is_no_saved_state_changes_nothing(address: str, client: stripe.StripeClient) -> None:
    await client.v1.customers.create_async({"name": "A"})
    _, before = await _state(address)
    for wrong in ({}, {"format": 2, "sequence": 0, "objects": []}, {"format": 1, "sequence": 0, "objects": [["a"]]}):
        status, told = await _state(address, "POST", wrong)
        assert (status, set(told)) == (400, {"error"})
    assert (await _state(address))[1] == before


def test_two_states_are_compared_by_object_and_field() -> None:
    def state(*objects: dict[str, Any]) -> dict[str, Any]:
        return {"format": 1, "sequence": 0, "objects": [["acct_1", "customer", one] for one in objects]}

    first = state({"id": "cus_1", "name": "A"}, {"id": "cus_2"})
    second = state({"id": "cus_1", "name": "B"}, {"id": "cus_3"})
    assert compare(first, first) == []
    assert compare(first, second) == [
        '~ acct_1 customer cus_1 name: "A" -> "B"',
        "- acct_1 customer cus_2",
        "+ acct_1 customer cus_3",
    ]


async def test_the_command_line_saves_loads_resets_and_compares(
    address: str, client: stripe.StripeClient, tmp_path: Path
) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        where = [] if arguments[0] == "compare" else ["--address", address]
        command = [sys.executable, "-m", "sandbox", "state", arguments[0], *where, *arguments[1:]]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    await client.v1.customers.create_async({"name": "A"})
    one, two = str(tmp_path / "one.json"), str(tmp_path / "two.json")
    assert (await asyncio.to_thread(run, "save", one)).returncode == 0
    await asyncio.to_thread(run, "reset")
    await asyncio.to_thread(run, "save", two)
    assert json.loads(await asyncio.to_thread(Path(two).read_text))["objects"] == []
    differing = await asyncio.to_thread(run, "compare", one, two)
    assert (differing.returncode, "customer cus_" in differing.stdout) == (1, True)
    assert (await asyncio.to_thread(run, "load", one)).returncode == 0
    await asyncio.to_thread(run, "save", two)
    assert (await asyncio.to_thread(run, "compare", one, two)).returncode == 0
