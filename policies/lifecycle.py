"""The states of a run, and what moves between them.

A run is *open* until it has an outcome. `waiting` means that nothing but a human's decision can move it,
`parked` that it cannot go on as it is, `paused` that somebody said so and nothing of it is under way any more.
All three cost nothing: no worker slot, no timer but a deadline's.
"""

from holdfast.contracts.calls import CallRecord
from holdfast.contracts.run import RunStatus

OPEN: frozenset[RunStatus] = frozenset({"starting", "planning", "acting", "waiting", "paused", "parked"})
AT_REST: frozenset[RunStatus] = frozenset({"waiting", "paused", "parked"})
"""Open, and nothing of it runs: only a person moves it."""
ENDED: frozenset[RunStatus] = frozenset({"completed", "partial", "failed", "cancelled"})

TRANSITIONS: dict[RunStatus, frozenset[RunStatus]] = {
    "starting": frozenset({"planning", "paused", "cancelled"}),
    "planning": frozenset(
        {"acting", "waiting", "paused", "parked", "completed", "partial", "failed", "cancelled"}
    ),
    "acting": frozenset(
        {"planning", "waiting", "paused", "parked", "completed", "partial", "failed", "cancelled"}
    ),
    "waiting": frozenset({"acting", "planning", "paused", "parked", "cancelled"}),
    "paused": frozenset({"planning", "acting", "waiting", "parked", "cancelled"}),
    "parked": frozenset({"planning", "acting", "paused", "failed", "cancelled"}),
    "completed": frozenset(),
    "partial": frozenset(),
    "failed": frozenset(),
    "cancelled": frozenset(),
}


def may_move(old: RunStatus, new: RunStatus) -> bool:
    """Whether a run in state `old` may become `new`; staying is always allowed."""
    return old == new or new in TRANSITIONS[old]


def while_acting(
    calls: list[CallRecord], asked: frozenset[str] = frozenset(), *, paused: bool = False
) -> RunStatus:
    """The state of a step under way: it waits when no call of it can go on without a human.

    A paused run is `paused` once no call of it is running, whatever it waits for besides.

    `asked` are the calls with an open request: an unknown outcome is looked into until a human is asked.
    """
    if paused and not any(call.status == "running" for call in calls):
        return "paused"
    waiting = {call.id for call in calls if call.status == "waiting"}
    waiting |= {call.id for call in calls if call.status == "unknown" and call.id in asked}
    moving = any(
        call.status in ("proposed", "running")
        or (call.status == "unknown" and call.finished_at is None and call.id not in asked)
        for call in calls
    )
    return "waiting" if waiting and not moving else "acting"
