"""What a run has to show is always to be had: while it goes on, parked, cut from outside, or cancelled."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from holdfast import Agent, Approval, Retry, Rules, RunNotCompleted, RunParked, Transient, tool
from holdfast.testing import call, calls, fault, finish, say
from tests.stage import CLAUDE, SetStage


@tool(effect="irreversible", waiver="a test")
async def note(line: str) -> str:
    """Write a note."""
    return f"noted {line}"


@tool(effect="irreversible", approval=Approval(by="finops"))
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def clerk(*tools: Any) -> Agent[str]:
    """An agent that writes notes."""
    return Agent(name="clerk", instructions="Note.", tools=tools, ladder=[CLAUDE], autonomy="full")


async def until(true: Callable[[], Awaitable[object]]) -> None:
    """Wait until it is."""
    while True:
        if await true():
            return
        await asyncio.sleep(0.05)


def spoken(messages: list[Any]) -> str:
    """All that a transcript holds, as text."""
    return json.dumps([message.model_dump(mode="json") for message in messages])


async def test_a_parked_run_hands_over_what_there_is(
    stage: SetStage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its client gets effects, usage, words, transcript and why it stopped, typed; who waits on hears that it is parked."""
    monkeypatch.setattr("holdfast.results.WATCH_SECONDS", 0.1)
    script = [call("note", line="a"), fault(400), say("Noted, in the end.")]
    async with stage(clerk(note), script) as on:
        run = await on.start("Note a.")
        with pytest.raises(RunParked, match="no planner is left") as parked:
            await run.result(parked="raise")
        outcome = parked.value.outcome
        assert (outcome.status, outcome.steps, outcome.calls) == ("parked", 1, 1)
        assert [(one.tool, one.outcome) for one in outcome.effects] == [("note", "done")]
        assert outcome.usage.model_calls == 1
        assert outcome.failure is not None
        assert (outcome.failure.kind, outcome.failure.category) == ("fatal", "integration")
        assert outcome.failure_counts == {"integration": 1}
        assert await run.outcome(wait=False) == outcome
        told = spoken(await run.transcript())
        assert "Note a." in told
        assert "noted a" in told
        with caplog.at_level(logging.WARNING, "holdfast"):
            waiting = asyncio.create_task(run.result())

            async def told_of_it() -> bool:
                return f"`holdfast show {run.id}` says why" in caplog.text

            await until(told_of_it)
            await run.redrive(by="dana")
            assert await waiting == "Noted, in the end."
        assert caplog.text.count("is parked: only a person") == 1
        step = (await run.inspect()).steps[-1]
    assert [failure.kind for failure in step.failures] == ["fatal"]


async def test_a_run_that_is_cut_from_outside_still_has_something_to_show(
    stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Terminated while it waits for a person: all is told, with how it was ended, whether a worker is up or not."""
    both = calls(("note", {"line": "a"}), ("pay", {"amount": 5}))
    async with stage(clerk(note, pay), [both], replay=False) as on:
        run = await on.start("Note a, pay 5.")
        await run.next_request()
        before = await run.outcome(wait=False)
        assert (before.status, before.reason) == (
            "waiting",
            "it waits for a person: pay needs approval by finops (approval, asks finops)",
        )
        await on.client.temporal.get_workflow_handle(run.id).terminate(reason="the wrong account")
        with pytest.raises(RunNotCompleted, match="terminated: the wrong account") as cut:
            await run.result()
        outcome = cut.value.outcome
        assert not isinstance(cut.value, RunParked)
        assert (outcome.status, outcome.agent, outcome.calls) == ("cancelled", "clerk", 2)
        assert [one.tool for one in outcome.effects] == ["note"]
        assert "Note a, pay 5." in spoken(await run.transcript())
        told = await run.transcript()
    # By now no worker is there: the same, rebuilt here from the history.
    monkeypatch.setattr("holdfast.run.QUERY_TIMEOUT", timedelta(seconds=0.5))
    assert await run.outcome(wait=False) == outcome
    assert await run.transcript() == told
    with pytest.raises(RunNotCompleted, match="terminated: the wrong account") as cut:
        await run.result()
    assert cut.value.outcome == outcome
    monkeypatch.setattr("holdfast.results.REBUILDING", "workers.of_another_release")
    assert "What it did is not told here: No worker answers" in (await run.outcome()).reason


async def test_a_cancelled_run_says_what_its_agent_said_last(stage: SetStage) -> None:
    """A run that is cancelled before it hands in a result keeps its last words, and a whole transcript."""
    async with stage(clerk(pay), [call("pay", amount=5, text="I found three of them.")]) as on:
        run = await on.start("Pay 5.")
        await run.next_request()
        await run.cancel(by="ana")
        outcome = await run.outcome()
        assert (outcome.status, outcome.output) == ("cancelled", None)
        assert outcome.words == "I found three of them."
        assert "Not done: the run was cancelled" in spoken(await run.transcript())


async def test_what_waits_for_its_next_try_is_seen(stage: SetStage) -> None:
    """Which attempt, of how many, why the last one failed, and when the next is due: the server itself knows."""

    @tool(effect="read", retry=Retry(attempts=4, initial=timedelta(minutes=5)))
    async def look(where: str) -> str:
        """Look."""
        raise Transient(f"{where} is busy")

    async with stage(clerk(look), [call("look", where="there")]) as on:
        run = await on.start()

        async def has_failed_once() -> bool:
            return any(one.attempt == 2 and not one.running for one in await run.pending())

        await until(has_failed_once)
        (one,) = await run.pending()
        assert (one.work, one.call, one.attempt, one.attempts_at_most) == ("look", "1.1", 2, 4)
        assert (one.running, one.started_at) == (False, None)
        assert one.next_try is not None
        assert one.next_try > (await run.inspect()).started_at
        assert one.last_failure is not None
        assert (one.last_failure.kind, one.last_failure.message) == ("transient", "there is busy")
        await run.cancel()
        assert (await run.outcome()).status == "cancelled"


@tool(effect="read")
async def find(name: str) -> str:
    """Find somebody."""
    return f"found {name}"


async def test_failures_are_counted_by_category(stage: SetStage) -> None:
    """What the planner invents, what it gets wrong and what a rung below had to cure is on record, though the run completes."""

    def by_rules(view: Any) -> Any:
        raise AssertionError("never asked")

    script = [
        calls(("seek", {}), ("find", {"nome": "Ana"}), ("find", {"name": 7})),
        fault(400),
        finish(result="done"),
    ]
    ladder = [CLAUDE, CLAUDE, Rules(by_rules)]
    async with stage(clerk(find).but(ladder=ladder), script) as on:
        run = await on.start()
        assert await run.result() == "done"
        outcome, view = await run.outcome(), await run.inspect()
    assert outcome.failure_counts == {"hallucination": 2, "tool_call": 1, "integration": 1}
    found = [call.failure for call in view.steps[0].calls]
    assert [(f.error, f.category) for f in found if f is not None] == [
        ("UnknownTool", "hallucination"),
        ("UnknownArgument", "hallucination"),
        ("InvalidArguments", "tool_call"),
    ]
    assert [(f.kind, f.category) for f in view.steps[1].failures] == [("fatal", "integration")]
