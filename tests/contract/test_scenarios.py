"""Our own scenarios, replayed as the recordings are."""

import pytest

from tests.contract.recorded import Replay
from tests.contract.recordings import Scenario
from tests.contract.scenarios import PAYMENTS, SUBSCRIPTIONS


def assert_agrees(scenario: Scenario) -> None:
    wrong = [f"{one.exchange.title}: {line}" for one in Replay(scenario).run() for line in one.differences]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("scenario", [*PAYMENTS, *SUBSCRIPTIONS], ids=lambda scenario: scenario.name)
def test_the_sandbox_answers_as_stripe_would(scenario: Scenario) -> None:
    assert_agrees(scenario)
