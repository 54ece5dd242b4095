"""When a run goes on in a new execution."""

from __future__ import annotations

import pytest

from policies.continuation import EVENTS_AT_MOST, is_due


@pytest.mark.parametrize(
    "suggested,events,steps,not_before,due",
    [
        (False, EVENTS_AT_MOST - 1, 200, 0, False),
        (False, EVENTS_AT_MOST, 200, 0, True),
        (True, 90, 5, 0, True),  # a server that is set to suggest it early
        (True, 5000, 0, 0, False),  # nothing to lay aside
        (True, 5000, 20, 25, False),  # it was tried, and could not be done
        (True, 5000, 25, 25, True),
    ],
)
def test_it_goes_on_when_told_or_when_replay_would_take_long(
    suggested: bool, events: int, steps: int, not_before: int, due: bool
) -> None:
    """The server's suggestion counts, and before that the time that a replay takes; a failed try is not repeated at once."""
    assert is_due(suggested=suggested, events=events, steps=steps, not_before=not_before) is due


def test_it_goes_on_before_the_server_warns() -> None:
    """The server's own suggestion is 4,096 events and its warning 10,240."""
    assert EVENTS_AT_MOST < 4096
