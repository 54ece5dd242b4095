"""Each failure has one owner: the engine, the next planner, or a human. A run is never lost and never hangs."""

from __future__ import annotations

from holdfast import Agent, Finish, Limits, PlanView, Rules, tool
from holdfast.testing import call, fault, finish, say
from tests.stage import CLAUDE, SetStage


@tool(effect="read")
async def look(place: str) -> str:
    """Look somewhere."""
    return f"nothing at {place}"


SEEKER = Agent(name="seeker", instructions="Find it.", tools=[look], ladder=[CLAUDE])


def give_up_politely(view: PlanView) -> Finish:
    """Rules as the last rung: hand back what the model found before it failed."""
    return Finish(
        [made.result for made in view.calls], status="partial", reason="the model was not available"
    )


async def test_a_busy_model_is_asked_again(stage: SetStage) -> None:
    """An overloaded provider is the engine's business: bounded retries, and then the run goes on."""
    async with stage(SEEKER, [fault(529), fault(500), say("Found.")]) as on:
        assert await on.result("Find it") == "Found."


async def test_when_a_planner_fails_the_next_one_plans(stage: SetStage) -> None:
    """The ladder holds planners, best first; the one below sees everything that was done above."""
    careful = SEEKER.but(ladder=[CLAUDE, Rules(give_up_politely)])
    async with stage(careful, [call("look", place="home"), fault(401)]) as on:
        outcome = await on.outcome("Find it")
    assert (outcome.status, outcome.output) == ("partial", ["nothing at home"])
    assert outcome.reason == "the model was not available"


async def test_when_nobody_is_left_the_run_is_parked(stage: SetStage) -> None:
    """A parked run is open and complete: a human mends what is broken, and it goes on where it stopped."""
    async with stage(SEEKER, [call("look", place="home"), fault(401), say("Found.")]) as on:
        run = await on.start("Find it")
        request = await run.next_request()
        assert request.kind == "parked"
        assert "authentication_error" in request.why
        await run.answer(request, "redrive", by="dana", note="renewed the key")
        assert await run.result() == "Found."


async def test_at_a_limit_the_agent_hands_back_what_it_has(stage: SetStage) -> None:
    """One last turn without tools, and the run ends: partial work is not thrown away."""
    bounded = SEEKER.but(limits=Limits(steps=1))
    async with stage(bounded, [call("look", place="home"), finish("partial", "not at home")]) as on:
        outcome = await on.outcome("Find it")
        assert on.model.requests[-1].tool_names == ["finish"]
    assert (outcome.status, outcome.output) == ("partial", "not at home")
