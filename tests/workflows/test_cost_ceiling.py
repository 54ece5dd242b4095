"""The run's own limit of money is a ceiling: no request is sent that may pass it, and what failed counts too."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from holdfast import Agent, Call, Finish, Limits, Model, PlanView, Rules, tool
from holdfast.testing import Answer, answer, call, cut, finish
from tests.stage import QUICKLY, SetStage

PRICED = Model(
    "my-own", max_tokens=100_000, usd_per_million_tokens=("0.000001", "1"), retry=QUICKLY
)  # $0.10 for the longest answer; its input is as good as free


@tool(effect="read")
async def look(n: int = 0) -> str:
    """Look."""
    return f"seen {n}"


def agent_with(usd: str, **options: Any) -> Agent[Any]:
    """An agent that may spend so much."""
    at_limit = options.pop("at_limit", "finish")
    given = {"name": "frugal", "instructions": "Look.", "tools": [look], "ladder": [PRICED], "budgets": []}
    return Agent(**{**given, "limits": Limits(cost_usd=usd, at_limit=at_limit), **options})


def costing(step: Answer, tokens: int) -> Answer:
    """The answer, of so many tokens: $0.001 for a thousand."""
    content = [dict(block) for block in step.content]
    usage = {"input_tokens": 1, "output_tokens": tokens}
    return answer(content, stop_reason=step.stop_reason or "end_turn", usage=usage)


async def test_no_answer_may_be_longer_than_the_limit_can_pay_for(stage: SetStage) -> None:
    """Each request asks for less; where an answer would be too short to be of use, the last turn follows, in what is left."""
    script = [
        costing(call("look"), 40_000),
        costing(call("look", n=1), 9_100),
        costing(finish(result="ok"), 200),
    ]
    async with stage(agent_with("0.05"), script) as on:
        run = await on.start()
        outcome = await run.outcome()
        asked = [request.body["max_tokens"] for request in on.model.requests]
        assert "You have reached the limit of $0.05" in on.said()
    assert outcome.output == "ok"
    assert [49_990 < asked[0] <= 50_000, 9_990 < asked[1] <= 10_000, 890 < asked[2] <= 900] == [True] * 3
    assert outcome.usage.cost_usd <= Decimal("0.05")


async def test_without_money_for_a_last_turn_it_ends_or_asks(stage: SetStage) -> None:
    """Nothing more is sent; a raise that covers the next plan lets it go on."""
    spent = costing(call("look", text="I look."), 49_900)
    async with stage(agent_with("0.05"), [spent]) as on:
        outcome = await on.outcome()
    assert (outcome.status, outcome.output) == ("partial", "I look.")
    assert (
        "it reached the limit of $0.05; the run has $0.0001 left, and a plan of my-own may cost"
        in outcome.reason
    )
    async with stage(agent_with("0.05", at_limit="ask"), [spent, costing(finish(result="ok"), 10)]) as on:
        run = await on.start(user="ana")
        request = await run.next_request(kind="limit")
        assert "the next plan may cost $0.00" in request.why
        await run.raise_limits(by="dana", cost_usd="+0.02")
        assert await run.result() == "ok"


async def test_a_free_planner_below_goes_on(stage: SetStage) -> None:
    """Rules cost nothing, so they plan on where a model cannot be paid any more."""

    def rules(view: PlanView) -> list[Call] | Finish:
        return Finish(f"after {len(view.calls)}")

    agent = agent_with("0.05", ladder=[PRICED, Rules(rules)])
    async with stage(agent, [costing(call("look"), 49_900)]) as on:
        assert await on.result() == "after 1"


async def test_what_failed_attempts_used_counts_in_the_run(stage: SetStage) -> None:
    """An answer that breaks off was paid for, at most its whole length; the retry, and the limit, know of it."""
    whole = costing(finish(result="ok"), 1_000)
    ladder = [Model("my-own", max_tokens=20_000, usd_per_million_tokens=("0.000001", "1"), retry=QUICKLY)]
    async with stage(agent_with("0.10", ladder=ladder), [cut(whole, after_events=4), whole]) as on:
        run = await on.start()
        assert await run.result() == "ok"
        view = await run.inspect()
    assert view.usage.model_calls == 2
    assert round(view.usage.cost_usd, 3) == Decimal("0.021")
    one = Model("my-own", max_tokens=20_000, usd_per_million_tokens=("0.000001", "1"), retry=QUICKLY)
    async with stage(agent_with("0.10", ladder=[one]), [cut(whole, after_events=4)] * 3) as on:
        run = await on.start()
        await run.answer(await run.next_request(kind="parked"), "discard", by="dana")
        outcome = await run.outcome()
    assert round(outcome.usage.cost_usd, 3) == Decimal("0.060")
