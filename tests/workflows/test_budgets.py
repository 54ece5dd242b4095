"""Budgets that runs share: each call is reserved at its most, and a run without money waits, asks, and goes on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from holdfast import Agent, Budget, Call, Finish, Limits, Model, PlanView, Rules, tool
from holdfast.contracts.accounts import ZERO, AccountView, SetLimit
from holdfast.contracts.names import ACCOUNT_PREFIX
from holdfast.errors import DecisionRefused
from holdfast.testing import Answer, answer, call, fault, finish
from tests.stage import QUICKLY, SetStage, Stage, unique

PRICED = Model(
    "my-own", max_tokens=100_000, usd_per_million_tokens=("0.000001", "1"), retry=QUICKLY
)  # at most $0.10 a call, and what its input costs is nothing to speak of


@tool(effect="read")
async def look(n: int = 0) -> str:
    """Look."""
    return f"seen {n}"


def agent_with(daily_usd: str, account: str = "user", **options: Any) -> Agent[Any]:
    """An agent with a budget."""
    budgets = [Budget(account, daily_usd=daily_usd)]
    given = {
        "name": "thrifty",
        "instructions": "Look.",
        "tools": [look],
        "ladder": [PRICED],
        "budgets": budgets,
    }
    return Agent(**{**given, **options})


def costing(step: Answer, usd: str) -> Answer:
    """The answer, at a price."""
    tokens = int(Decimal(usd) * 1_000_000)
    content = [dict(block) for block in step.content]
    return answer(
        content,
        stop_reason=step.stop_reason or "end_turn",
        usage={"input_tokens": 1, "output_tokens": tokens},
    )


async def shown(on: Stage, account: str) -> AccountView:
    """The account as people see it."""
    handle = on.client.temporal.get_workflow_handle(ACCOUNT_PREFIX + account)
    view: AccountView = await handle.query("show", result_type=AccountView)
    return view


async def test_what_a_run_costs_is_taken_from_its_users_account(stage: SetStage) -> None:
    """Each call is settled at what it did cost, nothing stays reserved, and the UI shows the account as it stands."""
    user = unique("ana")
    async with stage(
        agent_with("1"), [costing(call("look"), "0.04"), costing(finish(result="ok"), "0.05")]
    ) as on:
        assert await on.result(user=user) == "ok"
        view = await shown(on, f"user/{user}")
        handle = on.client.temporal.get_workflow_handle(f"{ACCOUNT_PREFIX}user/{user}")
        details = (await handle.query("__temporal_workflow_metadata")).current_details
    assert r"\$0.0900 spent of \$1.00, \$0.0000 set aside" in details
    assert round(view.spent_usd, 3) == Decimal("0.090")
    assert (view.reserved_usd, view.presumed_usd, view.limit_usd) == (ZERO, ZERO, Decimal(1))


async def test_a_call_that_the_account_cannot_pay_for_is_not_made(stage: SetStage) -> None:
    """The run asks, naming the account and what the plan may cost; when the limit is raised it goes on by itself."""
    user = unique("ana")
    async with stage(
        agent_with("0.15"), [costing(call("look"), "0.09"), costing(finish(result="ok"), "0.05")]
    ) as on:
        run = await on.start(user=user)
        request = await run.next_request(kind="limit")
        assert len(on.model.requests) == 1
        assert f"the account user/{user} has $0.06" in request.why
        handle = on.client.temporal.get_workflow_handle(f"{ACCOUNT_PREFIX}user/{user}")
        assert (await shown(on, f"user/{user}")).waiting == [run.id]
        await handle.execute_update("set_limit", SetLimit(by="dana", daily_usd=Decimal(5)))
        assert await run.result() == "ok"
        view = await run.inspect()
    assert [(one.via, one.by) for one in view.decisions] == [("account", f"account user/{user}")]
    assert view.requests == []


async def test_a_human_may_raise_the_limit_by_answering(stage: SetStage) -> None:
    """`raise` gives one more day's limit; the user of the run cannot give it to themselves."""
    user = unique("ana")
    async with stage(
        agent_with("0.15"), [costing(call("look"), "0.09"), costing(finish(result="ok"), "0.05")]
    ) as on:
        run = await on.start(user=user)
        request = await run.next_request(kind="limit")
        with pytest.raises(DecisionRefused, match="cannot raise its budget"):
            await run.answer(request, "raise", by=user)
        await run.answer(request, "raise", by="dana")
        assert await run.result() == "ok"
        view = await shown(on, f"user/{user}")
    assert (view.limit_usd, view.set_by) == (Decimal("0.30"), "dana")


