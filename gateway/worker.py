"""The worker's process: takes events off the inbox until it is told to stop."""

from gateway.runtime import open_runtime
from gateway.settings import Settings
from webhooks.process import Worker


async def run(settings: Settings) -> None:
    """Work until cancelled."""
    async with open_runtime(settings) as runtime:
        await Worker(runtime.database, runtime.stripe, settings.livemode).run(runtime.wake)
