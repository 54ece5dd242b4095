"""A run's history grows with what is new in each step, never with the transcript."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from temporalio.api.history.v1 import HistoryEvent

from holdfast import Agent, Limits, Worker, tool
from holdfast.testing import Answer, DevServer, ModelRequest, call, finish
from tests.stage import CLAUDE, SetStage, Stage

STEPS = 40
TEXT = 5_000


@tool(effect="read")
async def read_page(number: int) -> str:
    """Read a page."""
    return f"page {number} " + "x" * (TEXT - 10)


READER = Agent(
    name="reader",
    instructions="Read every page. " * 100,
    tools=[read_page],
    ladder=[CLAUDE],
    limits=Limits(steps=STEPS + 2, calls=STEPS + 2),
)


def read_on(request: ModelRequest) -> Answer:
    """Read one page after another, then finish."""
    if request.turn == STEPS:
        return finish(result="read")
    return call("read_page", number=request.turn, text=f"Now page {request.turn}. " + "y" * 100)


@dataclass(frozen=True)
class Grown:
    """The history of one run."""

    events: list[HistoryEvent]

    @property
    def size(self) -> int:
        return sum(event.ByteSize() for event in self.events)

    @property
    def plans(self) -> list[dict[str, Any]]:
        """The inputs of the plan activities."""
        scheduled = [event.activity_task_scheduled_event_attributes for event in self.events]
        plans = [one for one in scheduled if one.activity_type.name == "plan"]
        return [json.loads(one.input.payloads[0].data) for one in plans]

    @property
    def activities(self) -> int:
        return sum(event.HasField("activity_task_scheduled_event_attributes") for event in self.events)

    def up_to_plan(self, number: int) -> int:
        """Bytes before the plan of step `number` is scheduled."""
        size, seen = 0, 0
        for event in self.events:
            if event.activity_task_scheduled_event_attributes.activity_type.name == "plan":
                seen += 1
                if seen == number:
                    break
            size += event.ByteSize()
        return size


def new_text(on: Stage) -> int:
    """Bytes of all that was said in the run: the last transcript that the model got, and its last answer."""
    last = on.model.requests[-1]
    return len(json.dumps([*last.messages, last.message], ensure_ascii=False).encode())


async def grown(on: Stage) -> Grown:
    """Let the agent read everything."""
    run = await on.start()
    assert await run.result() == "read"
    history = await on.client.temporal.get_workflow_handle(run.id).fetch_history()
    return Grown(list(history.events))


async def test_history_is_linear_in_what_is_new(stage: SetStage) -> None:
    """40 steps of 5 KB: at most 1.35 × the text plus 1.5 KB an activity, the second half as large as the first."""
    async with stage(READER, read_on, seconds=90) as on:
        history = await grown(on)
        text = new_text(on)
        whole = [len(request.messages) for request in on.model.requests]
    assert whole == [1 + 2 * step for step in range(STEPS + 1)]
    assert text > STEPS * TEXT
    assert history.size <= 1.35 * text + 1_500 * history.activities
    half = history.up_to_plan(STEPS // 2 + 1)
    second = history.up_to_plan(STEPS + 1) - half
    assert second <= 1.05 * half


async def test_no_plan_is_sent_the_transcript(stage: SetStage) -> None:
    """The input of a plan names what came before by position and digest, and holds no more than what is new."""
    async with stage(READER, read_on, seconds=90) as on:
        history = await grown(on)
    sizes = [len(json.dumps(plan)) for plan in history.plans]
    assert len(sizes) == STEPS + 1
    assert max(sizes) < 1_000
    assert all(len(plan["new"]) == 1 for plan in history.plans)
    assert [plan["position"] for plan in history.plans] == [2 * step for step in range(STEPS + 1)]
    assert "Read every page" not in json.dumps(history.plans)


async def test_workers_that_remember_nothing_cost_no_history(
    stage: SetStage, temporal_server: DevServer
) -> None:
    """Two workers that forget every transcript: what is missing is asked by query, which leaves no trace."""
    async with stage(READER, read_on, seconds=60, transcript_cache_bytes=0) as on:
        second = await temporal_server.connect()  # one process serves a queue once for each connection
        async with Worker(
            second, [READER], task_queue=on.client.task_queue, strict_sandbox=True, transcript_cache_bytes=0
        ):
            history = await grown(on)
        text = new_text(on)
    assert history.size <= 2.1 * text + 1_500 * history.activities
    assert len(history.plans) == STEPS + 1
