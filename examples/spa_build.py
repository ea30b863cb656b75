"""Builds the example front end, and serves it beside `make run`: `make example`."""

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from gateway.demo import EXAMPLE_ORIGIN
from gateway.signatures import Signature
from gateway.signatures import build as schema_of
from pages.graphiql_build import install, tools
from tenants.context import ROLE_SCOPES, Feature, Role

PROJECT = Path(__file__).parent / "spa"
_MINT = "mutation($customer: ID!) { customerTokenCreate(input: { customer: $customer }) { token errors { code } } }"


def build(target: Path) -> None:
    """Generate the types, check them, and bundle the page into a folder; raises CalledProcessError."""
    node, npm, _ = tools()
    install(PROJECT, npm)
    customer = Signature(Role.CUSTOMER, ROLE_SCOPES[Role.CUSTOMER], frozenset(Feature))
    (PROJECT / "schema.graphql").write_text(schema_of(customer).as_str() + "\n", "utf-8")
    for arguments in (
        ["node_modules/@graphql-codegen/cli/cjs/bin.js", "--silent"],
        ["node_modules/typescript/bin/tsc", "--noEmit"],
        ["build.mjs", str(target)],
    ):
        done = node(arguments, return_completed_process=True, cwd=PROJECT, capture_output=True, text=True, timeout=180)
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, arguments, done.stdout, done.stderr)


class _Pages(SimpleHTTPRequestHandler):
    """The built page; and, in the place of a tenant's back end, `/sign-in`, which sends a customer to it."""

    def __init__(self, *args: Any, told: Path, **more: Any) -> None:
        self.told = told
        super().__init__(*args, **more)

    def do_GET(self) -> None:
        if self.path != "/sign-in":
            return super().do_GET()
        try:
            address = signed_in(json.loads(self.told.read_text("utf-8")))
        except (OSError, httpx.HTTPError):
            return self.send_error(503, "The gateway does not answer: start `make run` first")
        self.send_response(302)
        self.send_header("Location", address)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        return None


def signed_in(told: Mapping[str, Any]) -> str:
    """The page's address with a fresh token of the first demo tenant's customer, minted as its back end would."""
    tenant = told["tenants"][0]
    answer = httpx.post(
        told["graphql"],
        json={"query": _MINT, "variables": {"customer": tenant["customer"]}},
        headers={"Authorization": f"Bearer {tenant['partner_key']}"},
    )
    token = answer.raise_for_status().json()["data"]["customerTokenCreate"]["token"]
    return "/#" + urlencode({"api": told["graphql"], "token": token})


def server(folder: Path, told: Path, port: int = 0) -> ThreadingHTTPServer:
    """A server of the built page; `told` is what `make run` writes, read anew at each sign-in."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(_Pages, directory=str(folder), told=told))


def main() -> int:
    """Build, say what to open, and serve until interrupted."""
    target = PROJECT / "dist"
    try:
        build(target)
    except subprocess.CalledProcessError as error:
        print(f"{error.cmd[0]} failed:\n{error.output}{error.stderr}", file=sys.stderr)
        return 1
    print(f"Open {EXAMPLE_ORIGIN}/sign-in   (each visit signs in anew, for fifteen minutes)")
    with (
        server(target, Path(".run/demo.json"), int(EXAMPLE_ORIGIN.rpartition(":")[2])) as serving,
        suppress(KeyboardInterrupt),
    ):
        serving.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
