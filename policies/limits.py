"""Has a run used up what it may? Limits are hard: one last turn without tools follows, then the end."""

from decimal import Decimal

from holdfast.contracts.plans import Usage
from holdfast.contracts.spec import LimitsSpec


def reached(limits: LimitsSpec, *, steps: int, calls: int, usage: Usage, seconds: float) -> str | None:
    """The first limit that is used up, in words; None while there is room for another step."""
    if steps >= limits.steps:
        return f"the limit of {limits.steps} steps"
    if calls >= limits.calls:
        return f"the limit of {limits.calls} calls"
    if limits.tokens is not None and usage.tokens >= limits.tokens:
        return f"the limit of {limits.tokens:,} tokens"
    if limits.cost_usd is not None and usage.cost_usd >= limits.cost_usd:
        return f"the limit of ${limits.cost_usd}"
    if limits.cost_usd is not None and usage.unpriced:
        return f"the limit of ${limits.cost_usd}, since a model without a known price was used"
    if limits.wall_clock_seconds is not None and seconds >= limits.wall_clock_seconds:
        return f"the limit of {limits.wall_clock_seconds:g} s"
    return None


def room_for_calls(limits: LimitsSpec, calls: int) -> int:
    """How many more calls may be made."""
    return max(0, limits.calls - calls)


def money(amount: Decimal) -> str:
    """USD as people read it: `$0.0042`, `$1.30`."""
    return f"${amount:.2f}" if amount >= 1 else f"${amount:.4f}"
