"""An attempt that may have had its effect is not forgotten because a later attempt never began."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client as TemporalClient
from temporalio.worker import Worker as PlainWorker

from holdfast import (
    Agent,
    Client,
    Correctable,
    PastCall,
    Probed,
    Retry,
    ToolContext,
    Worker,
    remote_tool,
    tool,
)
from holdfast.testing import MessagesServer, call, say
from holdfast.worker import BreakerSettings
from tests.stage import CLAUDE, QUICKLY, SetStage, unique

RETRY = Retry(attempts=3, initial=timedelta(milliseconds=300))


def agent_with(made: Any) -> Agent[str]:
    """An agent that may do everything with this tool."""
    return Agent(name="biller", instructions="Bill.", tools=[made], ladder=[CLAUDE], autonomy="full")


async def test_a_write_whose_worker_never_came_back_may_have_happened(
    stage: SetStage, temporal: TemporalClient
) -> None:
    """The first attempt wrote and lost its answer, the second was never taken: a human is asked what is true."""
    written, queue = asyncio.Event(), unique("billing")

    @activity.defn(name="bill")
    async def write_and_lose_the_answer(_: dict[str, Any]) -> str:
        written.set()
        raise ConnectionError("the answer was lost")

    bill = remote_tool(
        "bill",
        task_queue=queue,
        description="Bill an order.",
        input_schema={"type": "object", "properties": {"order": {"type": "string"}}},
        effect="irreversible",
        idempotent=True,
        waiver="a test",
        retry=RETRY,
        queue_timeout=timedelta(seconds=1),
    )
    async with stage(agent_with(bill), [call("bill", order="A-1"), say("It was billed.")]) as on:
        async with PlainWorker(temporal, task_queue=queue, activities=[write_and_lose_the_answer]):
            run = await on.start()
            await written.wait()
        request = await run.next_request()
        assert (request.kind, request.tool) == ("unknown_effect", "bill")
        await run.answer(request, "happened", by="dana", result="bill 7")
        assert await run.result() == "It was billed."
        assert on.told() == ["bill 7"]


async def test_a_later_attempt_does_not_speak_for_a_lost_one(stage: SetStage) -> None:
    """The first attempt wrote and lost its answer, the second is refused: "it had no effect" is not said, a human is asked."""
    billed: list[str] = []

    @tool(effect="irreversible", idempotent=True, waiver="a test", retry=QUICKLY)
    async def bill(order: str) -> str:
        """Bill an order."""
        billed.append(order)
        if len(billed) == 1:
            raise ConnectionError("the answer was lost")
        raise Correctable("it is billed already")

    async with stage(agent_with(bill), [call("bill", order="A-1"), say("I see.")]) as on:
        run = await on.start()
        request = await run.next_request(kind="unknown_effect")
        assert "an earlier attempt was lost" in request.why
        assert "a later one said: it is billed already" in request.why
        await run.answer(request, "skip", by="dana")
        outcome = await run.outcome()
        assert "It had no effect" not in on.told()[0]
        assert on.told()[0].startswith("Nobody knows whether this happened")
    assert [effect.outcome for effect in outcome.effects] == ["unknown"]


async def test_a_later_refusal_is_told_where_the_probe_knows_that_nothing_happened(stage: SetStage) -> None:
    """The probe clears the lost attempt up, so the refusal of the second is the whole truth: nobody is asked."""
    tries: list[str] = []

    def did_not(ctx: ToolContext, made: PastCall) -> Probed:
        return Probed(finding="did_not_happen")

    @tool(effect="irreversible", idempotent=True, waiver="a test", retry=QUICKLY, probe=did_not)
    async def bill(order: str) -> str:
        """Bill an order."""
        tries.append(order)
        if len(tries) == 1:
            raise ConnectionError("the answer was lost")
        raise Correctable("there is no such order")

    async with stage(agent_with(bill), [call("bill", order="A-1"), say("I see.")]) as on:
        outcome = await on.outcome()
        assert on.told()[0].startswith("Failed (correctable, Correctable): there is no such order")
    assert (len(tries), outcome.effects) == (2, [])


async def test_a_write_that_a_breaker_held_is_not_done(
    stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While its service is down no attempt of an idempotent write begins: the model is told, and nobody is asked."""
    monkeypatch.setattr("policies.breaker.wait_seconds", lambda *_: 0.05)  # not the minute that it is
    written: list[str] = []

    @tool(effect="read", depends_on="billing", retry=Retry(attempts=1))
    async def look(order: str) -> str:
        """Look at an order."""
        raise ConnectionError("billing is down")

    @tool(
        effect="irreversible",
        idempotent=True,
        waiver="a test",
        depends_on="billing",
        retry=Retry(attempts=2, initial=timedelta(milliseconds=50)),
    )
    async def bill(order: str) -> str:
        """Bill an order."""
        written.append(order)
        return "billed"

    agent = agent_with(look).but(tools=[look, bill])
    script = [call("look", order="A-1"), call("bill", order="A-1"), say("It is down.")]
    async with stage(agent, script, breakers=BreakerSettings(failures=1)) as on:
        outcome = await on.outcome()
        assert on.told()[0].startswith("Not done: billing is not called until")
        assert "Nothing happened" in on.told()[0]
        handle = on.client.temporal.get_workflow_handle(outcome.run)
        failed = [
            event.activity_task_failed_event_attributes
            async for event in handle.fetch_history_events()
            if event.HasField("activity_task_failed_event_attributes")
        ]
        assert failed[-1].failure.application_failure_info.type == "NotStarted"
    assert (outcome.status, outcome.output, outcome.effects, written) == ("completed", "It is down.", [], [])


async def test_a_write_whose_code_is_gone_may_have_happened(
    temporal: TemporalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first attempt wrote and lost its answer, then a deployment took the tool away: a human is asked."""
    written, queue = asyncio.Event(), unique("queue")

    @tool(effect="irreversible", idempotent=True, waiver="a test", retry=RETRY)
    async def bill(order: str) -> str:
        """Bill an order."""
        written.set()
        raise ConnectionError(f"the answer for {order} was lost")

    agent, client = agent_with(bill), Client(temporal, task_queue=queue)
    async with MessagesServer([call("bill", order="A-1"), say("Nobody knows.")]) as model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "test")
        async with Worker(temporal, [agent], task_queue=queue):
            run = await client.start(agent, "Bill it.", id=unique("run"))
            await written.wait()
        async with Worker(temporal, [agent.but(tools=[])], task_queue=queue):
            request = await run.next_request()
            assert request.kind == "unknown_effect"
            await run.answer(request, "skip", by="dana")
            assert await run.result() == "Nobody knows."
