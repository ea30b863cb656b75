"""The command `gateway`: everything at once (`run`), or each part by itself, as in production."""

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.lazy_command import LazyCommand
from gateway.user_error import UserError

if TYPE_CHECKING:
    from gateway.settings import Settings

SERVING = (
    "database_url",
    "gateway_app_password",
    "gateway_system_password",
    "stripe_api_key",
    "gateway_session_key",
)
# What faces the internet to take webhooks could neither call Stripe nor mint a token, whoever took it over.
TAKING_WEBHOOKS = ("database_url", "gateway_system_password", "stripe_webhook_secrets")


class Commands(click.Group):
    """Shows a UserError as one line."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            click.echo(f"gateway: {error}", err=True)
            ctx.exit(2)


@click.group(cls=Commands)
@click.version_option(package_name="billing-gateway", message="%(package)s %(version)s")
def cli() -> None:
    """A GraphQL billing gateway in front of Stripe Connect. `gateway run` starts all of it on this machine."""


@cli.command()
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), default=Path(".run/data"), show_default=True)
@click.option("--port", default=8000, show_default=True, help="Of the gateway.")
@click.option("--sidecar-port", default=8001, show_default=True, help="For Stripe's webhooks.")
@click.option("--sandbox-port", default=12111, show_default=True, help="Of the stand-in for Stripe.")
@click.option(
    "--run-folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".run"),
    show_default=True,
    help="Gets demo.json and gateway.env, for as long as all is ready.",
)
def run(data: Path, port: int, sidecar_port: int, sandbox_port: int, run_folder: Path) -> None:
    """Start everything: PostgreSQL, a Stripe sandbox, gateway, sidecar, worker and three demo tenants."""
    from gateway import supervisor

    options = supervisor.RunOptions(
        data=data.absolute(),
        run_folder=run_folder.absolute(),
        port=port,
        sidecar_port=sidecar_port,
        sandbox_port=sandbox_port,
    )
    asyncio.run(supervisor.run(options))


@cli.command()
def serve() -> None:
    """Serve GraphQL (GATEWAY_PORT)."""
    settings = _begin("gateway", *SERVING)
    from gateway.app import create_app

    _serve(create_app(settings), settings.gateway_host, settings.gateway_port, "GATEWAY_PORT")


@cli.command()
def sidecar() -> None:
    """Take Stripe's webhooks (GATEWAY_SIDECAR_PORT)."""
    settings = _load(*TAKING_WEBHOOKS)
    from gateway.sidecar import create_app

    _serve(create_app(settings), settings.gateway_host, settings.gateway_sidecar_port, "GATEWAY_SIDECAR_PORT")


@cli.command()
def worker() -> None:
    """Work on what webhooks and requests left to do."""
    settings = _begin("worker", *SERVING)
    from gateway.worker import run as work

    asyncio.run(_until_stopped(work(settings)))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=12111, show_default=True)
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Keep the state here.")
@click.option("--retry-schedule", default="1,2,5,10", show_default=True, help="Seconds between deliveries.")
@click.option("--public-url", help="Where browsers reach the hosted pages.")
def sandbox(host: str, port: int, data: Path | None, retry_schedule: str, public_url: str | None) -> None:
    """Serve the stand-in for Stripe's API; STRIPE_API_KEY (sk_test_…) is the key that it takes."""
    settings = _load("stripe_api_key")
    from sandbox.app import create_app
    from sandbox.config import Config

    try:
        config = Config(
            api_keys=(settings.stripe_api_key.get_secret_value(),),
            data=data,
            retry_schedule=tuple(float(part) for part in retry_schedule.split(",") if part.strip()),
            public_url=public_url or f"http://{host}:{port}",
        )
    except ValueError as error:
        raise UserError(str(error)) from None
    _serve(create_app(config), host, port, "--port")


@cli.command()
def migrate() -> None:
    """Create the database's roles and bring its tables to this version."""
    settings = _load("database_url", "gateway_app_password", "gateway_system_password")
    from gateway.migrate import migrate_or_explain

    applied = asyncio.run(
        migrate_or_explain(
            settings.owner_url(),
            app_password=settings.gateway_app_password.get_secret_value(),
            system_password=settings.gateway_system_password.get_secret_value(),
        )
    )
    click.echo(f"applied {', '.join(applied)}" if applied else "nothing to apply")


for _module, _name, _help in (
    ("admin_commands", "tenants", "Tenants: add, list, show, set, remove."),
    ("token_commands", "tokens", "API keys and session tokens: issue, list, rotate, revoke, session, end."),
    ("admin_commands", "schema", "Print the GraphQL schema."),
    ("mirror_commands", "inbox", "Stripe's events: status, show, replay, drain."),
    ("mirror_commands", "mirror", "The mirror: dump, diff, reconcile."),
    ("mirror_commands", "invariants", "Check what must always hold."),
    ("access_commands", "audit", "The audit log: list, verify."),
    ("access_commands", "providers", "Tenants' own identity providers: add, list, remove."),
    ("access_commands", "documents", "Trusted documents: trust, list, forget."),
):
    cli.add_command(LazyCommand(_name, module=f"gateway.{_module}", attribute=_name, help=_help))


def _load(*required: str) -> "Settings":
    from gateway.lifeline import follow_supervisor
    from gateway.settings import Settings

    settings = Settings.load(*required)
    if settings.gateway_supervised:
        follow_supervisor()
    return settings


def _begin(name: str, *required: str) -> "Settings":
    """Settings that are complete, and a line that says where money would move."""
    settings = _load(*required)
    from gateway.session_keys import session_keys

    session_keys(settings.gateway_session_key.get_secret_value())
    click.echo(f"{name}: {settings.stripe_description()}")
    return settings


def _serve(app: Callable[..., Any], host: str, port: int, option: str) -> None:
    import uvicorn

    from gateway.http_head import BoundedHttp
    from gateway.stuck_writes import MovingSocket

    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise UserError(f"can't listen on {host}:{port} ({error.strerror}); choose another with {option}") from None
    uvicorn.run(
        app,
        host=host,
        port=port,
        http=BoundedHttp,
        loop="auto",  # uvloop wherever it is installed
        ws=MovingSocket,
        ws_max_size=1_000_000,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=3,
    )


async def _until_stopped(work: Coroutine[Any, Any, None]) -> None:
    """Run until done, or until SIGINT or SIGTERM cancels it."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    with suppress(asyncio.CancelledError):
        await task


def main() -> None:
    """The console script."""
    sys.exit(cli(prog_name="gateway"))
