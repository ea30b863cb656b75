"""The worker's process: takes events off the inbox, and does the long work, until it is told to stop."""

from gateway.runtime import open_runtime, running
from gateway.settings import Settings
from webhooks.jobs import Jobs
from webhooks.process import Worker


async def run(settings: Settings) -> None:
    """Work until cancelled."""
    async with open_runtime(settings) as runtime:
        jobs = Jobs(runtime.database, runtime.stripe, settings.livemode)
        async with running(jobs.run()):
            await Worker(runtime.database, runtime.stripe, settings.livemode).run(runtime.wake)
