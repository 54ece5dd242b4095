"""An attempt that may have had its effect is not forgotten because a later attempt never began."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client as TemporalClient
from temporalio.worker import Worker as PlainWorker

from holdfast import Agent, Client, Retry, Worker, remote_tool, tool
from holdfast.testing import MessagesServer, call, say
from tests.stage import CLAUDE, SetStage, unique

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
