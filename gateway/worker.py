"""The worker's process: takes events off the inbox, and does the long work, until it is told to stop."""

import asyncio
from datetime import timedelta

from billing.effects import Effects
from compliance.chain import Chain
from compliance.rounds import Rounds
from gateway.runtime import open_runtime
from gateway.settings import Settings
from webhooks.jobs import Jobs
from webhooks.process import Worker


async def run(settings: Settings) -> None:
    """Work until cancelled."""
    async with open_runtime(settings) as runtime, asyncio.TaskGroup() as group:
        database = runtime.database
        group.create_task(Jobs(database, runtime.stripe, settings.livemode).run())
        group.create_task(Effects(database, {}).run())
        group.create_task(Rounds(database, timedelta(days=settings.event_retention_days)).run())
        group.create_task(Chain(database, settings.gateway_audit_anchors).run())
        group.create_task(Worker(database, runtime.stripe, settings.livemode).run(runtime.wake))
