"""Which planner is asked."""

from holdfast.contracts.spec import AgentSpec

STEPS_BEFORE_BEST_IS_TRIED_AGAIN = 5
"""After a fall, this many steps are planned by the lower rung before the best one gets another chance."""


def next_rung(spec: AgentSpec, failed: int) -> int | None:
    """The rung below the one that failed, or None when there is none left."""
    return failed + 1 if failed + 1 < len(spec.ladder) else None


def rung_to_try(current: int, failed_at: int | None, step: int) -> int:
    """The rung for a step, given the step at which a better one failed (None: none did)."""
    if failed_at is not None and step - failed_at >= STEPS_BEFORE_BEST_IS_TRIED_AGAIN:
        return 0
    return current


def planner_below(spec: AgentSpec, rung: int) -> bool:
    """Whether a planner that is no human stands below a rung."""
    return any(one.kind in ("model", "rules") for one in spec.ladder[rung + 1 :])
