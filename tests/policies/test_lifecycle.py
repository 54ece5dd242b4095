"""policies/lifecycle.py: the states of a run and what moves between them."""

from __future__ import annotations

from typing import get_args

import pytest

from holdfast.contracts.calls import CallRecord, CallStatus
from holdfast.contracts.run import RunStatus
from policies.lifecycle import ENDED, OPEN, TRANSITIONS, may_move, while_acting

STATES: tuple[RunStatus, ...] = get_args(RunStatus)


def reachable(start: RunStatus) -> set[RunStatus]:
    """Every state that a run in `start` can come to."""
    found: set[RunStatus] = set()
    waiting = [start]
    while waiting:
        new = TRANSITIONS[waiting.pop()] - found
        found |= new
        waiting.extend(new)
    return found


def test_every_state_is_in_the_table_once() -> None:
    """A state is open or ended, and the table knows all of them."""
    assert set(TRANSITIONS) == set(STATES) == OPEN | ENDED
    assert not OPEN & ENDED


def test_every_state_can_be_reached() -> None:
    """No state is there for nothing."""
    assert reachable("starting") | {"starting"} == set(STATES)


def test_an_end_is_final_and_every_open_run_can_come_to_one() -> None:
    """An ended run moves nowhere; an open one can be cancelled at any time."""
    for state in ENDED:
        assert TRANSITIONS[state] == frozenset()
    for state in OPEN:
        assert "cancelled" in TRANSITIONS[state]
        assert reachable(state) >= {"completed", "partial", "failed", "cancelled"}


def test_a_run_without_a_human_decision_is_not_completed() -> None:
    """What waits or is parked goes on before it ends well."""
    assert not TRANSITIONS["waiting"] & {"completed", "partial"}
    assert not TRANSITIONS["parked"] & {"completed", "partial"}


@pytest.mark.parametrize("old", STATES)
@pytest.mark.parametrize("new", STATES)
def test_a_run_may_stay_or_follow_the_table(old: RunStatus, new: RunStatus) -> None:
    """Staying is always allowed, every other move stands in the table."""
    assert may_move(old, new) is (old == new or new in TRANSITIONS[old])


@pytest.mark.parametrize(
    "statuses,state",
    [
        ([], "acting"),
        (["done"], "acting"),
        (["waiting"], "waiting"),
        (["waiting", "done", "refused", "failed", "skipped", "rejected", "expired"], "waiting"),
        (["waiting", "waiting"], "waiting"),
        (["waiting", "running"], "acting"),
        (["waiting", "proposed"], "acting"),
        (["unknown"], "acting"),
        (["waiting", "unknown"], "acting"),
    ],
)
def test_a_step_waits_when_nothing_but_a_human_can_move_it(
    statuses: list[CallStatus], state: RunStatus
) -> None:
    """As long as one call goes on by itself, the step acts."""
    calls = [CallRecord(id="1.1", tool_use_id="t", tool="t", arguments={}, status=one) for one in statuses]
    assert while_acting(calls) == state


@pytest.mark.parametrize(
    "others,state",
    [([], "waiting"), (["done"], "waiting"), (["waiting"], "waiting"), (["running"], "acting")],
)
def test_an_unknown_outcome_waits_once_a_human_is_asked(others: list[CallStatus], state: RunStatus) -> None:
    """Nothing but the human's answer moves a call whose outcome nobody knows."""
    statuses: list[CallStatus] = ["unknown", *others]
    calls = [
        CallRecord(id=f"1.{number}", tool_use_id="t", tool="t", arguments={}, status=one)
        for number, one in enumerate(statuses, start=1)
    ]
    assert while_acting(calls, frozenset({"1.1"})) == state


def test_an_unknown_outcome_that_was_left_alone_moves_nothing() -> None:
    """A call that a human has skipped keeps no other call from being waited for."""
    skipped = CallRecord(
        id="1.1", tool_use_id="t", tool="t", arguments={}, status="unknown", finished_at="now"
    )
    asked = CallRecord(id="1.2", tool_use_id="t", tool="t", arguments={}, status="waiting")
    assert while_acting([skipped, asked], frozenset({"1.2"})) == "waiting"
