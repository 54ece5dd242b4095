"""What replay is for: code that no longer agrees with recorded runs is found out, with the event and the reason.

Each test changes a copy of the engine's code (a method, for the time of the test) in a way that a careless commit
might, and replays what was recorded before it.
"""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowHistory

from holdfast.contracts.calls import CallRecord
from holdfast.errors import UsageError
from holdfast.testing import assert_replays
from policies import effects
from tests.replay.recorded import recorded
from workers.replay import ReplayReport, offline_view, replay, scheduled, state_at
from workflows.call_dispatch import CallDispatch
from workflows.call_execution import CallExecution
from workflows.planning import Planning
from workflows.run_state import RunState


async def replayed(scenario: str) -> ReplayReport:
    """Replay on the modules of this process, which the tests change; the strict sandbox loads them anew."""
    return await replay(recorded(scenario), strict=False)


def event_of(scenario: str, activity: str) -> int:
    """The event that first scheduled an activity."""
    return next(one.event_id for one in scheduled(recorded(scenario)) if one.type == activity) or 0


async def test_nothing_is_found_in_unchanged_code() -> None:
    """The code as it is agrees with what was recorded, in this process's modules too."""
    assert await replayed("guards_decide") == ReplayReport(
        ok=True, events=len(recorded("guards_decide").events)
    )


async def test_a_tool_that_runs_before_the_guards_were_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two activities that changed places are reported at the event of the first, both named."""

    async def act_then_ask(self: CallDispatch, plan: Any, step: Any) -> Any:
        proposed = self._propose(plan, step)
        self._state.move("acting")
        act = functools.partial(self._outcome_of, verdicts={})
        await asyncio.gather(*(self._carry_out_one(one, act) for one in proposed))
        await self._vet(proposed)
        return [], {}

    monkeypatch.setattr(CallDispatch, "carry_out", act_then_ask)

    report = await replayed("guards_decide")

    assert not report.ok
    assert report.event_id == event_of("guards_decide", "vet")
    assert report.reason == "the history says activity vet, today's code asks for stop."


async def test_a_step_that_is_planned_before_its_calls_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan in the place of a tool is reported at the tool's event, and that the tool never ran."""

    async def forget(self: CallExecution, record: CallRecord, tool: Any) -> Any:
        return self._done(record, tool, "forgotten", verbatim=False)

    monkeypatch.setattr(CallExecution, "execute", forget)

    report = await replayed("rules_happy_path")

    assert (report.ok, report.event_id) == (False, event_of("rules_happy_path", "look"))
    assert "the history says activity look, today's code asks for plan" in report.reason


async def test_a_search_attribute_that_is_no_longer_written(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that is no activity is missed too, at its event."""
    monkeypatch.setattr(RunState, "show", lambda _: None)
    first = next(
        e
        for e in recorded("text_answer").events
        if e.HasField("upsert_workflow_search_attributes_event_attributes")
    )

    report = await replayed("text_answer")

    assert (report.ok, report.event_id) == (False, first.event_id)


async def test_code_that_fails_on_what_was_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in workflow code is reported as that, at the workflow task in which it is raised."""

    def fail(self: Planning) -> None:
        raise ZeroDivisionError("a bug of today")

    monkeypatch.setattr(Planning, "sound_answer", fail)

    report = await replayed("text_answer")

    assert not report.ok
    assert report.reason == "today's code fails: a bug of today"
    first_plan_done = next(
        e for e in recorded("text_answer").events if e.HasField("activity_task_completed_event_attributes")
    )
    assert report.event_id is not None
    assert report.event_id > first_plan_done.event_id


async def test_an_argument_that_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of another form replay, since Temporal does not look; each is reported all the same."""
    as_it_was = effects.idempotency_key
    monkeypatch.setattr(effects, "idempotency_key", lambda *about: f"v2:{as_it_was(*about)}")

    report = await replayed("approval_approved")

    assert report.ok
    last = len(recorded("approval_approved").events)  # the run's result names its effects and their keys
    assert [one.event_id for one in report.changed] == [event_of("approval_approved", "pay"), last]
    assert "the input of pay was" in str(report)
    assert "v2:approval_approved" in str(report)


async def test_a_result_that_has_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that would end with another result is reported at its last event."""
    as_it_was = RunState.end

    def end(self: RunState, *args: Any, **options: Any) -> Any:
        return as_it_was(self, *args, **{**options, "reason": "because"})

    monkeypatch.setattr(RunState, "end", end)

    report = await replayed("text_answer")

    assert report.ok
    assert [one.event_id for one in report.changed] == [len(recorded("text_answer").events)]


async def test_users_are_told_by_an_assertion(tmp_path: Path) -> None:
    """`assert_replays` takes a path, and fails with run, event and reason when a history is not today's code's."""
    history = recorded("rules_happy_path")
    looked = next(e for e in history.events if e.event_id == event_of("rules_happy_path", "look"))
    looked.activity_task_scheduled_event_attributes.activity_type.name = "listen"
    path = tmp_path / "tampered.json"
    path.write_text(history.to_json())

    with pytest.raises(
        AssertionError, match=rf"tampered does not replay: at event {looked.event_id}: .* listen, .* look"
    ):
        await assert_replays(path)


async def test_what_is_no_history_of_a_run_is_refused(tmp_path: Path) -> None:
    """A missing file, a file with something else, and a history without its beginning get a clear error each."""
    (tmp_path / "else.json").write_text('{"events": 7}')
    history = recorded("text_answer")

    with pytest.raises(UsageError, match="cannot be read"):
        await assert_replays(tmp_path / "missing.json")
    with pytest.raises(UsageError, match="holds no workflow history"):
        await assert_replays(tmp_path / "else.json")
    with pytest.raises(UsageError, match="not of an AgentRun"):
        await assert_replays(WorkflowHistory("half", list(history.events)[3:]))


async def test_the_state_at_any_event() -> None:
    """The state in the middle of a run is rebuilt: what was open, and every word of the transcript so far."""
    history = recorded("approval_approved")
    before = event_of("approval_approved", "pay") - 1
    asked = max(
        e.event_id
        for e in history.events
        if e.event_id < before and e.HasField("upsert_workflow_search_attributes_event_attributes")
    )

    state = await state_at(history, asked)

    assert [request.kind for request in state.requests.values()] == ["approval"]
    assert [message.role for message in state.transcript.messages] == ["user", "assistant"]
    assert (await offline_view(history)).requests == []
    with pytest.raises(UsageError, match="had decided nothing by event 2"):
        await state_at(history, 2)
