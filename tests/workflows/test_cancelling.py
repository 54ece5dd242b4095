"""Cancelling a run: tools clean up, the transcript stays one that the API takes, and the outcome says what was done."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import Client as TemporalClient

from holdfast import Agent, Client, Correctable, Run, RunNotCompleted, tool
from holdfast.contracts.messages import Page, PageRequest
from holdfast.contracts.run import RunOutcome
from holdfast.testing import call, calls, fault
from policies import steering
from tests.stage import CLAUDE, SetStage, Stage, unique

BEGUN: list[str] = []
CLEANED: list[str] = []
LEFT_ALONE = asyncio.Event()


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    """Each test begins with nothing done."""
    BEGUN.clear()
    CLEANED.clear()


async def under_way(name: str) -> None:
    """Note the beginning, and work until told to stop."""
    BEGUN.append(name)
    await asyncio.Event().wait()


@tool(effect="irreversible", waiver="a list")
async def copies(name: str) -> str:
    """Copy files, and say how far it came when it is stopped."""
    try:
        await under_way(name)
    except asyncio.CancelledError:
        CLEANED.append(name)
        return "3 of 9 files copied"
    return "9 files"


@tool(effect="irreversible", waiver="a list")
async def takes_back(name: str) -> str:
    """Write in one transaction, which is taken back when it is stopped."""
    try:
        await under_way(name)
    except asyncio.CancelledError:
        CLEANED.append(name)
        raise Correctable("the transaction was rolled back") from None
    return "written"


@tool(effect="irreversible", waiver="a list")
async def just_stops(name: str) -> str:
    """Write, and know nothing of cancelling."""
    await under_way(name)
    return "written"


@tool(effect="read")
async def reads(name: str) -> str:
    """Read."""
    await under_way(name)
    return "read"


@tool(effect="irreversible", waiver="a list")
async def deaf(name: str) -> str:
    """Write, and do not listen to being told to stop."""
    try:
        await under_way(name)
    except asyncio.CancelledError:
        await LEFT_ALONE.wait()
    return "written after all"


TOOLS = [copies, takes_back, just_stops, reads, deaf]
AGENT = Agent(name="stopped", instructions="Go.", tools=TOOLS, ladder=[CLAUDE], autonomy="full")


async def begun(number: int) -> None:
    """Wait until so many tools work."""
    while len(BEGUN) < number:  # noqa: ASYNC110  # tools of several threads of work, none of which is this test's
        await asyncio.sleep(0.01)


async def cancelled(run: Run[Any], **said: str) -> RunOutcome:
    """Cancel the run, and its outcome."""
    await run.cancel(**said)
    with pytest.raises(RunNotCompleted) as caught:
        await run.result()
    return caught.value.outcome


async def unanswered(on: Stage, run: Run[Any]) -> tuple[list[str], list[str]]:
    """The calls in the transcript that have no result right behind them, and the results there are."""
    handle = on.client.temporal.get_workflow_handle(run.id)
    page = await handle.query("transcript", PageRequest(start=0, stop=1000), result_type=Page)
    missing: list[str] = []
    results: list[str] = []
    for at, message in enumerate(page.messages):
        asked = [block["id"] for block in message.content if block["type"] == "tool_use"]
        told = page.messages[at + 1].content if at + 1 < len(page.messages) else []
        answered = [block["tool_use_id"] for block in told if block["type"] == "tool_result"]
        missing += [one for one in asked if one not in answered]
        results += [str(block["content"]) for block in told if block["type"] == "tool_result" and asked]
    return missing, results


async def test_what_tools_say_of_their_end_is_recorded(stage: SetStage) -> None:
    """One returns how far it came, one has rolled back, one knows nothing and is unknown, one only read."""
    script = [
        calls(
            ("copies", {"name": "a"}),
            ("takes_back", {"name": "b"}),
            ("just_stops", {"name": "c"}),
            ("reads", {"name": "d"}),
        )
    ]
    async with stage(AGENT, script) as on:
        run = await on.start()
        await begun(4)
        outcome = await cancelled(run, by="ana", reason="wrong account")
        view = await run.inspect()
        missing, told = await unanswered(on, run)
    assert (outcome.status, outcome.reason) == ("cancelled", "the run was cancelled by ana: wrong account")
    assert sorted((one.tool, one.outcome) for one in outcome.effects) == [
        ("copies", "done"),
        ("just_stops", "unknown"),
    ]
    assert [one.status for one in view.steps[0].calls] == ["done", "failed", "unknown", "cancelled"]
    assert CLEANED in (["a", "b"], ["b", "a"])
    assert missing == []
    assert told[0] == "3 of 9 files copied"
    assert "the transaction was rolled back" in told[1]
    assert told[2:] == [steering.NOBODY_KNOWS, steering.STOPPED]


async def test_a_tool_that_does_not_stop_is_left_after_its_time(
    stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cleaning up has a bound: then the run ends, and the write is unknown."""
    monkeypatch.setattr(steering, "CLEAN_UP_SECONDS", 3.0)
    async with stage(AGENT, [call("deaf", name="a")], strict_sandbox=False, replay=False) as on:
        run = await on.start()
        await begun(1)
        outcome = await cancelled(run)
        missing, told = await unanswered(on, run)
        LEFT_ALONE.set()
    assert [(one.tool, one.outcome) for one in outcome.effects] == [("deaf", "unknown")]
    assert (missing, told) == ([], [steering.NOBODY_KNOWS])


