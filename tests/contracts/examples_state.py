"""Values of what a run's loop remembers."""

from __future__ import annotations

from pydantic import BaseModel

from holdfast.contracts.state import LoopState

EXAMPLES: dict[str, BaseModel] = {
    "LoopState": LoopState(
        rung=1,
        failed_at=3,
        odd_answers=2,
        max_tokens_factor=4,
        rejections_in_a_row=1,
        finish_refused=1,
        last_turn="the limit of 20 steps",
        archive_after=365,
        waits_for="user/ana",
        account_called=True,
    ),
}
