"""The sidecar's process: the webhook application on a database of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette

from gateway import health
from gateway.models import MODELS
from gateway.settings import Settings
from observability import failpoints, logs
from storage.database import PoolLimits, open_database
from webhooks import app as webhooks_app


def create_app(settings: Settings) -> Starlette:
    """The application; it needs no Stripe key, only the signing secrets."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if settings.gateway_failpoints:
            failpoints.arm(Path(settings.gateway_failpoints))
        logs.configure(level=settings.gateway_log_level, console=settings.gateway_log_format == "console")
        limits = PoolLimits(app=1, system=settings.gateway_system_pool)
        system = settings.system_url()
        async with open_database(app=system, system=system, models=MODELS, limits=limits) as database:
            app.state.database = database
            app.state.webhook_secrets = settings.webhook_secrets()
            yield

    return webhooks_app.create(lifespan, health.routes())
