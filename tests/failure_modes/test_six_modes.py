"""The six ways in which agents die in production."""

from __future__ import annotations

from typing import Any

from holdfast import Agent, Limits, Model, tool
from holdfast.testing import Answer, ModelRequest, answer, call, fault, finish, say
from tests.failure_modes.seen import no_task_failed, notices
from tests.stage import CLAUDE, QUICKLY, SetStage

CALLED: list[str] = []


@tool(effect="read", retry=QUICKLY)
async def search(query: str) -> str:
    """Search."""
    CALLED.append(query)
    if query == "down":
        raise TimeoutError("the search API did not answer")
    return "Result is unclear"


@tool(effect="read")
async def get_user(user_id: str) -> str:
    """Look a user up."""
    CALLED.append(user_id)
    return f"user {user_id}"


AGENT = Agent(name="modes", instructions="Go.", tools=[search, get_user], ladder=[CLAUDE])


def for_ever(request: ModelRequest) -> Answer:
    """Search, with slightly other words each time, until nothing else is offered than `finish`."""
    if request.tool_names == ["finish"]:
        return finish("partial", "nothing clear", reason="no result was clear")
    return call("search", query=f"flight {len(request.messages)}")


async def test_mode_1_a_tool_that_fails_does_not_take_the_run_with_it(stage: SetStage) -> None:
    """Tried as often as it says; then the model is told what failed and that trying again hardly helps, and adapts."""
    CALLED.clear()
    script = [call("search", query="down"), finish("failed", reason="the search API is down")]
    async with stage(AGENT, script) as on:
        run = await on.start()
        outcome = await run.outcome()
        view = await run.inspect()
        assert "Failed (transient, TimeoutError): the search API did not answer" in on.told()[0]
        assert "unlikely to help" in on.told()[0]
        await no_task_failed(on, run)
    assert CALLED == ["down"] * 3
    assert (outcome.status, outcome.reason) == ("failed", "the search API is down")
    failure = view.steps[0].calls[0].failure
    assert view.steps[0].calls[0].status == "failed"
    assert failure is not None
    assert failure.kind == "transient"


async def test_mode_2_a_loop_ends_at_its_limits_with_what_there_is(stage: SetStage) -> None:
    """The agent would search for ever: after its steps it gets one last turn, and hands back what it found."""
    CALLED.clear()
    async with stage(AGENT.but(limits=Limits(steps=6, calls=10)), for_ever) as on:
        run = await on.start("find the cheapest flight")
        outcome = await run.outcome()
        assert "You have reached" in on.said()
        assert "last turn" in await notices(run)
        await no_task_failed(on, run)
    assert len(CALLED) <= 6
    assert outcome.status == "partial"
    assert outcome.output or outcome.reason


async def test_mode_3_too_long_a_context_falls_to_the_next_rung(stage: SetStage) -> None:
    """A prompt that one model refuses as too long is not tried again there; another rung plans, and it is on record."""
    agent = AGENT.but(ladder=[CLAUDE, Model("claude-haiku-4-5", retry=QUICKLY)])
    refused = fault(400, "prompt is too long: 250000 tokens > 200000 maximum")
    async with stage(agent, [refused, say("Here.")]) as on:
        run = await on.start()
        assert await run.result() == "Here."
        assert [step.planner for step in (await run.inspect()).steps] == ["claude-haiku-4-5"]
        assert "prompt is too long" in await notices(run)


async def test_mode_4_an_invented_argument_executes_nothing(stage: SetStage) -> None:
    """The model is told which argument is unknown, which is missing, and calls it right."""
    CALLED.clear()
    script = [call("get_user", email="u@example.com"), call("get_user", user_id="7"), say("Found.")]
    async with stage(AGENT, script) as on:
        run = await on.start()
        assert await run.result() == "Found."
        assert "email" in on.told(1)[0]
        assert "user_id" in on.told(1)[0]
        calls = [one.status for step in (await run.inspect()).steps for one in step.calls]
    assert CALLED == ["7"]
    assert calls == ["refused", "done"]


async def test_mode_5_a_model_that_says_nothing_is_stopped(stage: SetStage) -> None:
    """It is asked what blocks it, then gets its last turn: the run ends as partial and says that it went in circles."""

    def silent(_: ModelRequest) -> Answer:
        return answer([])

    async with stage(AGENT, silent, exhausted=False) as on:
        run = await on.start()
        outcome = await run.outcome()
        assert len(on.model.requests) == 4
        assert "what blocks you" in on.said(1)
        assert "No more tools can be used" in on.said(3)
        assert "what blocks you" in await notices(run)
    assert outcome.status == "partial"
    assert "went in circles" in outcome.reason
    assert outcome.reason


async def test_mode_6_money_has_a_ceiling(stage: SetStage) -> None:
    """One costly answer, then the last turn in what is left: what was spent is below the limit, and is told to the cent."""
    block: dict[str, Any] = {"type": "tool_use", "id": "toolu_a", "name": "search", "input": {"query": "x"}}
    costly = answer([block], stop_reason="tool_use", usage={"input_tokens": 10, "output_tokens": 2_000})
    async with stage(AGENT.but(limits=Limits(cost_usd="0.03")), [costly, finish("partial", "a bit")]) as on:
        run = await on.start()
        outcome = await run.outcome()
        assert "the limit of $0.03" in on.said()
        await no_task_failed(on, run)
    assert outcome.status == "partial"
    assert 0.02 <= float(outcome.usage.cost_usd) <= 0.03
