"""A run is explained: what was planned, called, decided and paid can be read without code or logs."""

from __future__ import annotations

from temporalio.api.common.v1 import Payload

from holdfast import Agent, tool
from holdfast.testing import call, say
from tests.stage import CLAUDE, SetStage


@tool(effect="read")
async def look(place: str) -> str:
    """Look somewhere."""
    return f"nothing at {place}"


SEEKER = Agent(name="seeker", instructions="Find it.", tools=[look], ladder=[CLAUDE])
SCRIPT = [call("look", place="home", text="At home first."), say("Not at home.")]


async def test_events_are_the_story_of_a_run(stage: SetStage) -> None:
    """Watching a run leaves nothing in its history, and who comes late sees the same story."""
    async with stage(SEEKER, SCRIPT) as on:
        run = await on.start("Find it")
        story = [f"{event.kind}: {event.text}" async for event in run.events()]
    assert story == [
        f"started: seeker ({SEEKER.digest[:8]}): Find it",
        "plan: At home first.",
        "call: look home",
        "result: look: done",
        "plan: Not at home.",
        "finished: completed",
    ]


async def test_inspect_shows_steps_calls_and_cost(stage: SetStage) -> None:
    """Each step has its planner, its calls with arguments and results, its tokens and its price."""
    async with stage(SEEKER, SCRIPT) as on:
        run = await on.start("Find it", user="ana")
        await run.result()
        view = await run.inspect()
    assert (view.status, view.user, view.digest) == ("completed", "ana", SEEKER.digest)
    [made] = view.steps[0].calls
    assert (made.tool, made.arguments, made.status) == ("look", {"place": "home"}, "done")
    assert made.preview == "nothing at home"
    assert view.usage.model_calls == 2
    assert view.usage.cost_usd == sum(step.usage.cost_usd for step in view.steps) > 0


async def test_the_temporal_ui_names_each_step(stage: SetStage) -> None:
    """Every plan and every call is an activity under its own name, with a summary in plain words."""
    async with stage(SEEKER, SCRIPT) as on:
        run = await on.start("Find it")
        await run.result()
        handle = on.client.temporal.get_workflow_handle(run.id)
        history = await handle.fetch_history()
    scheduled = [e for e in history.events if e.HasField("activity_task_scheduled_event_attributes")]
    names = [e.activity_task_scheduled_event_attributes.activity_type.name for e in scheduled]
    assert names == ["plan", "look", "plan"]
    summaries = [text(event.user_metadata.summary) for event in scheduled]
    assert summaries[:2] == ["plan 1 · claude-sonnet-5", "look home"]


def text(payload: Payload) -> str:
    """The words in a payload."""
    return payload.data.decode().strip('"')
