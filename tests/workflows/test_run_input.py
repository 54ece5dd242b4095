"""How a run is started: whatever it is given, it runs or fails with words that say what is valid."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from holdfast import Agent, Run, RunNotCompleted, UsageError, tool
from holdfast.contracts.run import RunEvent, RunInput
from holdfast.errors import AgentNotServed, RunNotFound
from holdfast.testing import call, calls, finish, hang, say
from tests.stage import CLAUDE, SetStage, Stage, unique

GREETER = Agent(name="greeter", instructions="Greet.", ladder=[CLAUDE])


def raw(data: bytes, encoding: bytes = b"json/plain") -> RawValue:
    """A payload of exactly these bytes."""
    return RawValue(Payload(metadata={"encoding": encoding}, data=data))


BAD_INPUTS: dict[str, tuple[list[Any], str]] = {
    "none": ([], "A run starts with a JSON object"),
    "null": ([None], "A run starts with a JSON object"),
    "two": ([{"agent": "greeter", "task": "hi"}, "and more"], "A run starts with a JSON object"),
    "text": (["greeter"], "A run starts with a JSON object"),
    "a list": ([["greeter", "hi"]], "A run starts with a JSON object"),
    "a number": ([7], "A run starts with a JSON object"),
    "no agent": ([{"task": "hi"}], "agent: Field required"),
    "no task": ([{"agent": "greeter"}], "task: Field required"),
    "an empty task": ([{"agent": "greeter", "task": ""}], "task: String should have at least 1 character"),
    "an unknown field": ([{"agent": "greeter", "task": "hi", "speed": 9}], "speed: Extra inputs"),
    "a wrong type": ([{"agent": "greeter", "task": ["hi"]}], "task: Input should be a valid string"),
    "an unknown agent": ([{"agent": "greter", "task": "hi"}], "this worker serves greeter"),
    "a NUL": ([{"agent": "greeter", "task": "a\x00"}], "NUL"),
    "half a surrogate pair": (
        [raw(b'{"agent": "greeter", "task": "\\ud800"}')],
        "A run starts with a JSON object",
    ),
    "broken JSON": ([raw(b'{"agent": ')], "A run starts with a JSON object"),
    "bytes": ([b"\x00\xff"], "A run starts with a JSON object"),
    "an unknown encoding": ([raw(b"hello", b"x/y")], "A run starts with a JSON object"),
    "nested too deep": (
        [raw(b'{"agent": ' + b"[" * 500 + b"]" * 500 + b"}")],
        "A run starts with a JSON object",
    ),
}


async def test_a_run_that_cannot_begin_fails_with_what_is_valid(stage: SetStage) -> None:
    """Whatever comes as input, from any client: the workflow fails at once, in words, and never hangs."""

    async def failure(on: Stage, arguments: list[Any]) -> str:
        handle = await on.client.temporal.start_workflow(
            "AgentRun", args=arguments, id=unique("bad"), task_queue=on.client.task_queue
        )
        with pytest.raises(WorkflowFailureError) as caught:
            await handle.result()
        cause = caught.value.cause
        assert isinstance(cause, ApplicationError)
        assert cause.type in ("InvalidRunInput", "AgentNotServed")
        return cause.message

    async with stage(GREETER) as on:
        found = await asyncio.gather(*(failure(on, arguments) for arguments, _ in BAD_INPUTS.values()))
    told = dict(zip(BAD_INPUTS, found, strict=True))
    assert {name: words for name, (_, words) in BAD_INPUTS.items() if words not in told[name]} == {}, told
    assert all(len(message) < 1_000 for message in found)


async def test_a_run_is_started_by_name_and_plain_json(stage: SetStage) -> None:
    """Any language and the `temporal` CLI can start a run: a name, a task, and nothing of ours in between."""
    async with stage(GREETER, [say("Hello!")]) as on:
        handle = await on.client.temporal.start_workflow(
            "AgentRun",
            {"agent": "greeter", "task": "hi"},
            id=unique("plain"),
            task_queue=on.client.task_queue,
        )
        outcome = await handle.result()
        assert (outcome["status"], outcome["output"]) == ("completed", "Hello!")
        assert await on.client.run(handle.id).result() == "Hello!"


async def test_a_client_refuses_what_no_run_could_start_with(stage: SetStage) -> None:
    """The client checks before it sends: nothing is started, and the message says which part is wrong."""
    async with stage(GREETER) as on:
        with pytest.raises(UsageError, match="task: String should have at least 1 character"):
            await on.client.start(GREETER, "")
        with pytest.raises(AgentNotServed, match="this worker serves greeter"):
            await (await on.client.start("nobody", "hi", id=unique("run"))).result()
        with pytest.raises(RunNotFound):
            await on.client.run(unique("nowhere")).inspect()


async def test_starting_twice_is_starting_once(stage: SetStage) -> None:
    """The same id with the same input is the same run, also after it has ended; other input is refused."""
    async with stage(GREETER, [say("Hello!")]) as on:
        name = unique("ticket")
        first = await on.start("hi", id=name)
        again = await on.client.start(GREETER, "hi", id=name)
        assert await first.result() == await again.result() == "Hello!"
        after_its_end = await on.client.start(GREETER, "hi", id=name)
        assert await after_its_end.result() == "Hello!"
        with pytest.raises(UsageError, match="exists already, with another agent, task or option"):
            await on.client.start(GREETER, "something else", id=name)
        with pytest.raises(UsageError, match="exists already"):
            await on.client.start(GREETER, "hi", id=name, user="ana")


class Report(BaseModel):
    found: int


async def test_the_result_has_the_agents_type(stage: SetStage) -> None:
    """A run that was started with its agent returns the agent's output type; without it, plain data."""
    reporter = Agent(name="reporter", instructions="Report.", ladder=[CLAUDE], output=Report)
    async with stage(reporter, [finish(result={"found": 3})]) as on:
        run = await on.start()
        assert await run.result() == Report(found=3)
        assert await on.client.run(run.id, reporter).result() == Report(found=3)
        assert await on.client.run(run.id).result() == {"found": 3}


