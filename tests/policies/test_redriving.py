"""policies/redriving.py: which writes a redriven run may make again, and what its planner is told of them."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.contracts.calls import CallRecord, Failure
from holdfast.contracts.parked import Redrive
from holdfast.contracts.run import StepRecord
from policies.redriving import MAX_TOLD_CALLS, problem, told, writes_since


def a_call(name: str, **given: Any) -> CallRecord:
    """A write that was made, unless `given` says otherwise."""
    given = {"effect": "irreversible", "status": "done", "idempotency_key": f"run/{name}", **given}
    return CallRecord(id=name, tool_use_id=name, tool="pay", arguments={"order": name}, **given)


def steps_of(*calls: CallRecord) -> list[StepRecord]:
    """Steps 1, 2, … with one call each."""
    return [
        StepRecord(number=at, rung=0, planner="m", stop_reason="tool_use", calls=[call])
        for at, call in enumerate(calls, start=1)
    ]


def test_from_where_it_stopped_nothing_is_repeated() -> None:
    """A redrive asks for the plan that failed, and for nothing that was done."""
    assert writes_since("run", steps_of(a_call("1.1")), None) == []


@pytest.mark.parametrize(
    "given,stands",
    [
        ({}, True),
        ({"status": "unknown"}, True),
        ({"status": "failed", "failure": Failure(kind="contract", message="x")}, True),
        ({"status": "failed", "failure": Failure(kind="correctable", message="x")}, False),
        ({"status": "rejected"}, False),
        ({"status": "skipped"}, False),
        ({"effect": "read"}, False),
        ({"dry_run": True}, False),
    ],
)
def test_what_may_have_changed_the_world_is_named(given: dict[str, Any], stands: bool) -> None:
    """Writes that took effect or may have, and no others."""
    assert bool(writes_since("run", steps_of(a_call("1.1", **given)), 1)) is stands


def test_only_what_came_after_counts() -> None:
    """Going back to step 2 leaves step 1 in the transcript: it is not asked for again."""
    found = writes_since("run", steps_of(a_call("1.1"), a_call("2.1"), a_call("3.1")), 2)
    assert [(one.call, one.step, one.arguments) for one in found] == [
        ("2.1", 2, {"order": "2.1"}),
        ("3.1", 3, {"order": "3.1"}),
    ]


def test_a_key_of_its_own_keeps_a_write_from_being_repeated() -> None:
    """A key made of arguments is the same when the call is planned again; one made of the call is not."""
    (own, plain) = writes_since("run", steps_of(a_call("1.1", idempotency_key="pay/7"), a_call("2.1")), 1)
    assert own.kept_by_key
    assert not plain.kept_by_key


@pytest.mark.parametrize(
    "asked,steps,why",
    [
        (Redrive(), 0, None),
        (Redrive(from_step=3), 3, None),
        (Redrive(from_step=4), 3, "there is no step 4 to go back to: it has steps 1 to 3"),
        (Redrive(from_step=1), 0, "it has no step yet to go back to: leave the step out"),
    ],
)
def test_a_step_must_be_there(asked: Redrive, steps: int, why: str | None) -> None:
    """One cannot go back to a step that was not made."""
    assert problem(asked, steps) == why


def test_the_planner_is_told_what_stands() -> None:
    """Each write since is named, up to a bound, and that it must not be made again."""
    calls = [a_call(f"{n}.1") for n in range(1, MAX_TOLD_CALLS + 3)]
    text = told(1, writes_since("run", steps_of(*calls), 1))
    assert "back to before step 1" in text
    assert "- pay {'order': '1.1'}: done" in text
    assert "Do not make them again" in text
    assert "… and 2 more." in text
    assert "Do not" not in told(2, [])
