"""Steering a run under way: messages, pause and resume, from a client, while it plans, acts, waits and is parked."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import pytest
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowHandle

from holdfast import Agent, Client, Limits, Run, UsageError, tool
from holdfast.contracts.run import RunStatus
from holdfast.errors import NoWorkerAnswers
from holdfast.testing import Answer, ModelRequest, call, calls, fault, finish, say
from tests.stage import CLAUDE, SetStage, Stage, new_blocks, unique

GATES: dict[str, asyncio.Event] = {}
BEGUN: dict[str, asyncio.Event] = {}
MADE: list[str] = []


@pytest.fixture(autouse=True)
def closed_gates() -> None:
    """Every test has gates of its own."""
    for name in ("a", "b"):
        GATES[name], BEGUN[name] = asyncio.Event(), asyncio.Event()
    MADE.clear()


@tool(effect="read")
async def wait_at(gate: str) -> str:
    """Wait until the gate opens."""
    BEGUN[gate].set()
    await GATES[gate].wait()
    MADE.append(gate)
    return f"through {gate}"


@tool(effect="irreversible", idempotent=True)
async def pay(order: str) -> str:
    """Pay."""
    MADE.append(order)
    return "paid"


AGENT = Agent(
    name="steered", instructions="Go.", tools=[wait_at, pay], ladder=[CLAUDE], autonomy="supervised"
)


def handle_of(on: Stage, run: Run[Any]) -> WorkflowHandle[Any, Any]:
    """The workflow of a run."""
    return on.client.temporal.get_workflow_handle(run.id)


async def until(run: Run[Any], kind: str, times: int = 1) -> None:
    """Wait for the run's n-th event of a kind."""
    async for event in run.events():
        times -= event.kind == kind
        if times == 0:
            return
    raise AssertionError(f"no {kind}")


async def until_status(run: Run[Any], status: RunStatus) -> None:
    """Wait until the run has a status."""
    while True:  # a status has no event of its own
        with contextlib.suppress(NoWorkerAnswers):  # it is only just starting
            if (await run.inspect()).status == status:
                return
        await asyncio.sleep(0.02)


class Held:
    """A script that holds back one of its answers until `go` is set: what happens meanwhile, happens while it plans."""

    def __init__(self, steps: list[Answer], *, at: int) -> None:
        self._steps = iter(steps)
        self._left = at
        self.go = threading.Event()

    async def __call__(self, _: ModelRequest) -> Answer:
        """The next answer."""
        self._left -= 1
        if self._left == 0:
            await asyncio.to_thread(self.go.wait, 10)
        return next(self._steps)


async def test_messages_are_told_with_the_next_plan_behind_the_results(stage: SetStage) -> None:
    """Three messages that came while a tool ran are told in their order, after its result, each with who said it."""
    async with stage(AGENT, [call("wait_at", gate="a"), say("Understood.")]) as on:
        run = await on.start()
        await BEGUN["a"].wait()
        for number in range(3):
            await run.send(f"word {number}", by="ana" if number else "dana")
        await until(run, "message", 3)
        assert [one.text for one in (await run.inspect()).messages] == ["word 0", "word 1", "word 2"]
        GATES["a"].set()
        assert await run.result() == "Understood."
        blocks = new_blocks(on.model.requests[-1])
        assert (await run.inspect()).messages == []
    assert blocks[0]["type"] == "tool_result"
    assert [block["text"] for block in blocks[1:]] == [
        "Message from dana: word 0",
        "Message from ana: word 1",
        "Message from ana: word 2",
    ]


async def test_messages_during_an_approval_are_neither_lost_nor_reordered(stage: SetStage) -> None:
    """What is said while a person decides is told after the decision's result, and does not disturb it."""
    async with stage(AGENT, [call("pay", order="A"), say("Done.")]) as on:
        run = await on.start()
        request = await run.next_request()
        await run.send("first", by="ana")
        await run.send("second", by="ana")
        await until(run, "message", 2)
        await run.approve(request, by="dana")
        assert await run.result() == "Done."
        assert on.told() == ["paid"]
        assert on.said() == "Message from ana: first\nMessage from ana: second"
    assert MADE == ["A"]


