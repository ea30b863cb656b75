"""Checkout sessions that nobody completes."""

from typing import Any
from urllib.parse import urlencode

import orjson

from sandbox.app import SandboxApp
from sandbox.config import Config
from sandbox.http.api import Request
from tests.sandbox.server import KEY


class Sandbox:
    """A sandbox without a network, whose clock stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_793_000_000.0
        self._api = SandboxApp(Config(api_keys=(KEY,), clock=lambda: self.now)).api

    def ask(self, method: str, path: str, **form: str) -> Any:
        headers = {"authorization": f"Bearer {KEY}"}
        answer = self._api.answer(Request(method, path, b"", headers, urlencode(form).encode()))
        assert answer.status == 200, answer.body
        return orjson.loads(answer.body)


def test_a_session_expires_at_its_time_and_tells_of_it_once() -> None:
    sandbox = Sandbox()
    session = sandbox.ask(
        "POST", "/v1/checkout/sessions", mode="setup", currency="usd", success_url="https://shop.example/done"
    )
    path = f"/v1/checkout/sessions/{session['id']}"
    sandbox.now = session["expires_at"] - 1
    assert sandbox.ask("GET", path)["status"] == "open"
    sandbox.now += 1
    for _ in range(2):
        assert sandbox.ask("GET", path)["status"] == "expired"
    types = [event["type"] for event in sandbox.ask("GET", "/v1/events")["data"]]
    assert types == ["checkout.session.expired"]
