"""Parking: a run that cannot go on as it is keeps everything it has, and waits until a human moves it on.

The set of parked runs is the dead-letter queue. What stopped a run is kept with it, and its fingerprint is a
search attribute, so that runs which one cause has stopped are found and moved on together.
"""

import asyncio

from temporalio.exceptions import ApplicationError

from holdfast.contracts.calls import Failure
from holdfast.contracts.messages import user_text
from holdfast.contracts.pages import within_bytes
from holdfast.contracts.parked import ParkedNote, Redrive, Rehearsal
from policies import credentials, redriving
from policies.fingerprints import fingerprint
from policies.json_safety import shorten
from workflows.alerting import tell_operators
from workflows.answering import MAX_LISTED_BYTES
from workflows.human_desk import HumanDesk
from workflows.resolving import resolve
from workflows.run_state import RunState

MAX_WHY_CHARS = 4_000


class Discarded(Exception):  # not an error: a human ended the run
    """A human discarded the parked run."""

    def __init__(self, failure: Failure, by: str, note: str) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.by = by
        self.note = note


class WentBack(Exception):  # not an error: a human took the run back
    """The transcript is what it was before an earlier step: plan again from there."""


async def park(
    state: RunState, desk: HumanDesk, failure: Failure, why: str, *, where: str = "run", attempts: int = 1
) -> None:
    """Wait, parked, until a human says `redrive`; then the loop goes on from where it stopped.

    `where` is what failed (`planner claude-sonnet-5`, a tool's name), `attempts` how often it was tried.

    Raises:
        Discarded: A human ends the run instead.
        WentBack: A human takes it back to an earlier step; the loop's own work on the present one is void.
    """
    note = state.loop.parked = _note(state, failure, why, where, attempts)
    state.move("parked")
    telling = asyncio.create_task(
        tell_operators(state, note)
    )  # beside the request, which does not wait for it
    try:
        asked = await _moved_on(state, desk, failure, note)
    finally:
        telling.cancel()  # mostly it is out by now; otherwise whoever decided knows
    redriven = {"redrives": note.redrives + 1, "redriven_at": state.now()}
    state.loop.parked = note.model_copy(update=redriven)
    if asked.from_step is not None:
        _go_back(state, asked.from_step)
        raise WentBack


async def _moved_on(state: RunState, desk: HumanDesk, failure: Failure, note: ParkedNote) -> Redrive:
    """How a human wants it to go on, once that can be. Raises Discarded."""
    why = note.why
    while True:
        decision = await desk.ask("parked", why, state.spec.approvers)
        if decision.answer == "discard":
            raise Discarded(failure, decision.by, decision.note)
        asked = Redrive.model_validate(decision.result or {})
        problem = _not_at_hand(state, asked.from_step)
        if problem is None and asked.agent is not None:
            problem = await _take_latest(state, decision.by)
        if problem is None:
            return asked
        why = f"{note.why}. It could not be redriven as {decision.by} asked: {problem}"


def rehearse(state: RunState, asked: Redrive) -> Rehearsal:
    """What the redrive would do again; nothing is done."""
    found = Rehearsal(run=state.run, steps=len(state.steps))
    problem = f"it is not parked but {state.status}" if state.status != "parked" else None
    problem = problem or redriving.problem(asked, len(state.steps)) or _not_at_hand(state, asked.from_step)
    if problem is not None:
        return found.model_copy(update={"problem": problem})
    writes = redriving.writes_since(state.run, list(state.steps), asked.from_step)
    listed = {"may_repeat": within_bytes(writes, MAX_LISTED_BYTES), "total_may_repeat": len(writes)}
    again = credentials.made_again(state.steps[-1:], asked.from_step)
    return found.model_copy(update={**listed, "made_again": again})


def _note(state: RunState, failure: Failure, why: str, where: str, attempts: int) -> ParkedNote:
    """What is kept; where the same cause stopped the run before, its attempts and redrives are counted on."""
    known = state.loop.parked
    cause = fingerprint(where, failure)
    before = known if known is not None and known.fingerprint == cause else None
    return ParkedNote(
        fingerprint=cause,
        failure=failure,
        where=where,
        why=shorten(why, MAX_WHY_CHARS),
        since=before.since if before else state.now(),
        last_attempt_at=state.now(),
        attempts=attempts + (before.attempts if before else 0),
        redrives=before.redrives if before else 0,
    )


async def _take_latest(state: RunState, by: str) -> str | None:
    """Live by the agent of that name as it is defined now; returns why that cannot be."""
    try:
        spec = await resolve(state.spec.name)
    except ApplicationError as error:
        return error.message
    old = state.digest
    state.adopt(spec)
    same = "as before" if spec.digest == old else f"was {old[:8]}"
    state.event("notice", f"redriven by {by} on agent version {state.digest[:8]} ({same})")
    return None


def _not_at_hand(state: RunState, number: int | None) -> str | None:
    """Why the run cannot be taken back to before step `number`; None when it can."""
    places = {step.number: step.position for step in state.steps if step.position is not None}
    near = [at for at, place in places.items() if place >= state.transcript.archived]
    if number is None or number in near:
        return None
    return f"of its steps {near[0]} to {near[-1]} are at hand" if near else "none of its steps is at hand"


def _go_back(state: RunState, number: int) -> None:
    """Plan again from step `number` on, and tell the planner what stands of what was done since."""
    position = next(step.position for step in state.steps if step.number == number)
    assert position is not None  # noqa: S101  # it is at hand
    writes = redriving.writes_since(state.run, list(state.steps), number)
    state.transcript.back_to(position)
    state.marks = [one for one in state.marks if one.messages <= position]  # the others' transcript is gone
    state.transcript.append(user_text(redriving.told(number, writes)))
    state.event("notice", f"taken back to before step {number}; {len(writes)} writes made since then stand")
    state.steps[-1].finished_at = state.steps[-1].finished_at or state.now()
    loop = state.loop
    loop.rung, loop.failed_at = 0, None
    loop.odd_answers, loop.max_tokens_factor = 0, 1
    loop.rejections_in_a_row = loop.finish_refused = 0
    loop.last_turn = loop.limit = ""
    loop.known_tokens = loop.made_room_at = 0
    loop.circles, loop.fresh_from = 0, len(state.ledger)
