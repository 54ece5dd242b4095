"""Examples of what failures and outcomes gain, and of what is pending."""

from __future__ import annotations

from pydantic import BaseModel

from holdfast.contracts import calls, pending, plans, run, state

_OVERLOADED = calls.Failure(
    kind="transient", message="overloaded", error="overloaded_error", category="integration"
)

EXAMPLES: dict[str, BaseModel] = {
    "Failure.lost": calls.Failure(
        kind="unknown_outcome",
        message="an earlier attempt was lost",
        error="Timeout",
        earlier_attempt=True,
        category="integration",
    ),
    "StepRecord.fallen": run.StepRecord(
        number=2, rung=1, planner="claude-haiku-4-5", stop_reason="tool_use", failures=[_OVERLOADED]
    ),
    "LoopState.failing": state.LoopState(failures=[_OVERLOADED], failure_counts={"integration": 1}),
    "RunOutcome.cut": run.RunOutcome(
        run="ticket-88",
        agent="clerk",
        digest="0123456789abcdef0123456789abcdef",
        status="cancelled",
        reason="terminated: the wrong account",
        failure_counts={"integration": 1, "hallucination": 2},
        words="I found three of them.",
    ),
    "RunView.failing": run.RunView(
        run="ticket-88",
        agent="clerk",
        digest="0123456789abcdef0123456789abcdef",
        task="Note it.",
        user="ana",
        dry_run=False,
        status="parked",
        started_at="2026-11-21T10:00:00.000+00:00",
        steps=[],
        requests=[],
        decisions=[],
        ignored=[],
        effects=[],
        usage=plans.Usage(),
        failures=[_OVERLOADED],
        failure_counts={"integration": 1},
    ),
    "PendingWork.waiting": pending.PendingWork(
        work="look",
        call="2.3",
        attempt=2,
        attempts_at_most=4,
        next_try="2026-11-21T10:00:05.000+00:00",
        last_failure=_OVERLOADED,
    ),
    "PendingWork": pending.PendingWork(work="plan", running=True, started_at="2026-11-21T10:00:00.000+00:00"),
}
