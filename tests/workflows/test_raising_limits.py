"""At a limit an agent may ask for more: what it has is kept, a person decides, and it goes on where it stopped."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from holdfast import Agent, Call, Finish, Limits, PlanView, Rules, UsageError, tool
from holdfast.errors import DecisionRefused
from holdfast.testing import Answer, answer, call, calls, finish
from holdfast.testing.dev_server import time_skipping_env
from tests.stage import CLAUDE, SetStage, setting

LOOKED: list[int] = []


@tool(effect="read")
async def look(n: int = 0) -> str:
    """Look."""
    LOOKED.append(n)
    return f"seen {n}"


def agent_with(limits: Any, **options: Any) -> Agent[Any]:
    """An agent that asks for more at its limits."""
    given = {"name": "asking", "instructions": "Look.", "tools": [look], "ladder": [CLAUDE]}
    return Agent(**{**given, "limits": limits, "approvers": "leads", **options})


def costly(tokens: int) -> Answer:
    """A call in an answer of so many tokens."""
    block = {"type": "tool_use", "id": "toolu_a", "name": "look", "input": {}}
    return answer([block], stop_reason="tool_use", usage={"input_tokens": 10, "output_tokens": tokens})


async def test_a_run_asks_for_more_and_goes_on_where_it_stopped(stage: SetStage) -> None:
    """The request says which limit, what was spent, what raising costs and what there is; `raise` gives all tools back."""
    script = [
        costly(2_000),
        finish("partial", "half of it", reason="out of steps"),
        call("look", n=7),
        finish(result="all of it"),
    ]
    async with stage(agent_with(Limits(steps=1, at_limit="ask")), script) as on:
        run = await on.start(user="ana")
        request = await run.next_request(kind="limit")
        assert request.by == "leads"
        assert "it has reached the limit of 1 steps. So far: 2 steps, 1 calls" in request.why
        assert "as much again (1 steps; at the rate so far that costs about $0.0" in request.why
        shown = request.arguments
        assert shown is not None
        assert (shown["reached"], shown["handed_back"]) == ("steps", "half of it")
        assert (await run.inspect()).status == "waiting"
        for wrong, why in [({"steps": 2}, "not more than what is used"), ({"tokens": 9}, "no such limit")]:
            with pytest.raises(DecisionRefused, match=why):
                await run.answer(request, "raise", by="dana", result=wrong)
        await run.answer(request, "raise", by="dana", result={"steps": "+5"}, note="go on")
        assert await run.result() == "all of it"
        assert "dana raised your limits: 7 steps" in on.told(2)[0]
        assert "look" in on.model.requests[2].tool_names
        [raised] = (await run.inspect()).raises
    assert (raised.by, raised.reason, raised.via) == ("dana", "go on", "update")
    assert (raised.before, raised.after) == ({"steps": 1}, {"steps": 7})


async def test_finish_ends_it_with_what_was_handed_back(stage: SetStage) -> None:
    """Without another call of the model; a result that is complete in the last turn is not asked about at all."""
    agent = agent_with(Limits(steps=1, at_limit="ask"))
    async with stage(agent, [call("look"), finish("partial", "half", reason="no steps")]) as on:
        run = await on.start()
        await run.answer(await run.next_request(kind="limit"), "finish", by="dana")
        outcome = await run.outcome()
    assert (outcome.status, outcome.output, outcome.reason) == ("partial", "half", "no steps")
    async with stage(agent, [call("look"), finish(result="all")]) as on:
        assert await on.result() == "all"


async def test_limits_are_raised_before_they_are_reached(stage: SetStage) -> None:
    """By whom and why is on record; at the old limit the run does not stop. What raises nothing gets an error."""
    gate = asyncio.Event()

    @tool(effect="read")
    async def slow() -> str:
        """Look slowly."""
        await gate.wait()
        return "seen"

    script = [call("slow"), call("slow"), call("slow"), finish(result="ok")]
    async with stage(agent_with(Limits(steps=2, cost_usd="1"), tools=[slow]), script) as on:
        run = await on.start(user="ana")
        async for event in run.events():
            if event.kind == "call":
                break
        with pytest.raises(DecisionRefused, match="ana started this run and cannot raise its cost_usd"):
            await run.raise_limits(by="Ana", cost_usd="5")
        with pytest.raises(UsageError, match="'many' is not a number"):
            await run.raise_limits(by="dana", steps="many")
        raised = await run.raise_limits(by="ana", steps="+3", reason="it is close")
        assert raised is not None
        assert (raised.before, raised.after, raised.by) == ({"steps": 2}, {"steps": 5}, "ana")
        handle = on.client.temporal.get_workflow_handle(run.id)
        await handle.signal("raise_limits", {"calls": 3, "by": "dana"})
        gate.set()
        assert await run.result() == "ok"
        view = await run.inspect()
    assert len(view.raises) == 1
    assert [one.why for one in view.ignored] == ["calls: 3 is not more than the limit is now, 50"]


async def test_raising_the_limit_answers_the_request(stage: SetStage) -> None:
    """A run that asks goes on as soon as its limits are raised in another way, here by a signal."""
    agent = agent_with(Limits(calls=2, at_limit="ask"))
    script = [
        calls(("look", {}), ("look", {"n": 1})),
        call("look", n=2),
        call("look", n=3),
        finish(result="ok"),
    ]
    LOOKED.clear()
    async with stage(agent, script) as on:
        run = await on.start()
        request = await run.next_request(kind="limit")
        await run.raise_limits(by="dana", calls="+1", later=True)
        assert await run.result() == "ok"
        decisions = (await run.inspect()).decisions
        assert "dana raised your limits: 3 calls" in on.told(2)[0]  # a call of the last turn was not made
    assert LOOKED == [0, 1, 3]
    assert [(one.request, one.answer, one.by, one.via) for one in decisions] == [
        (request.id, "raise", "dana", "signal")
    ]


async def test_rules_go_on_too(stage: SetStage) -> None:
    """A function that plans hears of the last turn, and of the end of it."""

    def rules(view: PlanView) -> list[Call] | Finish:
        seen = len(view.of("look"))
        return Finish(seen) if view.last_turn or seen == 3 else [Call("look", n=seen)]

    agent = agent_with(Limits(steps=1, at_limit="ask"), ladder=[Rules(rules)], output=int)
    async with stage(agent) as on:
        run = await on.start()
        assert await run.result() == 1  # what is complete is complete


async def test_working_time_leaves_out_the_waits_for_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that may work for an hour may wait for a person for a day, and be paused for another."""
    agent = agent_with(Limits(working_time=timedelta(hours=1)))
    script = [call("ask_human", question="Which?"), finish(result="ok")]
    async with time_skipping_env() as env, setting(env.client, monkeypatch)(agent, script) as on:
        run = await on.start()
        request = await run.next_request()
        handle = on.client.temporal.get_workflow_handle(run.id)
        await env.fast_forward(handle, timedelta(hours=24))
        await run.pause(by="dana")
        await run.answer(request, "the first", by="dana")
        await env.fast_forward(handle, timedelta(hours=24))
        await run.resume(by="dana")
        assert await run.result() == "ok"
