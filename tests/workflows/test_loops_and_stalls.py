"""An agent that goes in circles is told so, answered from memory, and in the end finishes with what it has."""

from __future__ import annotations

from holdfast import Agent, tool
from holdfast.testing import Answer, ModelRequest, answer, call, finish
from tests.stage import CLAUDE, SetStage

LOOKED: list[int] = []


@tool(effect="read")
async def look(n: int = 0) -> str:
    """Look."""
    LOOKED.append(n)
    return f"seen {n}"


@tool(effect="read", polls=True)
async def state_of(n: int = 0) -> str:
    """Ask for the state of a deployment."""
    LOOKED.append(n)
    return "pending"


@tool(effect="irreversible", waiver="a list")
async def write(n: int = 0) -> str:
    """Write."""
    return f"wrote {n}"


AGENT = Agent(
    name="circling",
    instructions="Look.",
    tools=[look, state_of, write],
    ladder=[CLAUDE],
    autonomy="full",
)


async def test_the_fourth_same_call_is_answered_from_memory(stage: SetStage) -> None:
    """Three times the same call gave the same result: the next is not made, and the model is told both."""
    LOOKED.clear()
    async with stage(AGENT, [call("look")] * 4 + [finish(result="ok")]) as on:
        run = await on.start()
        assert await run.result() == "ok"
        assert on.told() == ["seen 0"]
        assert "`look` was not called again" in on.said()
        view = await run.inspect()
    assert LOOKED == [0, 0, 0]
    last = view.steps[3]
    assert (last.calls[0].status, last.calls[0].answered_by) == ("skipped", "3.1")
    assert any("was not called again" in note for note in last.notes)


async def test_after_a_write_the_same_call_is_made_again(stage: SetStage) -> None:
    """A write that was done may have changed the world."""
    LOOKED.clear()
    script = [*[call("look")] * 3, call("write"), call("look"), finish(result="ok")]
    async with stage(AGENT, script) as on:
        assert await on.result() == "ok"
    assert LOOKED == [0] * 4


async def test_a_tool_that_polls_may_be_asked_again(stage: SetStage) -> None:
    """It is meant to be asked again with the same arguments."""
    LOOKED.clear()
    async with stage(AGENT, [call("state_of")] * 6 + [finish(result="ok")]) as on:
        assert await on.result() == "ok"
    assert LOOKED == [0] * 6


async def test_who_goes_on_in_circles_gets_the_last_turn(stage: SetStage) -> None:
    """After four steps that brought nothing new the run finishes with what it has, and says why."""
    LOOKED.clear()

    def script(request: ModelRequest) -> Answer:
        return answer([]) if request.tool_names == ["finish"] else call("look")

    async with stage(AGENT, script) as on:
        outcome = await on.outcome()
        assert len(on.model.requests) == 8
    assert outcome.status == "partial"
    assert "went in circles" in outcome.reason
    assert LOOKED == [0] * 3


async def test_after_five_calls_the_model_is_asked_about_progress(stage: SetStage) -> None:
    """The note says how many calls were made and how many there may be."""
    async with stage(AGENT, [*[call("look", n=n) for n in range(5)], finish(result="ok")]) as on:
        await on.result()
        assert "5 calls made, of 50 at most" in on.said()