@pytest.mark.parametrize("end", [say("All done."), finish(result="All done.")], ids=["text", "finish"])
async def test_a_run_does_not_end_over_a_message_that_came_in_time(stage: SetStage, end: Answer) -> None:
    """The agent hands in its result while a message is on its way: it hears it first, and ends then."""
    held = Held([call("wait_at", gate="a"), end, say("With one more thing.")], at=2)
    async with stage(AGENT, held) as on:
        run = await on.start()
        await BEGUN["a"].wait()
        GATES["a"].set()
        await on.model.wait_for_request(2)
        await run.send("one more thing", by="ana")
        await until(run, "message")
        held.go.set()
        assert await run.result() == "With one more thing."
        assert "one more thing" in on.said()


async def test_what_comes_in_the_last_turn_is_listed_as_unheard(stage: SetStage) -> None:
    """A limit is a limit: a message that comes too late is in the outcome, not lost."""
    agent = AGENT.but(limits=Limits(steps=1))
    held = Held([call("wait_at", gate="a"), finish("partial", "half")], at=2)
    async with stage(agent, held) as on:
        run = await on.start()
        await BEGUN["a"].wait()
        GATES["a"].set()
        await on.model.wait_for_request(2)
        await run.send("too late", by="ana")
        await until(run, "message")
        held.go.set()
        outcome = await run.outcome()
    assert (outcome.status, outcome.output) == ("partial", "half")
    assert [(one.by, one.text) for one in outcome.untold] == [("ana", "too late")]


async def test_a_message_to_a_parked_run_is_told_when_it_goes_on(stage: SetStage) -> None:
    """Nobody plans while the run is parked; after redriving, the first plan hears what was said."""
    async with stage(AGENT, [fault(400), say("Yes.")]) as on:
        run = await on.start()
        request = await run.next_request(kind="parked")
        await run.send("the key is renewed", by="ana")
        await until(run, "message")
        assert (await run.inspect()).status == "parked"
        await run.answer(request, "redrive", by="dana")
        assert await run.result() == "Yes."
        assert "Message from ana: the key is renewed" in on.said()


async def test_a_paused_run_lets_calls_end_and_begins_nothing(stage: SetStage) -> None:
    """Of a step with a call under way, the call ends and is kept; no plan is asked for until the run is resumed."""
    async with stage(AGENT, [call("wait_at", gate="a"), say("On again.")]) as on:
        run = await on.start()
        await BEGUN["a"].wait()
        await run.pause(by="ana", reason="an upgrade")
        await until(run, "paused")
        GATES["a"].set()
        await until_status(run, "paused")
        view = await run.inspect()
        assert view.steps[0].calls[0].status == "done"
        assert (view.paused and (view.paused.by, view.paused.reason)) == ("ana", "an upgrade")
        await run.send("while paused", by="ana")
        await until(run, "message")
        assert len(on.model.requests) == 1
        described = await handle_of(on, run).describe()
        assert described.raw_description.pending_activities == []
        await run.resume(by="dana")
        assert await run.result() == "On again."
        assert on.said() == "Message from ana: while paused"


async def test_a_call_that_is_approved_during_a_pause_begins_after_it(stage: SetStage) -> None:
    """Decisions count while a run is paused, and what they allow waits for the end of the pause."""
    async with stage(AGENT, [call("pay", order="A"), say("Done.")]) as on:
        run = await on.start()
        request = await run.next_request()
        await run.pause(by="ana")
        await until_status(run, "paused")
        await run.approve(request, by="dana")
        assert (await run.inspect()).status == "paused"
        assert MADE == []
        await run.resume(by="ana")
        assert await run.result() == "Done."
    assert MADE == ["A"]


async def test_a_pause_is_seen_in_the_list_and_the_details(stage: SetStage, temporal: TemporalClient) -> None:
    """An operator finds paused runs by status, and the details say who paused it and how it is resumed."""
    queue = unique("queue")
    run = await Client(temporal, task_queue=queue).start(AGENT, "Go.", id=unique("paused-before-it-began"))
    await run.pause(by="ana", reason="wait for finance")
    async with stage(AGENT, [say("Done.")], task_queue=queue) as on:
        on.runs.append(run)
        await until_status(run, "paused")
        metadata = await temporal.get_workflow_handle(run.id).query("__temporal_workflow_metadata")
        details = metadata.current_details
        assert "Paused by ana: wait for finance" in details
        assert f"--workflow-id {run.id}" in details
        while run.id not in [one.run for one in await on.client.runs(status="paused")]:  # noqa: ASYNC110  # the index lags
            await asyncio.sleep(0.05)
        await run.resume(by="ana")
        assert await run.result() == "Done."