async def test_events_tell_everything_once_and_in_order(stage: SetStage) -> None:
    """Whoever watches sees each event once; who comes late sees the same, and may start at any number."""

    @tool(effect="read")
    async def look() -> str:
        """Look."""
        return "seen"

    async with stage(GREETER.but(tools=[look]), [call("look"), call("look"), say("ok")]) as on:
        run = await on.start()
        live = [event async for event in run.events()]
        late = [event async for event in run.events()]
        rest = [event async for event in run.events(after=3)]
    # A run that is read again is replayed, and workflow time within its first task may come out otherwise.
    assert _without_time(live) == _without_time(late)
    assert _without_time(rest) == _without_time(live[3:])
    assert [event.number for event in live] == list(range(len(live)))
    step = ["plan", "call", "result"]
    assert [event.kind for event in live] == ["started", *step, *step, "plan", "finished"]


def _without_time(events: list[RunEvent]) -> list[dict[str, Any]]:
    return [event.model_dump(exclude={"at": True, "data": {"started_at", "finished_at"}}) for event in events]


async def test_many_events_come_in_pages(stage: SetStage) -> None:
    """A page has a limit, and the watcher asks for the next one by itself."""

    @tool(effect="read")
    async def look(n: int) -> str:
        """Look."""
        return str(n)

    busy = GREETER.but(tools=[look])
    plan = calls(*(("look", {"n": n}) for n in range(40)), text="x" * 1_900)
    async with stage(busy, [plan, say("ok")]) as on:
        run = await on.start()
        await run.result()
        events = [event async for event in run.events()]
        asked = on.client.temporal.get_workflow_handle(run.id)
        page = await asked.query("events", {"after": 10, "limit": 5})
    assert [event.kind for event in events].count("notice") == 1  # the planner is asked about its progress
    assert len(events) == 1 + 1 + 80 + 1 + 1 + 1
    assert [event["number"] for event in page] == [10, 11, 12, 13, 14]


async def ended(run: Run[Any]) -> RunNotCompleted:
    """The error that its result raises."""
    with pytest.raises(RunNotCompleted) as caught:
        await run.result()
    return caught.value


async def test_a_run_that_is_cancelled_while_it_plans_ends(stage: SetStage) -> None:
    """Cancelling is no failure of the planner: the run ends at once, with what it has."""
    two = GREETER.but(ladder=[CLAUDE, CLAUDE])
    async with stage(two, [hang(math.inf)], exhausted=False) as on:
        run = await on.start()
        await on.model.wait_for_request(1)
        await run.cancel()
        error = await ended(run)
        assert (error.outcome.status, error.outcome.reason) == ("cancelled", "the run was cancelled")
        assert (await run.inspect()).status == "cancelled"
        assert [event.kind async for event in run.events()][-1] == "finished"


async def test_a_run_that_is_cancelled_while_it_waits_ends(stage: SetStage) -> None:
    """A run that asks a human can be cancelled; what is done stays done, and is in the outcome."""
    done: list[str] = []

    @tool(effect="irreversible", idempotent=True, waiver="a list")
    async def note() -> str:
        """Note."""
        done.append("noted")
        return "noted"

    agent = GREETER.but(tools=[note], autonomy="full")
    async with stage(agent, [call("note"), call("ask_human", question="More?")]) as on:
        run = await on.start()
        await run.next_request()
        await run.cancel()
        error = await ended(run)
    assert error.outcome.status == "cancelled"
    assert [effect.outcome for effect in error.outcome.effects] == ["done"]
    assert done == ["noted"]


async def test_a_write_that_was_under_way_when_a_run_was_cancelled_is_on_record(stage: SetStage) -> None:
    """Nobody knows whether it happened, and nobody is asked: the outcome lists it as unknown."""
    begun, stop = asyncio.Event(), asyncio.Event()

    @tool(effect="irreversible", waiver="nothing happens")
    async def write() -> str:
        """Write."""
        begun.set()
        await stop.wait()
        return "written"

    agent = GREETER.but(tools=[write], autonomy="full")
    async with stage(agent, [call("write")]) as on:
        run = await on.start()
        await begun.wait()
        await run.cancel()
        error = await ended(run)
        stop.set()
    assert [(effect.tool, effect.outcome) for effect in error.outcome.effects] == [("write", "unknown")]


async def test_a_terminated_run_is_not_completed(stage: SetStage) -> None:
    """An operator's `terminate` is told from a result."""
    async with stage(GREETER, [call("ask_human", question="More?")]) as on:
        run = await on.start()
        await run.next_request()
        await on.client.temporal.get_workflow_handle(run.id).terminate("enough")
        error = await ended(run)
    assert error.outcome.status == "cancelled"


def test_the_input_is_a_contract() -> None:
    """What a run starts with is one object: five fields that people give, two of them needed, and what a run that goes on or is a fork began from."""
    given = {"agent", "task", "user", "dry_run", "attachments"}
    assert set(RunInput.model_fields) == given | {"checkpoint", "fork"}
