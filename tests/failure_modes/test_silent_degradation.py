"""Silent degradation: Holdfast does not notice drift by itself. What one needs to notice it is on record, of every step."""

from __future__ import annotations

import asyncio
from datetime import datetime

from holdfast import Agent, tool
from holdfast.testing import answer, call, say, slow
from tests.failure_modes.seen import settled
from tests.stage import CLAUDE, SetStage


@tool(effect="read")
async def price() -> str:
    """A price that was true when it was read."""
    return "12 USD, as of 2024"


AGENT = Agent(name="watched", instructions="Go.", tools=[price], ladder=[CLAUDE])


async def test_another_model_behind_the_same_name_is_on_record(stage: SetStage) -> None:
    """Each step holds the model that really answered, beside its tokens, cost and stop reason."""
    text = [{"type": "text", "text": "Done."}]
    async with stage(AGENT, [answer(text, model="claude-sonnet-5-20991231")]) as on:
        run = await on.start()
        await run.result()
        (step,) = (await settled(on, run)).steps
    assert step.planner == "claude-sonnet-5-20991231"
    assert step.stop_reason == "end_turn"
    assert step.usage.model_calls == 1


async def test_what_was_asked_and_how_it_ended_can_be_listed(stage: SetStage) -> None:
    """Runs of an agent are listed with their status, so that a falling rate of completion can be counted."""
    async with stage(AGENT, [say("One."), say("Two.")]) as on:
        runs = [await on.start(task) for task in ("an old question", "a new kind of question")]
        for run in runs:
            await run.result()
        for run in runs:
            view = await run.inspect()
            assert view.task in ("an old question", "a new kind of question")
        while not {run.id for run in runs} <= {  # noqa: ASYNC110  # the index lags
            one.run for one in await on.client.runs(agent="watched", status="completed", limit=1000)
        }:
            await asyncio.sleep(0.05)


async def test_when_a_fact_was_read_is_on_record(stage: SetStage) -> None:
    """Each call holds when it was made and the beginning of what came back."""
    async with stage(AGENT, [call("price"), say("12 USD.")]) as on:
        run = await on.start()
        await run.result()
        made = (await run.inspect()).steps[0].calls[0]
    assert made.preview == "12 USD, as of 2024"
    assert made.started_at is not None
    assert made.finished_at is not None
    assert datetime.fromisoformat(made.started_at) <= datetime.fromisoformat(made.finished_at)


async def test_slower_answers_are_seen_in_each_step(stage: SetStage) -> None:
    """A step holds how long its plan took."""
    async with stage(AGENT, [slow(call("price"), delay=0.4), say("Done.")]) as on:
        run = await on.start()
        await run.result()
        first, second = (await run.inspect()).steps
    assert first.seconds >= 0.4
    assert second.seconds < first.seconds


async def test_changed_instructions_are_another_version(stage: SetStage) -> None:
    """A run says which version of its agent it lives by, and is planned for by exactly those instructions."""
    drifted = AGENT.but(name="watched-2", instructions="Go, and be brief.")
    async with stage([AGENT, drifted], [say("One."), say("Two.")]) as on:
        before = await on.start()
        await before.result()
        after = await on.start(agent=drifted)
        await after.result()
        digests = [(await run.inspect()).digest for run in (before, after)]
        systems = [str(request.body["system"]) for request in on.model.requests]
    assert digests[0] != digests[1]
    assert "be brief" in systems[1]
    assert "be brief" not in systems[0]
