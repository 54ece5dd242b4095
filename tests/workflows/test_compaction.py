"""Long runs in small windows: old messages become a summary, and nothing that counts is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from temporalio.client import Client as TemporalClient

from holdfast import Agent, Compaction, Limits, Model, Rules, tool
from holdfast.context import Call, Finish, PlanView
from holdfast.contracts.accounts import AccountView
from holdfast.contracts.messages import Page, PageRequest
from holdfast.contracts.names import ACCOUNT_PREFIX
from holdfast.testing import Step, call, fault, finish, hang, say
from holdfast.testing.model_request import ModelRequest
from policies.context import BY_MESSAGES, BY_RECORD
from tests.stage import QUICKLY, SetStage, Stage, unique

SMALL = Model("claude-sonnet-5", retry=QUICKLY, context_window=6_000)
TASK = "Look at forty places, and do not forget this task."
SUMMARY = "So far every place was empty."


@tool(effect="read")
async def look(place: int) -> str:
    """Look at a place."""
    return f"place {place}: " + "empty " * 250


@tool(effect="irreversible", waiver="a list", idempotent=True)
async def mark(place: int) -> str:
    """Mark a place."""
    return "marked"


WALKER = Agent(
    name="walker",
    instructions="Walk.",
    tools=[look, mark],
    ladder=[SMALL],
    limits=Limits(steps=100, calls=200),
    autonomy="full",
    compaction=Compaction(keep=4),
)


def is_summary(request: ModelRequest) -> bool:
    """Whether the engine asks for a summary, not for a plan."""
    return "tools" not in request.body


def walking(steps: int, summary: Callable[[], Step] = lambda: say(SUMMARY)) -> Callable[[ModelRequest], Step]:
    """Marks one place, looks at the others, and hands in what the first message says."""
    plans = iter(range(steps))

    def script(request: ModelRequest) -> Step:
        if is_summary(request):
            return summary()
        at = next(plans, None)
        if at is None:
            return finish(result=str(request.messages[0]["content"][0]["text"]))
        return call("mark" if at == 0 else "look", place=at)

    return script


def plans_of(on: Stage) -> list[ModelRequest]:
    """The requests for plans."""
    return [request for request in on.model.requests if not is_summary(request)]


async def test_a_long_run_stays_within_its_window(stage: SetStage, temporal: TemporalClient) -> None:
    """Thirty steps in a window of ten: the task and the last messages stay, the rest is a summary that was paid for.

    Every request is one that the API takes (the stage looks), the transcript stays whole, the history of each step
    is as long as that of any other, and the UI shows what the activity was for.
    """
    user = unique("ana")
    async with stage(WALKER, walking(30)) as on:
        run = await on.start(TASK, user=user)
        assert await run.result() == TASK
        view = await run.inspect()
        handle = temporal.get_workflow_handle(run.id)
        page = await handle.query("transcript", PageRequest(start=0, stop=1000), result_type=Page)
        account = temporal.get_workflow_handle(f"{ACCOUNT_PREFIX}user/{user}")
        paid = await account.query("show", result_type=AccountView)
        history = await handle.fetch_history()
    summaries = [request for request in on.model.requests if is_summary(request)]
    assert len(view.compactions) == len(summaries) >= 3
    assert view.usage.model_calls == len(on.model.requests)
    assert abs(paid.spent_usd - view.usage.cost_usd) < Decimal("0.0001")
    assert paid.reserved_usd == 0
    assert max(len(str(request.messages)) for request in plans_of(on)) < 6_000 * 4
    last = plans_of(on)[-1].messages
    assert SUMMARY in last[0]["content"][1]["text"]
    assert "done: mark 0 (call 1.1)" in last[0]["content"][1]["text"]
    assert last[-1]["content"][0]["content"].startswith("place 29: empty")
    assert len(last) >= 5, "the last turns stay"
    assert page.total == 62
    assert page.messages[2].content[0]["content"] == "marked"
    sizes = [event.ByteSize() for event in history.events]
    third = len(sizes) // 3
    assert sum(sizes[-third:]) < 1.3 * sum(sizes[third : 2 * third])
    told = [
        event.user_metadata.summary.data.decode()
        for event in history.events
        if event.user_metadata.summary.data
    ]
    assert [one for one in told if one.startswith('"compact before plan ') and "claude-sonnet-5 · " in one]


async def test_a_summary_that_nobody_writes_is_made_of_the_messages(stage: SetStage) -> None:
    """A model that fails, refuses or says nothing stops no run: the messages stay, without the bodies of results.

    While the breaker of that model is open it is not even asked.
    """
    failures: Iterator[Step] = iter(
        [fault(400), replace(say("I will not."), stop_reason="refusal"), say(" ")]
    )
    script = walking(36, summary=lambda: next(failures, fault(500)))
    agent = WALKER.but(compaction=Compaction(model="claude-haiku-4-5", keep=4))
    async with stage(agent, script, seconds=60) as on:
        run = await on.start(TASK)
        assert await run.result() == TASK
        view = await run.inspect()
        said = [event.text async for event in run.events() if event.text.startswith("no summary")]
    assert {one.by for one in view.compactions} == {BY_MESSAGES}
    assert len(said) == len(view.compactions) >= 6
    assert "no summary by claude-haiku-4-5 (contract): claude-haiku-4-5 stopped: refusal" in said
    assert sum(is_summary(request) for request in on.model.requests) <= 3 + 5
    assert view.usage.model_calls == 37 + 2  # the two answers that were no summary were paid for
    opening = plans_of(on)[-1].messages[0]["content"][1]["text"]
    assert "CALL mark {'place': 0}\nRESULT: marked" in opening
    assert "RESULT: place 5: empty" in opening
    assert "characters, dropped]" in opening


async def test_a_summariser_that_never_answers_is_waited_for_twice(stage: SetStage) -> None:
    """It gets its timeout and one more try; then the messages do, and the run goes on."""
    silent = Model("claude-haiku-4-5", retry=QUICKLY, timeout=timedelta(seconds=1))
    agent = WALKER.but(ladder=[SMALL, silent])
    async with stage(agent, walking(12, summary=hang)) as on:
        run = await on.start(TASK)
        assert await run.result() == TASK
        view = await run.inspect()
        said = [event.text async for event in run.events() if event.text.startswith("no summary")]
    assert {one.by for one in view.compactions} <= {
        BY_MESSAGES,
        BY_RECORD,
    }  # a busy worker may not even tell why
    assert 1 <= len(view.compactions) <= 2  # or its breaker would open
    asked = [request for request in on.model.requests if is_summary(request)]
    assert len(asked) == 2 * len(view.compactions)
    assert len(said) == len(view.compactions)
    assert all(one.startswith("no summary by claude-haiku-4-5 (transient): ") for one in said)


@pytest.mark.parametrize(
    "overflow",
    [
        lambda: fault(400, "prompt is too long: 210000 tokens > 200000 maximum"),
        lambda: fault(413, body="<html>too large</html>", content_type="text/html"),
        lambda: replace(say("…"), stop_reason="model_context_window_exceeded"),
    ],
)
async def test_a_prompt_that_is_too_long_is_shortened_once(
    stage: SetStage, overflow: Callable[[], Step]
) -> None:
    """The same planner is asked again with a shorter prompt, before the next rung is tried."""
    agent = WALKER.but(
        ladder=[Model("claude-sonnet-5", retry=QUICKLY), Model("claude-haiku-4-5", retry=QUICKLY)]
    )
    seen: list[str] = []

    def script(request: ModelRequest) -> Step:
        seen.append("summary" if is_summary(request) else request.model)
        if is_summary(request):
            assert request.model == "claude-haiku-4-5"
            return say(SUMMARY)
        if len(seen) == 5:
            return overflow()
        return finish(result="ok") if len(seen) > 6 else call("look", place=len(seen))

    async with stage(agent, script) as on:
        assert await on.result(TASK) == "ok"
    assert seen == ["claude-sonnet-5"] * 5 + ["summary", "claude-sonnet-5"]


async def test_rules_see_every_call_after_a_compaction(stage: SetStage) -> None:
    """What a model is spared, rules are told: they plan from all calls of the run."""
    counted: list[int] = []

    def rules(view: PlanView) -> list[Call] | Finish:
        counted.append(len(view.calls))
        return Finish("ok") if len(counted) == 3 else [Call("look", place=99)]

    agent = WALKER.but(ladder=[SMALL, Rules(rules)])
    plans = iter(range(12))

    def script(request: ModelRequest) -> Step:
        if is_summary(request):
            return say(SUMMARY)
        at = next(plans, None)
        return fault(401) if at is None else call("look", place=at)

    async with stage(agent, script) as on:
        run = await on.start(TASK)
        assert await run.result() == "ok"
        assert (await run.inspect()).compactions
    assert counted == [12, 13, 14]
