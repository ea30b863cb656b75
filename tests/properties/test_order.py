"""Seeded histories end right under our rule, and often wrong under the rules that others use."""

import pytest

from tests.properties.order_histories import BURSTS, MILD, Traffic, measure

HISTORIES = 2_500  # `make soak` runs 100,000 of each
_DESIGN = {BURSTS.name: (0.35, 0.003, 0.35), MILD.name: (0.08, 0.0, 0.10)}


@pytest.mark.parametrize("traffic", [BURSTS, MILD], ids=lambda traffic: traffic.name)
def test_no_history_ends_wrong_and_few_deliveries_cost_a_read(traffic: Traffic) -> None:
    newer_wins, last_read, reads = _DESIGN[traffic.name]
    found = measure(traffic, range(HISTORIES))
    assert found["ours"] == 0
    assert found["<"] >= newer_wins * HISTORIES
    assert found["last read"] >= last_read * HISTORIES
    assert found["reads"] <= reads * found["deliveries"]
