"""Credentials that a tool's call was refused with: the run is parked until a person has renewed them."""

import asyncio

from holdfast.contracts.calls import CallRecord
from policies import credentials
from workflows.human_desk import HumanDesk
from workflows.parking import park
from workflows.run_state import RunState


async def until_renewed(state: RunState, desk: HumanDesk, calls: list[CallRecord]) -> bool:
    """Wait, parked, until a person says `redrive`; the calls are then as if they had just been proposed.

    False: the run was cancelled meanwhile, and no call begins any more.

    Raises:
        Discarded: A person ends the run instead.
        WentBack: A person takes it back to an earlier step.
    """
    failure = calls[0].failure
    assert failure is not None  # noqa: S101  # that is why they are here
    try:
        await park(state, desk, failure, credentials.in_words(calls), where=calls[0].tool)
    except asyncio.CancelledError:
        if state.loop.cancelled is None:
            raise
        return False
    state.loop.circles, state.loop.fresh_from = 0, len(state.ledger)  # the world may have changed meanwhile
    for call in calls:
        call.status, call.failure, call.finished_at = "proposed", None, None
        call.preview = call.result_digest = ""
    state.move("acting")
    return True
