"""The command line: `python -m sandbox serve`."""

import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import click
import uvicorn

from sandbox.app import create_app
from sandbox.config import Config


@click.group()
def main() -> None:
    """A stateful stand-in for Stripe's API."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=12111, show_default=True)
@click.option("--api-key", "api_keys", multiple=True, required=True, help="sk_test_…; may be repeated.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Keep the state here.")
@click.option("--retry-schedule", default="1,2,5,10", show_default=True, help="Seconds between deliveries.")
@click.option("--public-url", help="Where browsers reach the hosted pages, if elsewhere.")
@click.option("--seed", default=0, show_default=True, help="Decides the identifiers.")
def serve(
    host: str,
    port: int,
    api_keys: tuple[str, ...],
    data: Path | None,
    retry_schedule: str,
    public_url: str | None,
    seed: int,
) -> None:
    """Serve the API until SIGTERM or SIGINT."""
    # uvicorn stops gently at SIGTERM and then raises it again, which would end in an exit code of a failure.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listening = socket.create_server((host, port))
    address = f"http://{host}:{listening.getsockname()[1]}"
    try:
        config = Config(
            api_keys=api_keys,
            data=data,
            retry_schedule=tuple(float(part) for part in retry_schedule.split(",") if part),
            public_url=public_url or address,
            seed=seed,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    settings = uvicorn.Config(
        create_app(config), access_log=False, log_level="warning", date_header=False, server_header=False
    )
    click.echo(f"The sandbox listens on {address}")  # connections wait in the socket until it is ready
    # At SIGINT uvicorn too has stopped when it raises.
    with suppress(KeyboardInterrupt):
        uvicorn.Server(settings).run(sockets=[listening])


if __name__ == "__main__":
    main()
