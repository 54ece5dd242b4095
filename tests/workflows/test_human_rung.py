"""The last rung of a ladder may be a person, who plans in the models' place while these cannot."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from holdfast import Agent, Call, Finish, Human, Limits, Model, PlanView, Rules, tool
from holdfast.errors import DecisionRefused
from holdfast.testing import Answer, ModelRequest, answer, fault, finish
from tests.stage import QUICKLY, SetStage

LOOKED: list[int] = []

FIRST, SECOND = Model("claude-sonnet-5", retry=QUICKLY), Model("claude-haiku-4-5", retry=QUICKLY)


@tool(effect="read")
async def look(n: int) -> str:
    """Look."""
    LOOKED.append(n)
    return f"seen {n}"


@tool(effect="irreversible")
async def sell(n: int) -> str:
    """Sell."""
    return f"sold {n}"


def agent_with(**options: Any) -> Agent[Any]:
    """An agent whose last planner is a person."""
    given = {"name": "staffed", "instructions": "Look.", "tools": [look, sell], "autonomy": "supervised"}
    return Agent(**{**given, "ladder": [FIRST, SECOND, Human("finops")], "output": int, **options})


async def test_a_person_plans_when_no_other_can_and_the_models_are_tried_again(stage: SetStage) -> None:
    """Errors and refusals fall; a person's plan is checked as a model's; the best model, once back, goes on from it."""
    LOOKED.clear()
    back = False

    def script(request: ModelRequest) -> Answer:
        if back:
            return finish(result=7)
        refused = answer([{"type": "text", "text": "No."}], stop_reason="refusal")
        return fault(401) if request.model == FIRST.name else refused  # type: ignore[return-value]

    async with stage(agent_with(), script, seconds=60) as on:
        run = await on.start("Count them.")
        request = await run.next_request(kind="takeover")
        assert request.by == "finops"
        assert "claude-haiku-4-5 failed (limit): claude-haiku-4-5 stopped: refusal" in request.why
        assert request.arguments is not None
        assert request.arguments["told"] == "Count them."
        assert request.arguments["tools"]["look"] == "Valid arguments: n (integer, required)."
        assert (await run.inspect()).status == "waiting"
        for result, why in [
            (None, "the result holds the calls to make"),
            ([{"tool": "lok"}], "There is no tool 'lok'. Did you mean look?"),
            ([{"tool": "look", "arguments": {"n": "1"}}], 'look: n: "1" is not of type "integer"'),
            ([{"tool": "look", "args": {}}], "the result holds the calls to make"),
        ]:
            with pytest.raises(DecisionRefused) as refused:
                await run.answer(request, "plan", by="dana", result=result)
            assert why in str(refused.value)
        back = True
        plan = [{"tool": "look", "arguments": {"n": 7}}, {"tool": "sell", "arguments": {"n": 7}}]
        await run.answer(request, "plan", by="dana", result=plan, note="Look at seven.")
        approval = await run.next_request(kind="approval")
        with pytest.raises(DecisionRefused, match="dana planned this call and cannot approve it"):
            await run.approve(approval, by="Dana")
        await run.approve(approval, by="eve")
        assert await run.result() == 7
        view = await run.inspect()
        assert on.told() == ["seen 7", "sold 7"]
    assert LOOKED == [7]
    assert [(step.rung, step.planner) for step in view.steps] == [(2, "human dana"), (0, FIRST.name)]
    assert view.steps[0].text == "Look at seven."


async def test_a_person_finishes_or_passes(stage: SetStage) -> None:
    """`pass` asks the better planners once more; a result is held to the output type; without one it is partial."""
    agent = agent_with(ladder=[FIRST, Human("finops")])
    async with stage(agent, [fault(401), fault(401), fault(401)]) as on:
        run = await on.start()
        await run.answer(await run.next_request(), "pass", by="dana")
        while len(on.model.requests) < 2:
            await run.next_request()
        request = await run.next_request()
        with pytest.raises(DecisionRefused, match="does not fit the agent's output"):
            await run.answer(request, "finish", by="dana", result="seven")
        await run.answer(request, "finish", by="dana", result=7)
        assert await run.result() == 7
        other = await on.start()
        await other.answer(await other.next_request(), "finish", by="dana", note="not today")
        outcome = await other.outcome()
    assert (outcome.status, outcome.output, outcome.reason) == ("partial", None, "not today")


async def test_without_an_answer_the_run_is_parked(stage: SetStage) -> None:
    """At its deadline a person has failed as a model does; redriven, the models are asked first."""
    agent = agent_with(ladder=[FIRST, Human("finops", expires_in=timedelta(seconds=0.5))])
    async with stage(agent, [fault(401), finish(result=1)]) as on:
        run = await on.start()
        request = await run.next_request(kind="parked")
        assert "human finops failed" in request.why
        assert "nobody answered within 0.5 s" in request.why
        await run.answer(request, "redrive", by="dana")
        assert await run.result() == 1


async def test_a_person_hands_back_what_there_is_at_a_limit(stage: SetStage) -> None:
    """In the last turn no calls are taken; and rules below a person plan when that one passes in silence."""

    def rules(view: PlanView) -> list[Call] | Finish:
        return Finish(len(view.calls)) if view.last_turn else [Call("look", n=len(view.calls))]

    ladder = [Human("finops")]
    async with stage(agent_with(ladder=ladder, limits=Limits(steps=1))) as on:
        run = await on.start()
        await run.answer(
            await run.next_request(), "plan", by="dana", result={"tool": "look", "arguments": {"n": 1}}
        )
        async for event in run.events(after=5):
            if event.kind == "request":
                break
        request = await run.next_request()
        assert request.arguments is not None
        assert request.arguments["last_turn"] is True
        with pytest.raises(DecisionRefused, match="no more calls are made: answer finish"):
            await run.answer(request, "plan", by="dana", result=[{"tool": "look", "arguments": {"n": 2}}])
        await run.answer(request, "finish", by="dana", result=1)
        assert await run.result() == 1
    quick = [Human("finops", expires_in=timedelta(seconds=0.2)), Rules(rules)]
    async with stage(agent_with(ladder=quick, limits=Limits(steps=1))) as on:
        assert await on.result() == 1
