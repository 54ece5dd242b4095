"""Examples of limits that are raised, and of what a run remembers of them."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel

from holdfast.contracts import limits, plans, run, spec, state

AT = "2026-11-21T03:00:00.000+00:00"
RAISED = limits.LimitsRaised(
    by="dana", at=AT, step=21, reason="it is close", via="update", before={"steps": 20}, after={"steps": 41}
)
ASKING = spec.LimitsSpec(steps=41, working_time_seconds=3_600.0, at_limit="ask", cost_usd=Decimal("0.50"))

EXAMPLES: dict[str, BaseModel] = {
    "NewLimits": limits.NewLimits(
        steps="+20", calls="100", tokens="+5000", cost_usd="+0.25", wall_clock="+1h30m", working_time="90"
    ),
    "RaiseInput": limits.RaiseInput(
        steps="+20",
        calls="100",
        tokens="+5000",
        cost_usd="1.50",
        wall_clock="2h",
        working_time="+30m",
        by="dana",
        reason="it is close",
    ),
    "LimitsRaised": RAISED,
    "LimitsSpec.at_limit": ASKING,
    "LoopState.limits": state.LoopState(
        last_turn="the limit of 20 steps",
        limit="steps",
        limits=ASKING,
        raises=[RAISED],
        rested_seconds=61.5,
        rests_since=AT,
    ),
    "HumanRung": spec.HumanRung(kind="human", by="finops", expires_in_seconds=3_600.0),
    "LoopState.fallen": state.LoopState(rung=2, failed_at=3, last_failure="claude failed (transient): busy"),
    "PlanOutcome.human": plans.PlanOutcome(
        content=[{"type": "tool_use", "id": "human_1_1", "name": "look", "input": {}}],
        stop_reason="tool_use",
        planner="human dana",
        kind="human",
        seconds=61.0,
    ),
    "LoopState.short": state.LoopState(needs_usd=Decimal("0.08")),
    "PlanInput.left": plans.PlanInput(
        run="ticket-88",
        agent="cloud-costs",
        digest="0123456789abcdef0123456789abcdef",
        step=3,
        rung=0,
        position=0,
        before="",
        new=[],
        after="",
        left_usd=Decimal("0.21"),
    ),
    "PlanOutcome.lost": plans.PlanOutcome(
        content=[],
        stop_reason="end_turn",
        planner="claude-sonnet-4-5",
        kind="model",
        lost=plans.Usage(input_tokens=900, output_tokens=20, cost_usd=Decimal("0.01"), model_calls=1),
    ),
    "RunView.raised": run.RunView(
        run="ticket-88",
        agent="cloud-costs",
        digest="0123456789abcdef0123456789abcdef",
        task="Cut our spend",
        user=None,
        dry_run=False,
        status="acting",
        started_at=AT,
        steps=[],
        requests=[],
        decisions=[],
        ignored=[],
        effects=[],
        raises=[RAISED],
        usage=plans.Usage(),
    ),
}
