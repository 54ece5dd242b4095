"""Values of what is kept of parked runs."""

from __future__ import annotations

from pydantic import BaseModel

from holdfast.contracts.calls import Failure
from holdfast.contracts.parked import ParkedNote, Redrive, Rehearsal, RepeatedWrite
from holdfast.contracts.state import LoopState

NOTE = ParkedNote(
    fingerprint="0123456789ab",
    failure=Failure(kind="transient", message="Overloaded", error="overloaded_error"),
    where="planner claude-sonnet-5",
    why="no planner is left",
    since="2026-11-21T03:00:00.000+00:00",
    last_attempt_at="2026-11-21T04:00:00.000+00:00",
    attempts=10,
    redrives=1,
    redriven_at="2026-11-21T05:00:00.000+00:00",
)

WRITE = RepeatedWrite(
    call="3.1", step=3, tool="pay", arguments={"order": "A-1"}, outcome="unknown", kept_by_key=True
)

EXAMPLES: dict[str, BaseModel] = {
    "LoopState.parked": LoopState(parked=NOTE),
    "ParkedNote": NOTE,
    "RepeatedWrite": WRITE,
    "Rehearsal": Rehearsal(
        run="ticket-88",
        steps=7,
        may_repeat=[WRITE],
        total_may_repeat=9,
        made_again=["7.1 pay A-2"],
        problem="it has ended",
    ),
    "Redrive": Redrive(from_step=7, agent="latest"),
}