ODD: list[Any] = [None, 7, "stop", [], {}, {"by": ""}, {"by": "ana", "why": 1}, {"by": 3}, {"by": "a" * 400}]


async def test_signals_that_cannot_be_read_change_nothing_and_are_recorded(stage: SetStage) -> None:
    """Whatever the three signals hold, the run goes on, and says what was wrong with each."""
    async with stage(AGENT, [call("wait_at", gate="a"), say("Done.")]) as on:
        run = await on.start()
        await BEGUN["a"].wait()
        handle = handle_of(on, run)
        for name in ("message", "pause", "resume"):
            for odd in ODD:
                await handle.signal(name, odd)
            await handle.signal(name)
            await handle.signal(name, args=[{"by": "ana"}, {"by": "bob"}])
        await handle.signal("message", {"by": "ana", "text": " "})
        await handle.signal("message", {"by": "ana", "text": "nul \x00"})
        await handle.signal("message", {"by": "ana", "text": "x" * 300_000})
        await handle.signal("resume", {"by": "ana"})
        expected = 3 * (len(ODD) + 2) + 4
        await until(run, "ignored", expected)
        GATES["a"].set()
        assert await run.result() == "Done."
        reasons = [one.why for one in (await run.inspect()).ignored]
    assert len(reasons) == expected
    assert reasons[-1] == "it is not paused"
    assert all(why for why in reasons)


async def test_pausing_twice_is_one_pause(stage: SetStage) -> None:
    """The second is told that the run is paused already, and one resume ends it."""
    async with stage(AGENT, [call("wait_at", gate="a"), say("Done.")]) as on:
        run = await on.start()
        await BEGUN["a"].wait()
        await run.pause(by="ana")
        await run.pause(by="bob")
        await until(run, "ignored")
        assert (await run.inspect()).ignored[0].why == "it is paused already, by ana"
        await run.resume(by="cleo")
        GATES["a"].set()
        assert await run.result() == "Done."


async def test_what_cannot_be_sent_is_refused_at_once(stage: SetStage) -> None:
    """An empty message, a message of nobody, and one to a run that has ended get a clear error."""
    async with stage(AGENT, [say("Done.")]) as on:
        run = await on.start()
        with pytest.raises(UsageError, match="the message is empty"):
            await run.send(" ", by="ana")
        with pytest.raises(UsageError, match="say who speaks"):
            await run.pause(by="")
        await run.result()
        with pytest.raises(UsageError, match="has ended already"):
            await run.send("hello", by="ana")


async def test_a_message_with_two_hundred_thousand_letters_arrives_whole(stage: SetStage) -> None:
    """Several large messages are more than a plan's input may hold; the worker asks the run for them."""

    def script(request: ModelRequest) -> Answer:
        return say("Read.") if len(request.messages) > 1 else call("wait_at", gate="a")

    async with stage(AGENT, script) as on:
        run = await on.start()
        await BEGUN["a"].wait()
        for letter in "abcd":
            await run.send(letter * 200_000, by="ana")
        await until(run, "message", 4)
        GATES["a"].set()
        assert await run.result() == "Read."
        assert len(on.said()) > 800_000


async def test_exclusive_calls_stop_at_a_pause(stage: SetStage) -> None:
    """Of two calls that run one after another, the second does not begin while the run is paused."""

    @tool(effect="read", exclusive=True)
    async def alone(gate: str) -> str:
        """One at a time."""
        BEGUN[gate].set()
        await GATES[gate].wait()
        return gate

    agent = AGENT.but(tools=[alone])
    script = [calls(("alone", {"gate": "a"}), ("alone", {"gate": "b"})), say("Done.")]
    async with stage(agent, script) as on:
        run = await on.start()
        await BEGUN["a"].wait()
        await run.pause(by="ana")
        await until(run, "paused")
        GATES["a"].set()
        GATES["b"].set()
        await until_status(run, "paused")
        assert not BEGUN["b"].is_set()
        await run.resume(by="ana")
        assert await run.result() == "Done."
        assert BEGUN["b"].is_set()
