"""Parking: a run that cannot go on as it is keeps everything it has, and waits until a human moves it on."""

from holdfast.contracts.calls import Failure
from workflows.human_desk import HumanDesk
from workflows.run_state import RunState


class Discarded(Exception):  # not an error: a human ended the run
    """A human discarded the parked run."""

    def __init__(self, failure: Failure, by: str, note: str) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.by = by
        self.note = note


async def park(state: RunState, desk: HumanDesk, failure: Failure, why: str) -> None:
    """Wait, parked, until a human says `redrive`; then the loop goes on from where it stopped.

    Raises Discarded when a human ends the run instead.
    """
    state.move("parked")
    decision = await desk.ask("parked", why, state.spec.approvers)
    if decision.answer == "discard":
        raise Discarded(failure, decision.by, decision.note)
