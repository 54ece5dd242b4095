"""A fork may decide otherwise, about requests of every kind where that makes sense, by the rules of real decisions."""

from __future__ import annotations

from typing import Any

from holdfast import Agent, Human, Limits, Run, Transient, UsageError, tool
from holdfast.contracts.requests import DecisionInput
from holdfast.testing import call, fault, finish, say
from tests.stage import CLAUDE, SetStage, Stage

CHARGED: list[str] = []


@tool(effect="irreversible", waiver="a test")
async def charge(order: str) -> str:
    """Charge an order; its answer is lost."""
    CHARGED.append(order)
    raise Transient("the connection was lost")


@tool(effect="read")
async def look(n: int = 0) -> str:
    """Look."""
    return f"seen {n}"


def agent_with(**options: Any) -> Agent[str]:
    """An agent that may charge."""
    given = {"name": "cashier", "instructions": "Charge.", "tools": [charge, look], "ladder": [CLAUDE]}
    return Agent(**{**given, "autonomy": "full", "output": str, **options})


async def forked(on: Stage, run: Run[Any], at: int, request: str, answer: str, **given: Any) -> Run[Any]:
    """A fork with another answer to a request."""
    decided = DecisionInput(by="eve", choice="answer", answer=answer, **given)
    fork = await run.fork(at=at, decisions={request: decided}, by="eve")
    on.runs.append(fork)
    return fork


async def why_not(on: Stage, run: Run[Any], at: int, request: str, answer: str, **given: Any) -> str:
    """Why a fork cannot have this answer."""
    try:
        await forked(on, run, at, request, answer, **given)
    except UsageError as error:
        return str(error)
    return "it can"


async def test_an_unknown_effect_is_known_otherwise(stage: SetStage) -> None:
    """It happened, with this result; or it did not, and is made now (simulated); also in a fork of the fork."""
    CHARGED.clear()
    script = [call("charge", order="A-1"), say("skipped"), say("happened"), say("made")]
    async with stage(agent_with(), script, seconds=60) as on:
        run = await on.start(user="ana")
        request = await run.next_request()
        await run.answer(request, "skip", by="dana")
        await run.result()
        assert "the answer must be one of: happened, run, skip" in await why_not(
            on, run, 1, request.id, "yes"
        )
        assert f"step 1 had no request x; it had {request.id}" in await why_not(on, run, 1, "x", "run")
        happened = await forked(on, run, 1, request.id, "happened", result={"paid": 7})
        assert await happened.result() == "happened"
        assert on.told() == ['{"paid":7}']
        made = await forked(on, happened, 1, request.id, "run")
        assert await made.result() == "made"
        assert '"would_call":"charge"' in on.told()[0]
        assert [one.outcome for one in (await made.inspect()).effects] == ["simulated"]
    assert CHARGED == ["A-1"]


async def test_limits_are_raised_after_all_and_no_decision_only_ends_a_fork(stage: SetStage) -> None:
    """A run that ended at its limit goes on in a fork; raised otherwise, they are raised from what they were."""
    agent = agent_with(limits=Limits(steps=1, at_limit="ask"))
    script = [call("look"), finish("partial", "half"), finish(result="all"), finish(result="as well")]
    async with stage(agent, script, seconds=60) as on:
        run = await on.start()
        request = await run.next_request()
        await run.answer(request, "finish", by="dana")
        await run.outcome()
        assert "after finish there is nothing to go on with" in await why_not(
            on, run, 2, request.id, "finish"
        )
        assert "steps: 1 is not more than the limit is now" in await why_not(
            on, run, 2, request.id, "raise", result={"steps": 1}
        )
        fork = await forked(on, run, 2, request.id, "raise", result={"steps": "+5"})
        assert await fork.result() == "all"
        assert "eve raised your limits: 7 steps" in on.said()
        assert [one.after for one in (await fork.inspect()).raises] == [{"steps": 7}]
        assert await (await forked(on, run, 2, request.id, "raise")).result() == "as well"


async def test_a_person_plans_otherwise_and_a_discarded_run_goes_on(stage: SetStage) -> None:
    """The fork's first plan is that person's, held to the same rules; who redrives says no more than that."""
    staffed = agent_with(ladder=[Human("desk")])
    async with stage(staffed, seconds=60) as on:
        run = await on.start()
        request = await run.next_request()
        await run.answer(request, "finish", by="dana", result="nothing")
        await run.result()
        gone = await why_not(on, run, 0, request.id, "plan", result={"tool": "gone"})
        assert "gone" in gone
        assert "look" in gone
        fork = await forked(on, run, 0, request.id, "plan", result={"tool": "look", "arguments": {"n": 3}})
        await fork.answer(await fork.next_request(), "finish", by="eve", result="seen")
        assert await fork.result() == "seen"
        step = (await fork.inspect()).steps[0]
        assert (step.planner, step.calls[0].preview) == ("human eve", "seen 3")

    async with stage(agent_with(), [fault(400), say("ok")], seconds=60) as on:
        run = await on.start()
        request = await run.next_request(kind="parked")
        await run.discard(by="dana", reason="no")
        await run.outcome()
        assert "after discard there is nothing" in await why_not(on, run, 0, request.id, "discard")
        assert "choose that" in await why_not(on, run, 0, request.id, "redrive", result={"agent": "latest"})
        fork = await forked(on, run, 0, request.id, "redrive")
        assert await fork.result() == "ok"
        assert [(one.by, one.answer) for one in (await fork.inspect()).decisions] == [("eve", "redrive")]
