"""Where a run must stop, what it hands back then, and how a result is handed in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from holdfast import (
    Agent,
    Call,
    Finish,
    Limits,
    Model,
    PlanView,
    Rules,
    RunNotCompleted,
    Transient,
    tool,
)
from holdfast.testing import Answer, ModelRequest, answer, call, calls, fault, finish, say, slow
from tests.stage import CLAUDE, QUICKLY, SetStage

LOOKED: list[int] = []


@tool(effect="read")
async def look(n: int = 0) -> str:
    """Look."""
    LOOKED.append(n)
    return f"seen {n}"


class Report(BaseModel):
    found: int
    saved_usd: Decimal = Decimal(0)


def agent_with(**options: Any) -> Agent[Any]:
    """An agent with bounds."""
    return Agent(
        **{"name": "bounded", "instructions": "Look.", "tools": [look], "ladder": [CLAUDE], **options}
    )


def costly(tokens: int) -> Answer:
    """A call in an answer that used so many output tokens."""
    block = {"type": "tool_use", "id": "toolu_a", "name": "look", "input": {}}
    return answer([block], stop_reason="tool_use", usage={"input_tokens": 10, "output_tokens": tokens})


LOOK = call("look")
REACHED: dict[str, tuple[Any, list[Answer], str]] = {
    "steps": (Limits(steps=2), [LOOK, LOOK], "the limit of 2 steps"),
    "calls": (Limits(calls=2), [calls(("look", {}), ("look", {"n": 1}))], "the limit of 2 calls"),
    "tokens": (Limits(tokens=1_000), [costly(995)], "the limit of 1,000 tokens"),
    "money": (Limits(cost_usd="0.07"), [costly(6_000)], "the limit of $0.07"),
}


@pytest.mark.parametrize("limit", REACHED)
async def test_at_a_limit_there_is_one_last_turn_to_hand_back_what_there_is(
    stage: SetStage, limit: str
) -> None:
    """The model is told which limit, is offered nothing but `finish`, and the run ends with what it hands back."""
    limits, plans, words = REACHED[limit]
    last = finish("partial", "half of it", reason="no time left")
    async with stage(agent_with(limits=limits), [*plans, last]) as on:
        outcome = await on.outcome()
        assert on.model.requests[-1].tool_names == ["finish"]
        assert f"You have reached {words}" in on.said()
    assert (outcome.status, outcome.output, outcome.reason) == ("partial", "half of it", "no time left")


async def test_time_is_a_limit_too(stage: SetStage) -> None:
    """When its time is up, an agent that takes its time gets its last turn."""

    def script(request: ModelRequest) -> Answer:
        return finish("partial", "enough") if request.tool_names == ["finish"] else slow(LOOK, delay=0.3)

    limits = Limits(steps=1_000, calls=1_000, wall_clock=timedelta(milliseconds=300))
    async with stage(agent_with(limits=limits), script) as on:
        outcome = await on.outcome()
        assert "You have reached the limit of 0.3 s" in on.said()
    assert (outcome.status, outcome.output) == ("partial", "enough")


async def test_who_finishes_in_the_last_turn_has_completed(stage: SetStage) -> None:
    """A limit is no failure: a whole result, handed in then, counts as whole."""
    async with stage(agent_with(limits=Limits(steps=1)), [LOOK, finish(result="all of it")]) as on:
        assert await on.result() == "all of it"


@pytest.mark.parametrize(
    "last, output",
    [
        (say("I saw 0."), "I saw 0."),
        (call("look", n=9), None),
        (answer([]), None),
        (answer([{"type": "text", "text": "I was"}], stop_reason="max_tokens"), "I was"),
    ],
    ids=["words", "another call", "silence", "cut off"],
)
async def test_a_last_turn_is_the_last(stage: SetStage, last: Answer, output: str | None) -> None:
    """Whatever comes in the last turn but a result, nothing more is run and the run ends with the words there are."""
    LOOKED.clear()
    async with stage(agent_with(limits=Limits(steps=1)), [LOOK, last]) as on:
        outcome = await on.outcome()
    assert LOOKED == [0]
    assert outcome.status == "partial"
    assert outcome.output in (output, "(nothing was said)" if output is None else output)
    assert outcome.reason == "it reached the limit of 1 steps"


async def test_more_calls_than_are_left_are_not_made(stage: SetStage) -> None:
    """Of five calls where two are left, two are made and the model is told of the others."""
    LOOKED.clear()
    plan = calls(*(("look", {"n": n}) for n in range(5)))
    async with stage(agent_with(limits=Limits(calls=2)), [plan, finish("partial", "two")]) as on:
        outcome = await on.outcome()
        told = on.told(1)
    assert sorted(LOOKED) == [0, 1]
    assert told[:2] == ["seen 0", "seen 1"]
    assert all("the limit of 2 calls is reached" in text for text in told[2:])
    assert outcome.status == "partial"


async def test_a_model_without_a_price_does_not_run_under_a_limit_of_money(stage: SetStage) -> None:
    """What cannot be priced cannot be bounded: it is never asked, and the next rung plans."""
    ladder = [Model("my-own-model", retry=QUICKLY), CLAUDE]
    async with stage(agent_with(limits=Limits(cost_usd="5"), ladder=ladder), [finish(result="ok")]) as on:
        run = await on.start()
        assert await run.result() == "ok"
        assert [request.model for request in on.model.requests] == [CLAUDE.name]


async def test_a_result_that_does_not_fit_is_sent_back(stage: SetStage) -> None:
    """The model hears what is wrong with its result, and may hand in another."""
    wrong = finish(result={"found": "three"})
    async with stage(agent_with(output=Report), [wrong, finish(result={"found": 3})]) as on:
        assert await on.result() == Report(found=3)
        assert 'result.found: "three" is not of type "integer"' in on.told()[0]


async def test_results_are_sent_back_three_times_at_most(stage: SetStage) -> None:
    """After that the run ends as partial, with the result as it is and what is wrong with it."""
    wrong = finish(result={"found": "three"})
    async with stage(agent_with(output=Report), [wrong] * 3) as on:
        run = await on.start()
        with pytest.raises(RunNotCompleted, match="does not fit the output type") as caught:
            await run.result()
    assert caught.value.outcome.status == "partial"
    assert caught.value.outcome.output == {"found": "three"}


async def test_a_result_that_does_not_fit_in_the_last_turn_is_not_lost(stage: SetStage) -> None:
    """There is no turn left to correct it, so it is handed back as partial."""
    agent = agent_with(output=Report, limits=Limits(steps=1))
    async with stage(agent, [LOOK, finish(result={"found": "three"})]) as on:
        outcome = await on.outcome()
    assert (outcome.status, outcome.output) == ("partial", {"found": "three"})


@pytest.mark.parametrize("status", ["partial", "failed"])
async def test_an_agent_may_say_that_it_did_not_succeed(stage: SetStage, status: str) -> None:
    """`partial` and `failed` need a reason more than a result, and the result need not fit the output type."""
    given = finish(status, {"found": "some"}, reason="the region is down")
    async with stage(agent_with(output=Report), [given]) as on:
        run = await on.start()
        with pytest.raises(RunNotCompleted, match=f"is {status}: the region is down") as caught:
            await run.result()
    assert caught.value.outcome.output == {"found": "some"}


def rules(view: PlanView) -> Sequence[Call] | Finish:
    """Look twice, then report."""
    done = view.of("look")
    if len(done) < 2 and not view.last_turn:
        return [Call("look", n=len(done))]
    return Finish(Report(found=len(done)), reason=view.task)


async def test_rules_plan_without_a_model(stage: SetStage) -> None:
    """A function plans from the calls made so far, and hands in a typed result; no key is needed."""
    agent = agent_with(ladder=[Rules(rules)], output=Report)
    async with stage(agent) as on:
        run = await on.start("count")
        assert await run.result() == Report(found=2)
        view = await run.inspect()
        assert [step.planner for step in view.steps] == ["rules rules"] * 3
    assert view.usage.model_calls == 0


async def test_rules_hear_of_the_last_turn(stage: SetStage) -> None:
    """A limit holds for rules as for a model."""
    agent = agent_with(ladder=[Rules(rules)], output=Report, limits=Limits(steps=1))
    async with stage(agent) as on:
        assert await on.result("count") == Report(found=1)


async def test_rules_take_over_where_a_model_failed(stage: SetStage) -> None:
    """The transcript is one for all planners: rules see the calls that the model made before it failed."""
    agent = agent_with(ladder=[CLAUDE, Rules(rules)], output=Report)
    async with stage(agent, [call("look", n=0), fault(400)]) as on:
        run = await on.start("count")
        assert await run.result() == Report(found=2)
        planners = [step.planner for step in (await run.inspect()).steps]
    assert planners == ["claude-sonnet-5", "rules rules", "rules rules"]


async def test_a_model_takes_over_where_rules_failed(stage: SetStage) -> None:
    """The other way round: what rules proposed is a legal transcript for a model."""

    def first_only(view: PlanView) -> Sequence[Call]:
        if view.calls:
            raise LookupError("I know no more")
        return [Call("look", n=7)]

    agent = agent_with(ladder=[Rules(first_only), CLAUDE])
    async with stage(agent, [say("The rules saw 7.")]) as on:
        assert await on.result() == "The rules saw 7."
        assert on.told() == ["seen 7"]


@pytest.mark.parametrize("trouble", ["raises", "returns rubbish"])
async def test_rules_that_fail_alone_park_the_run(stage: SetStage, trouble: str) -> None:
    """Without another rung a human hears which rules failed and how; once mended, the run goes on."""
    broken = True

    def fragile(view: PlanView) -> Any:
        if not broken:
            return Finish("mended")
        if trouble == "raises":
            raise LookupError("no such table")
        return "look"

    async with stage(agent_with(ladder=[Rules(fragile)])) as on:
        run = await on.start()
        request = await run.next_request()
        assert request.kind == "parked"
        assert ("no such table" if trouble == "raises" else "must return a list of Call") in request.why
        broken = False
        await run.answer(request, "redrive", by="dana")
        assert await run.result() == "mended"


async def test_rules_are_tried_again_after_a_transient_error(stage: SetStage) -> None:
    """Rules may do I/O; what passes is retried by the engine."""
    tried: list[int] = []

    async def patient(view: PlanView) -> Finish:
        tried.append(1)
        if len(tried) == 1:
            raise Transient("busy", retry_after=0.01)
        return Finish("at last")

    async with stage(agent_with(ladder=[Rules(patient)])) as on:
        assert await on.result() == "at last"
    assert len(tried) == 2
