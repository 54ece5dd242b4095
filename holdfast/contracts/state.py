"""What a run's loop remembers from step to step, beside the record that people see.

All of it is data in one place, so that a run can be continued as new, inspected at a step, and forked: nothing
that decides what happens next may live in an attribute elsewhere.
"""

from holdfast.contracts.base import Record


class LoopState(Record):
    """The loop's own memory. Fields may be added with a default, never renamed or removed."""

    rung: int = 0
    """The planner of the ladder that is asked now."""
    failed_at: int | None = None
    """The step at which a better rung failed; None while none has."""
    odd_answers: int = 0
    """Answers in a row that moved nothing."""
    max_tokens_factor: int = 1
    """Multiplies the rung's output limit after an answer was cut off by it."""
    rejections_in_a_row: int = 0
    finish_refused: int = 0
    """Results that did not fit and were sent back."""
    last_turn: str = ""
    """Which limit ends the run with this turn; empty while none does."""
