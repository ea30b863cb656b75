"""Due work by the real clock, across a restart, and with a job that breaks."""

import logging
import time
from pathlib import Path

import pytest
import stripe

from sandbox.app import SandboxApp
from sandbox.config import Config
from sandbox.due import WORK, Due
from tests.sandbox.billed import customer_with, monthly
from tests.sandbox.server import KEY, official_client, serving

DAY = 86_400


class World:
    """A sandbox whose clock is moved by hand."""

    def __init__(self, data: Path) -> None:
        self.now = time.time()
        self._config = Config(api_keys=(KEY,), data=data, clock=lambda: self.now)

    def app(self) -> SandboxApp:
        return SandboxApp(self._config)

    def due(self, app: SandboxApp) -> Due:
        return Due(self._config, app.api.store, app.api.commit)


async def subscribed(client: stripe.StripeClient) -> str:
    customer, price = await customer_with(client), await monthly(client, 2500)
    made = await client.v1.subscriptions.create_async({"customer": customer, "items": [{"price": price}]})
    return made.id


async def test_what_came_due_while_it_was_off_is_done_at_its_own_second(tmp_path: Path) -> None:
    world = World(tmp_path)
    async with serving(world.app()) as address, official_client(address) as client:
        made = await client.v1.subscriptions.retrieve_async(await subscribed(client))
    ends = made["items"].data[0].current_period_end
    world.now += 70 * DAY
    app = world.app()
    async with serving(app) as address, official_client(address) as client:
        await world.due(app).look()
        invoices = (await client.v1.invoices.list_async({"subscription": made.id})).data
        assert [invoice.status for invoice in invoices] == ["paid", "paid", "paid"]
        assert invoices[1].created == ends
        assert invoices[1].status_transitions.paid_at == ends + 3600


async def test_a_job_that_breaks_is_told_once_and_stops_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(tmp_path)
    app = world.app()
    async with serving(app) as address, official_client(address) as client:
        broken, healthy = await subscribed(client), await subscribed(client)
        work = WORK["subscription"]

        def fail_for_one(ctx: object, subject: str) -> None:
            if subject == broken:
                raise RuntimeError("broken")
            work(ctx, subject)  # type: ignore[arg-type]

        monkeypatch.setitem(WORK, "subscription", fail_for_one)
        world.now += 32 * DAY
        with caplog.at_level(logging.ERROR):
            await world.due(app).look()
        assert len((await client.v1.invoices.list_async({"subscription": broken})).data) == 1
        assert len((await client.v1.invoices.list_async({"subscription": healthy})).data) == 2
    assert [record.getMessage().split()[4] for record in caplog.records] == [broken]
