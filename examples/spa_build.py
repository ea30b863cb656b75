"""Builds the example front end, and serves it beside `make run`: `make example`."""

import json
import subprocess
import sys
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from gateway.demo import EXAMPLE_ORIGIN
from gateway.signatures import Signature
from gateway.signatures import build as schema_of
from pages.graphiql_build import install, tools
from tenants.context import ROLE_SCOPES, Feature, Role

PROJECT = Path(__file__).parent / "spa"


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


def main() -> int:
    """Build, say what to open, and serve until interrupted."""
    target = PROJECT / "dist"
    try:
        build(target)
    except subprocess.CalledProcessError as error:
        print(f"{error.cmd[0]} failed:\n{error.output}{error.stderr}", file=sys.stderr)
        return 1
    told = json.loads(Path(".run/demo.json").read_text("utf-8"))
    tenant = told["tenants"][0]
    print(f"Open {EXAMPLE_ORIGIN}/#api={told['graphql']}&token={tenant['customer_token']}")
    handler = partial(SimpleHTTPRequestHandler, directory=str(target))
    with (
        ThreadingHTTPServer(("127.0.0.1", int(EXAMPLE_ORIGIN.rpartition(":")[2])), handler) as server,
        suppress(KeyboardInterrupt),
    ):
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
