"""The command line: `python -m sandbox serve`, `chaos`, `state` and `coverage`."""

import json
import signal
import socket
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any

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


@main.command()
@click.option("--address", default="http://127.0.0.1:12111", show_default=True, help="Of the running sandbox.")
@click.argument("settings", nargs=-1, metavar="[NAME=VALUE]...")
def chaos(address: str, settings: tuple[str, ...]) -> None:
    """Make deliveries untidy: seed=1 duplicate=0.2 delay=3 drop=0.05 never=0.01 … (nothing: tidy again).

    Lists are separated by commas: never_types=invoice.paid,customer.updated; api_versions as account:version.
    """
    given: dict[str, object] = {}
    for each in settings:
        name, _, value = each.partition("=")
        if name in {"never_types", "accounts"}:
            given[name] = value.split(",")
        elif name == "api_versions":
            given[name] = dict(pair.split(":", 1) for pair in value.split(","))
        else:
            given[name] = int(value) if name == "seed" else float(value)
    click.echo(json.dumps(_control(address, "POST", "chaos", json.dumps(given).encode()), indent=2))


_ADDRESS = click.option("--address", default="http://127.0.0.1:12111", show_default=True, help="Of the sandbox.")
_FILE = click.Path(dir_okay=False, path_type=Path)


@main.group()
def state() -> None:
    """The whole state of a running sandbox: save, load, reset; and compare two saved ones."""


@state.command("save")
@_ADDRESS
@click.argument("file", type=_FILE)
def save_state(address: str, file: Path) -> None:
    """Write all objects to a file."""
    found = _control(address, "GET", "state")
    file.write_text(json.dumps(found, indent=1))
    click.echo(f"{len(found['objects'])} objects")


@state.command("load")
@_ADDRESS
@click.argument("file", type=_FILE)
def load_state(address: str, file: Path) -> None:
    """Make the sandbox what it was when the file was saved; deliveries on their way are dropped."""
    click.echo(f"{_control(address, 'POST', 'state', file.read_bytes())['objects']} objects")


@state.command("reset")
@_ADDRESS
def reset_state(address: str) -> None:
    """Forget everything, connected accounts and webhook endpoints too."""
    _control(address, "DELETE", "state")


@state.command("compare")
@click.argument("first", type=_FILE)
@click.argument("second", type=_FILE)
def compare_states(first: Path, second: Path) -> None:
    """Print what differs between two saved states; ends with 1 where anything does."""
    from sandbox.state import compare

    found = compare(json.loads(first.read_text()), json.loads(second.read_text()))
    for line in found:
        click.echo(line)
    if found:
        sys.exit(1)


def _control(address: str, method: str, path: str, body: bytes | None = None) -> Any:
    request = urllib.request.Request(f"{address}/_sandbox/{path}", data=body, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 (the user's own sandbox)
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise click.UsageError(json.load(error)["error"]) from None
    except urllib.error.URLError as error:
        raise click.ClickException(f"no sandbox at {address}: {error.reason}") from None


@main.command()
def coverage() -> None:
    """Print which of Stripe's operations and parameters are here, as sandbox/COVERAGE.md has it."""
    from sandbox.coverage import page

    click.echo(page(), nl=False)


if __name__ == "__main__":
    main()
