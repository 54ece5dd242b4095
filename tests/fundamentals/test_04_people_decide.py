"""People decide: a run asks, waits at no cost for as long as it takes, and does exactly what was approved."""

from __future__ import annotations

from holdfast import Agent, Approval, ProposedCall, Verdict, arg, tool
from holdfast.testing import call, calls, finish
from tests.stage import CLAUDE, SetStage

STOPPED: list[str] = []


@tool(effect="irreversible", approval=Approval(by="finops", when=arg("monthly_usd") > 100))
async def stop(machine: str, monthly_usd: int) -> str:
    """Stop a machine for good."""
    STOPPED.append(machine)
    return f"stopped {machine}"


async def never_touch_production(proposed: ProposedCall) -> Verdict:
    """Any Python: it runs in an activity, and may ask whom it likes."""
    if proposed.arguments["machine"].startswith("prod-"):
        return Verdict.refuse("production is not touched")
    return Verdict.allow()


SAVER = Agent(
    name="saver",
    instructions="Stop what is idle.",
    tools=[stop],
    guards=[never_touch_production],
    ladder=[CLAUDE],
    autonomy="full",
)


async def test_a_human_approves_what_the_rule_says(stage: SetStage) -> None:
    """The cheap machine is stopped at once; the dear one waits until somebody has approved exactly that."""
    STOPPED.clear()
    plan = calls(
        ("stop", {"machine": "dev-1", "monthly_usd": 9}), ("stop", {"machine": "dev-2", "monthly_usd": 900})
    )
    async with stage(SAVER, [plan, finish(result="ok")]) as on:
        run = await on.start("Save money", user="ana")
        request = await run.next_request()
        assert (request.by, request.arguments) == ("finops", {"machine": "dev-2", "monthly_usd": 900})
        assert "dev-2" not in STOPPED
        await run.approve(request, by="dana", note="nobody uses it")
        assert await run.result() == "ok"
    assert sorted(STOPPED) == ["dev-1", "dev-2"]


async def test_a_human_rejects_and_the_model_hears_why(stage: SetStage) -> None:
    """A no is an answer: the model is told the reason, and goes on."""
    STOPPED.clear()
    async with stage(SAVER, [call("stop", machine="dev-2", monthly_usd=900), finish(result="kept")]) as on:
        run = await on.start("Save money")
        await run.reject(await run.next_request(), by="dana", reason="the fair is on Monday")
        assert await run.result() == "kept"
        assert on.told() == ["Not done: dana rejected this. Reason: the fair is on Monday"]
    assert STOPPED == []


async def test_a_guard_stands_above_the_model_and_above_approvals(stage: SetStage) -> None:
    """What a guard refuses is not done, and nobody is asked."""
    STOPPED.clear()
    async with stage(SAVER, [call("stop", machine="prod-1", monthly_usd=900), finish(result="kept")]) as on:
        run = await on.start("Save money")
        assert await run.result() == "kept"
        assert on.told() == ["Not done: production is not touched"]
        assert (await run.inspect()).decisions == []
    assert STOPPED == []
