"""Replays recordings of real Stripe traffic against the sandbox: `python -m tests.contract.recorded FOLDER`.

What the recorded account held before the recording began (prices, products, coupons) is put into the sandbox
first. Prints, scenario by scenario, how many answers agree, and each difference.
"""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson

from sandbox.app import SandboxApp
from sandbox.config import Config
from sandbox.http.api import Request
from sandbox.store import Transaction
from tests.contract.account_objects import account_objects
from tests.contract.comparing import Comparison
from tests.contract.recordings import Exchange, Scenario, scenarios

KEY = "sk_test_recorded"
MAX_SHOWN = 12  # differences of one answer

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Result:
    """One replayed request."""

    exchange: Exchange
    differences: list[str]


class Replay:
    """One scenario against a fresh sandbox, whose clock shows the time of the recording."""

    def __init__(self, scenario: Scenario, others: Sequence[Scenario] = ()) -> None:
        self._now = float(scenario.exchanges[0].at)
        self._config = Config(api_keys=(KEY,), clock=lambda: self._now, seed=1)
        self._app = SandboxApp(self._config)
        self._comparison = Comparison()
        self._scenario = scenario
        self._seen = (scenario, *others)

    def run(self) -> list[Result]:
        self._seed()
        # An account of before the recording, with its settings, can't be had again.
        askable = [one for one in self._scenario.exchanges if not one.path.startswith("/v1/accounts/")]
        return [Result(exchange, self._replayed(exchange)) for exchange in askable]

    def _replayed(self, exchange: Exchange) -> list[str]:
        self._now = float(exchange.at)
        account = None if exchange.account is None else self._comparison.translated(exchange.account)
        path = self._comparison.translated(exchange.path)
        status, ours = self._ask(exchange.method, path, exchange.query, exchange.form, account)
        if status != exchange.status:
            return [f"status {status} instead of {exchange.status}: {ours.get('error', {}).get('message')}"]
        return self._comparison.differences(exchange.body, ours)

    def _ask(
        self, method: str, path: str, query: Pairs = (), form: Pairs = (), account: str | None = None
    ) -> tuple[int, dict[str, Any]]:
        headers = {"authorization": f"Bearer {KEY}"} | ({} if account is None else {"stripe-account": account})
        request = Request(method, path, self._encoded(query), headers, self._encoded(form))
        answer = self._app.api.answer(request)
        return answer.status, orjson.loads(answer.body)

    def _encoded(self, pairs: Pairs) -> bytes:
        # `plan` was the old name of `price` in items, until the pinned version.
        renamed = [(re.sub(r"^(items\[\d+\])\[plan\]$", r"\1[price]", name), value) for name, value in pairs]
        return urlencode([(name, self._comparison.translated(value)) for name, value in renamed]).encode()

    def _seed(self) -> None:
        """Put in what the answers of this or another recording show, and no request of this one made."""
        made = {exchange.body.get("id") for exchange in self._scenario.exchanges if exchange.method == "POST"}
        found = account_objects(exchange.body for scenario in self._seen for exchange in scenario.exchanges)
        recorded = sorted({exchange.account for exchange in self._scenario.exchanges if exchange.account})
        accounts = [self._connected(account) for account in recorded]
        # What no request names may be another object here: the price that Stripe keeps behind a plain amount.
        asked = " ".join(f"{one.path} {one.query} {one.form}" for one in self._scenario.exchanges)
        tx = Transaction(self._app.api.store)
        for account in accounts or [self._config.platform]:
            for one in found:
                if one["id"] not in made:
                    tx.insert(account, one["object"], dict(one))
                    if one["id"] in asked:
                        self._comparison.ours[one["id"]] = one["id"]
        tx.commit()

    def _connected(self, recorded: str) -> str:
        """A connected account that can charge, in the place of the recorded one."""
        _, made = self._ask("POST", "/v1/accounts", form=(("metadata[sandbox_enabled]", "true"),))
        self._comparison.ours[recorded] = made["id"]
        return str(made["id"])


def replay(folder: Path) -> dict[str, list[Result]]:
    """The results of every scenario in the folder, by its name."""
    every = scenarios(folder)
    return {scenario.name: Replay(scenario, every).run() for scenario in every}


ENOUGH = 0.95  # of the answers; each difference that stands is printed, with its reason
# Why a difference stands, by the end of its path.
REASONS = {
    "times_redeemed": "the coupon is known from this very answer alone, which counts the redemption that is replayed",
}


def reason(difference: str) -> str:
    """Why it stands, or that nobody has found out."""
    path = difference.partition(":")[0]
    return next((text for end, text in REASONS.items() if path.endswith(end)), "not known")


def main(arguments: list[str]) -> int:
    """Print the agreement, with every difference; 0 where enough agrees."""
    if len(arguments) != 1 or not arguments[0] or not Path(arguments[0]).is_dir():
        print("usage: make recorded FOLDER=…, a folder with recordings", file=sys.stderr)
        return 2
    results = replay(Path(arguments[0]))
    if not any(results.values()):
        print(f"no recordings in {arguments[0]}", file=sys.stderr)
        return 2
    for name, exchanges in results.items():
        agreed = sum(not one.differences for one in exchanges)
        print(f"{agreed}/{len(exchanges)} {name}")
        for one in exchanges:
            for difference in one.differences[:MAX_SHOWN]:
                print(f"    {one.exchange.title}: {difference}")
                print(f"        reason: {reason(difference)}")
            if len(one.differences) > MAX_SHOWN:
                print(f"    {one.exchange.title}: and {len(one.differences) - MAX_SHOWN} more")
    every = [one for exchanges in results.values() for one in exchanges]
    agreed = sum(not one.differences for one in every)
    print(f"{agreed}/{len(every)} answers agree with the recordings")
    return 0 if agreed >= ENOUGH * len(every) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