async def test_of_calls_one_after_another_the_later_do_not_begin(stage: SetStage) -> None:
    """The first is told to stop; the second is answered as not done, without having begun."""

    @tool(effect="read", exclusive=True)
    async def alone(name: str) -> str:
        """One at a time."""
        await under_way(name)
        return name

    agent = AGENT.but(tools=[alone])
    async with stage(agent, [calls(("alone", {"name": "a"}), ("alone", {"name": "b"}))]) as on:
        run = await on.start()
        await begun(1)
        await cancelled(run)
        missing, told = await unanswered(on, run)
    assert BEGUN == ["a"]
    assert (missing, told) == ([], [steering.STOPPED, steering.NOT_BEGUN])


async def test_waiting_for_an_approval_a_run_is_cancelled_at_once(stage: SetStage) -> None:
    """What was asked is not done, nobody is asked any more, and the call has its answer."""
    agent = AGENT.but(autonomy="supervised", tools=[reads, writes])
    async with stage(agent, [call("writes", name="a")]) as on:
        run = await on.start()
        await run.next_request()
        outcome = await cancelled(run, reason="not needed")
        assert outcome.reason == "the run was cancelled: not needed"
        assert await run.requests() == []
        assert await unanswered(on, run) == ([], [steering.NOT_BEGUN])
    assert (outcome.effects, BEGUN) == ([], [])


@tool(effect="irreversible")
async def writes(name: str) -> str:
    """Write."""
    BEGUN.append(name)
    raise ConnectionResetError("the line broke")


async def test_an_unknown_effect_that_nobody_decided_stays_on_record(stage: SetStage) -> None:
    """A run that asks what became of a write is cancelled: the outcome lists it as unknown."""
    agent = AGENT.but(autonomy="supervised", tools=[writes])
    async with stage(agent, [call("writes", name="a")]) as on:
        run = await on.start()
        await run.approve(await run.next_request(kind="approval"), by="dana")
        await run.next_request(kind="unknown_effect")
        outcome = await cancelled(run)
        assert await unanswered(on, run) == ([], [steering.NOBODY_KNOWS])
    assert [(one.tool, one.outcome) for one in outcome.effects] == [("writes", "unknown")]


async def test_a_parked_run_can_be_cancelled(stage: SetStage) -> None:
    """It need not be redriven first, and asks nothing any more."""
    async with stage(AGENT, [fault(400)]) as on:
        run = await on.start()
        await run.next_request(kind="parked")
        outcome = await cancelled(run, by="ana")
        assert await run.requests() == []
    assert outcome.reason == "the run was cancelled by ana"


async def test_a_paused_run_can_be_cancelled(stage: SetStage) -> None:
    """It need not be resumed first."""
    agent = AGENT.but(autonomy="supervised", tools=[writes])
    async with stage(agent, [call("writes", name="a")]) as on:
        run = await on.start()
        request = await run.next_request()
        await run.pause(by="ana")
        await run.approve(request, by="dana")
        outcome = await cancelled(run)
        assert await unanswered(on, run) == ([], [steering.NOT_BEGUN])
    assert (outcome.status, BEGUN) == ("cancelled", [])


async def test_a_run_that_no_worker_has_begun_can_be_cancelled(
    stage: SetStage, temporal: TemporalClient
) -> None:
    """When a worker comes up, it ends at once with an outcome of its own, and who watches it hears of the end."""
    queue = unique("queue")
    run = await Client(temporal, task_queue=queue).start(AGENT, "Go.", id=unique("run"))
    await run.cancel(by="ana", reason="too late")
    async with stage(AGENT, task_queue=queue) as on:
        on.runs.append(run)
        outcome = await run.outcome()
        assert [event.kind async for event in run.events()] == ["finished"]
    assert (outcome.status, outcome.agent) == ("cancelled", "stopped")
    assert outcome.reason == "the run was cancelled by ana: too late"


async def test_a_run_that_was_terminated_before_it_began_has_nothing_to_tell(
    stage: SetStage, temporal: TemporalClient
) -> None:
    """Nobody waits for its events, and its outcome blames no worker."""
    queue = unique("queue")
    run = await Client(temporal, task_queue=queue).start(AGENT, "Go.", id=unique("run"))
    await temporal.get_workflow_handle(run.id).terminate(reason="a slip")
    async with stage(AGENT, task_queue=queue):
        assert [event async for event in run.events()] == []
        outcome = await run.outcome()
    assert (outcome.status, outcome.reason) == ("cancelled", "terminated: a slip; it had not begun")
