"""Hallucination: nothing here judges whether words are true. What is guaranteed is typed, asked for, or on record."""

from __future__ import annotations

from pydantic import BaseModel

from holdfast import Agent, tool
from holdfast.testing import call, finish
from tests.failure_modes.seen import no_task_failed, notices
from tests.stage import CLAUDE, SetStage


class Candidate(BaseModel):
    name: str
    years: int


@tool(effect="read")
async def load(name: str) -> Candidate:
    """Load a candidate; of some, half is missing."""
    return {"name": name} if name == "half" else Candidate(name=name, years=3)  # type: ignore[return-value]  # the point


@tool(effect="read")
async def policy() -> str:
    """Read the refund policy, which is long."""
    return "Refunds: " + "x" * 50_000 + " within 14 days."


class Answered(BaseModel):
    days: int


AGENT = Agent(name="honest", instructions="Go.", tools=[load, policy], ladder=[CLAUDE], output=Answered)


async def test_outside_its_knowledge_there_is_a_person_to_ask(stage: SetStage) -> None:
    """Not to know has a way out: `ask_human`, and `failed` with a reason, which the user gets as such."""
    script = [
        call("ask_human", question="What is the policy of 1987?"),
        finish("failed", reason="nobody knows"),
    ]
    async with stage(AGENT, script) as on:
        run = await on.start()
        request = await run.next_request(kind="question")
        assert request.why == "What is the policy of 1987?"
        await run.reject(request, by="dana", reason="that is lost")
        outcome = await run.outcome()
        assert "that is lost" in on.told()[0]
    assert (outcome.status, outcome.output, outcome.reason) == ("failed", None, "nobody knows")


async def test_half_a_tool_result_is_not_passed_on_as_a_whole_one(stage: SetStage) -> None:
    """The model gets an error that says not to rely on it, instead of a record with a hole to fill."""
    async with stage(AGENT, [call("load", name="half"), finish("failed", reason="incomplete")]) as on:
        run = await on.start()
        await run.outcome()
        assert "years" in on.told()[0]
        assert "do not rely on it" in on.told()[0]
        assert "does not keep its contract" in await notices(run)
        await no_task_failed(on, run)


async def test_an_error_that_has_grown_does_not_fit_the_result_type(stage: SetStage) -> None:
    """What the last step hands in is checked against its type, and sent back with what is wrong; each step is on record."""
    script = [call("load", name="a"), finish(result={"days": "about 14"}), finish(result={"days": 14})]
    async with stage(AGENT, script) as on:
        run = await on.start()
        assert await run.result() == Answered(days=14)
        assert "is not of type" in on.told()[0]
        steps = (await run.inspect()).steps
    assert len(steps[0].calls) == 1
    assert '"years":3' in steps[0].calls[0].preview


async def test_what_was_cut_is_said_to_be_cut(stage: SetStage) -> None:
    """A long result keeps its head and its tail, and says between them that something is missing."""
    async with stage(AGENT, [call("policy"), finish(result={"days": 14})]) as on:
        run = await on.start()
        await run.result()
        told = on.told()[0]
    assert told.startswith("Refunds: ")
    assert "within 14 days." in told
    assert len(told) < 20_000
    assert "…" in told or "characters" in told