async def test_a_human_may_end_it_instead(stage: SetStage) -> None:
    """`finish` ends the run with what there is, without another call of the model."""
    async with stage(agent_with("0.15"), [costing(call("look", text="I look."), "0.09")]) as on:
        run = await on.start(user=unique("ana"))
        await run.answer(await run.next_request(kind="limit"), "finish", by="dana")
        outcome = await run.outcome()
    assert (outcome.status, outcome.output) == ("partial", "I look.")
    assert outcome.reason.startswith("dana ended it: the account user/")


async def test_rules_below_go_on_without_money(stage: SetStage) -> None:
    """They cost nothing, so nobody is asked."""

    def by_rules(view: PlanView) -> list[Call] | Finish:
        return Finish("by rules")

    agent = agent_with("0.05", ladder=[PRICED, Rules(by_rules)])
    async with stage(agent) as on:
        assert await on.result(user=unique("ana")) == "by rules"


async def test_reservations_of_others_are_waited_for_without_asking(stage: SetStage) -> None:
    """Five runs share room for one call at a time: all complete, and nobody is asked anything."""
    user = unique("ana")
    # Each call may cost $0.10 and costs $0.02: all five fit into the limit, but not at once.
    async with stage(agent_with("0.19"), lambda _: costing(finish(result="ok"), "0.02")) as on:
        runs = [await on.start(user=user) for _ in range(5)]
        assert [await run.result() for run in runs] == ["ok"] * 5
        assert [len((await run.inspect()).decisions) for run in runs] == [0] * 5
        assert round((await shown(on, f"user/{user}")).spent_usd, 3) == Decimal("0.100")


async def test_attempts_that_fail_are_settled(stage: SetStage) -> None:
    """What the provider refused costs nothing; an answer that broke off counts at its most, and is shown so."""
    user = unique("ana")
    async with stage(agent_with("1"), [fault(529), costing(finish(result="ok"), "0.05")]) as on:
        assert await on.result(user=user) == "ok"
        view = await shown(on, f"user/{user}")
    assert (round(view.spent_usd, 3), view.presumed_usd, view.reserved_usd) == (Decimal("0.050"), ZERO, ZERO)


async def test_a_model_without_a_price_is_not_asked(stage: SetStage) -> None:
    """Under a budget nothing is sent to a model that nobody can price; the run parks with the fix in words."""
    async with stage(agent_with("1", ladder=[Model("nobody-knows", retry=QUICKLY)])) as on:
        run = await on.start(user=unique("ana"))
        request = await run.next_request(kind="parked")
        assert "usd_per_million_tokens=" in request.why
        await run.answer(request, "discard", by="dana")
        await run.outcome()
    assert on.model.requests == []


async def test_a_run_without_a_user_has_no_account(stage: SetStage) -> None:
    """The default budget is that of a user; `budgets=[]` has none for anybody."""
    async with stage(agent_with("0.01"), [finish(result="ok")]) as on:
        assert await on.result() == "ok"
    async with stage(agent_with("0.01", budgets=[]), [finish(result="ok")]) as on:
        assert await on.result(user="ana") == "ok"


async def test_the_last_turn_is_paid_for_too(stage: SetStage) -> None:
    """Where the account cannot pay for it the run ends at once, with the words there are."""
    agent = agent_with("0.15", limits=Limits(steps=1))
    async with stage(agent, [costing(call("look", text="I look."), "0.09")]) as on:
        outcome = await on.outcome(user=unique("ana"))
    assert (outcome.status, outcome.output) == ("partial", "I look.")
    assert "the limit of 1 steps; the account" in outcome.reason


async def test_an_expensive_plan_asks_a_human_first(stage: SetStage) -> None:
    """Above the agent's threshold nothing is sent until somebody allows what the plan may cost."""
    agent = agent_with("1", limits=Limits(ask_above_usd="0.05"))
    async with stage(agent, [call("look"), finish(result="ok")]) as on:
        run = await on.start()
        request = await run.next_request(kind="limit")
        assert "may cost up to $0.10" in request.why
        assert on.model.requests == []
        await run.answer(request, "raise", by="dana")
        assert await run.result() == "ok"
        again = await on.start()
        await again.answer(await again.next_request(kind="limit"), "finish", by="dana")
        assert (await again.outcome()).status == "partial"
