"""A run is one Temporal workflow: the model plans, the engine checks and executes, until the agent finishes."""

from __future__ import annotations

from pydantic import BaseModel

from holdfast import Agent, Call, Finish, PlanView, Rules, tool
from holdfast.testing import call, finish
from tests.stage import CLAUDE, SetStage


class Answer(BaseModel):
    city: str
    celsius: float


@tool(effect="read")
async def temperature(city: str) -> float:
    """The temperature of a city in °C."""
    return {"Oslo": -3.0, "Rome": 12.5}[city]


WEATHER = Agent(
    name="weather",
    instructions="Answer questions about the weather.",
    tools=[temperature],
    ladder=[CLAUDE],
    output=Answer,
)


async def test_the_model_plans_and_the_engine_executes(stage: SetStage) -> None:
    """Each answer of the model is a plan: its calls are carried out and fed back, and `finish` ends the run."""
    model = [
        call("temperature", city="Rome", text="Let me look."),
        finish(result={"city": "Rome", "celsius": 12.5}),
    ]
    async with stage(WEATHER, model) as on:
        run = await on.client.start(WEATHER, "How warm is Rome?", user="ana")
        assert await run.result() == Answer(city="Rome", celsius=12.5)
        assert on.told() == ["12.5"]


async def test_rules_plan_without_a_model(stage: SetStage) -> None:
    """A planner may be a Python function: the same agent then works with no key at all."""

    def look_then_answer(view: PlanView) -> list[Call] | Finish:
        if not view.calls:
            return [Call("temperature", city="Oslo")]
        return Finish(Answer(city="Oslo", celsius=view.calls[-1].result))

    by_rules = WEATHER.but(ladder=[Rules(look_then_answer)])
    async with stage(by_rules) as on:
        assert await on.result("How warm is Oslo?") == Answer(city="Oslo", celsius=-3.0)


async def test_a_run_is_found_by_its_id(stage: SetStage) -> None:
    """Starting with an id that is taken by the same input gives the run that exists: a ticket is worked on once."""
    async with stage(WEATHER, [finish(result={"city": "Rome", "celsius": 12.5})]) as on:
        first = await on.start("How warm is Rome?")
        again = await on.client.start(WEATHER, "How warm is Rome?", id=first.id)
        assert await first.result() == await again.result()
        assert len(on.model.requests) == 1


async def test_a_run_outlives_its_workers(stage: SetStage) -> None:
    """Nothing is lost when the worker goes: the run waits, and another worker goes on where it stopped."""
    question = call("ask_human", question="Rome, Italy?")
    async with stage(WEATHER, [question]) as on:
        run = await on.start("How warm is Rome?")
        await run.next_request()
    # No worker is left. The next one serves the same queue.
    rest = [finish(result={"city": "Rome", "celsius": 12.5})]
    async with stage(WEATHER, rest, task_queue=on.client.task_queue) as on:
        run = on.client.run(run.id, WEATHER)
        [request] = await run.requests()
        await run.answer(request, "yes", by="ana")
        assert await run.result() == Answer(city="Rome", celsius=12.5)
