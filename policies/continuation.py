"""When a run goes on in a new execution.

Temporal says when a history should not grow much further: at 4,096 events or 4 MB, unless the server is set otherwise. A
run goes on earlier, since a worker that has not seen it before replays its whole execution before it can do anything:
about a millisecond an event, while people wait.
"""

EVENTS_AT_MOST = 2800
"""An execution of so many events is replayed within two or three seconds on a small machine."""


def is_due(*, suggested: bool, events: int, steps: int, not_before: int) -> bool:
    """Whether this execution has become long enough.

    Args:
        suggested: The server suggests it.
        events: How many events this execution has.
        steps: How many steps the run has kept of itself; without any there is nothing to lay aside.
        not_before: Steps that must have been taken first: it was tried and could not be done.
    """
    return (suggested or events >= EVENTS_AT_MOST) and steps >= max(1, not_before)
