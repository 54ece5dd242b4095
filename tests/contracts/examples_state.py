"""Values of what a run's loop remembers."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel

from holdfast.contracts.state import LoopState
from holdfast.contracts.steering import Cancellation, Pause, PersonMessage

AT = "2026-11-21T03:00:00.000+00:00"
SAID = PersonMessage(text="only eu-west-1", by="ana", at=AT)
PAUSED = Pause(by="dana", at=AT, reason="an upgrade")

EXAMPLES: dict[str, BaseModel] = {
    "LoopState": LoopState(
        rung=1,
        failed_at=3,
        odd_answers=2,
        max_tokens_factor=4,
        rejections_in_a_row=1,
        finish_refused=1,
        known_tokens=150_200,
        made_room_at=7,
        last_turn="the limit of 20 steps",
        archive_after=365,
        waits_for="user/ana",
        account_called=True,
        messages=[SAID],
        paused=PAUSED,
        cancelled=Cancellation(at=AT, reason="by ana: wrong account"),
        may_cost_usd=Decimal("0.42"),
    ),
}
