"""`make barriers` can take away what it names: a barrier that was rewritten must be named anew."""

from tests.properties.barriers import moved


def test_every_barrier_is_where_it_is_said_to_be() -> None:
    assert moved() == []
