"""What is logged tells nothing that must stay secret, whichever way it came into the record."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from observability import logs
from tenants import tokens

KEY, _ = tokens.generate(livemode=False)
SECRETS = {
    "an API key of ours": KEY,
    "a session token": "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJjdXNfMSJ9.c2lnbmF0dXJl",
    "Stripe's key": "sk_live_51HxYzAbCdEf",
    "a restricted key": "rk_test_51HxYzAbCdEf",
    "a webhook secret": "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH",
    "a client secret": "pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH",
    "a card's number": "4242424242424242",
    "a card's number in groups": "4000 0566 5566 5556",
    "an address": "mary.jackson@customers.example",
    "a database's address": "postgresql://gateway_app:p4ssw0rd@db/billing",
}


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Where the logs go, as in production; afterwards they go as the test run had them."""
    root = logging.getLogger()
    kept, level, config = root.handlers[:], root.level, structlog.get_config()
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    logs.configure()
    yield stream
    root.handlers, root.level = kept, level
    structlog.configure(**config)


def _records(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_a_secret_is_hidden_wherever_it_stands(secret: str, stream: io.StringIO) -> None:
    log = logs.logger("test")
    message = f"with {secret} inside"
    log.error(message, value=secret, path=["a", secret], more={"deep": [{secret: secret}]})
    log.error("an object", thing=ValueError(secret))
    try:
        raise RuntimeError(f"refused {secret}")
    except RuntimeError:
        log.exception("failed")
        logging.getLogger("library").exception("also %s", secret)
    logging.getLogger("library").warning("a library says %s", secret)
    text, records = stream.getvalue(), _records(stream)
    assert len(records) == 5
    assert secret not in text
    assert text.count(logs.HIDDEN) >= 9
    assert "RuntimeError" in records[2]["exception"]


def test_what_is_no_secret_is_told_as_it_is(stream: io.StringIO) -> None:
    logs.logger("test").warning(
        "job.done", tenant=7, share=0.5, ok=True, none=None, ids=["cus_123", "in_456"], request="req_1", at="2026-11-25"
    )
    (record,) = _records(stream)
    assert {key: record[key] for key in ("tenant", "share", "ok", "none", "ids", "request", "at")} == {
        "tenant": 7, "share": 0.5, "ok": True, "none": None, "ids": ["cus_123", "in_456"], "request": "req_1",
        "at": "2026-11-25",
    }  # fmt: skip
