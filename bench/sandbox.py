"""How many requests a second the sandbox answers on one core, beside a bare server that answers with ready bytes.

    python -m bench.sandbox [SECONDS]

Server and client have a core each where there are two; the sandbox keeps its state on disk.
"""

import asyncio
import json
import sys
import tempfile
from base64 import b64encode
from pathlib import Path

from bench import http

_KEY = "sk_test_bench"
_AUTH = b64encode(f"{_KEY}:".encode()).decode()


def _request(method: str, path: str, body: str = "") -> bytes:
    return http.request(
        method, path, body, Authorization=f"Basic {_AUTH}", Content_Type="application/x-www-form-urlencoded"
    )


def main() -> None:
    """The command line."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    port = 12_311
    if pin := http.pinned(1):
        pin()
    with tempfile.TemporaryDirectory() as folder:
        state = str(Path(folder) / "state")
        with http.server("-m", "sandbox", "serve", "--port", str(port), "--api-key", _KEY, "--data", state, port=port):
            made = asyncio.run(http.one(port, _request("POST", "/v1/customers", "name=Ada&email=a%40example.org")))
            read = _request("GET", f"/v1/customers/{json.loads(made)['id']}")
            create = _request("POST", "/v1/customers", "name=Ada&email=a%40example.org&metadata[a]=b")
            rates = {"retrieve a customer": asyncio.run(http.rate(port, read, seconds))}
            rates["create a customer"] = asyncio.run(http.rate(port, create, seconds))
        with http.server("-m", "bench.floors", str(port), "bytes", str(len(made)), port=port):
            floor = asyncio.run(http.rate(port, read, seconds))
    for name, rate in rates.items():
        print(f"sandbox: {name}: {rate:,.0f} requests/s on one core; ready bytes {floor:,.0f}/s; "
              f"ratio {rate / floor:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
