"""What a run's queries are answered with: its record as people inspect it, in pages that the server takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.contracts.forks import Fork, ForkInput
from holdfast.contracts.pages import within_bytes
from holdfast.contracts.requests import Request
from holdfast.contracts.run import EventsRequest, InspectRequest, RunEvent, RunView, StepRecord
from holdfast.contracts.undo import DoneCall
from policies.json_safety import brief, clip, shorten

if TYPE_CHECKING:
    from workflows.run_state import RunState

MAX_ANSWER_BYTES = 1_000_000
"""A query's answer stays below the server's limits of 2 MB for a payload and 4 MB for a message."""

MAX_LISTED_BYTES = 200_000
"""What a list beside the steps may take of an answer. The outcome must fit too: a result beyond 2 MB never ends."""

MAX_LISTED_ARGUMENTS = 1_000
"""Characters of an effect's arguments where it is listed; its call holds them whole."""


def view(state: RunState) -> RunView:
    """The run as people inspect it. Not validated again: it is made at every turn, and holds every step."""
    return RunView.model_construct(
        run=state.run,
        agent=state.spec.name,
        digest=state.digest,
        task=shorten(state.given.task, 2000),
        user=state.given.user,
        dry_run=state.dry_run,
        status=state.status,
        started_at=state.started_at,
        finished_at=state.finished_at,
        steps=state.steps.held,
        total_steps=len(state.steps),
        requests=list(state.requests.values()),
        decisions=state.decisions,
        ignored=state.ignored,
        messages=[one.model_copy(update={"text": brief(one.text, 2000)}) for one in state.loop.messages],
        paused=state.loop.paused,
        effects=state.effects,
        artifacts=state.artifacts,
        compactions=state.compactions,
        raises=state.loop.raises,
        usage=state.usage,
        failures=state.loop.failures,
        failure_counts=state.loop.failure_counts,
        outcome=state.outcome,
        parked=state.parked_now,
        fork=as_fork(state.given.fork),
        rewind=state.loop.rewind,
    )


def page_of_events(state: RunState, asked: EventsRequest) -> list[RunEvent]:
    """Events from number `after` on, as many as an answer can hold, at least one."""
    start = max(asked.after, state.events.start)  # what is archived, the asker finds there
    return within_bytes(state.events[start : start + asked.limit], MAX_ANSWER_BYTES)


def page_of_done_calls(state: RunState, after: int) -> list[DoneCall]:
    """The writing calls made from number `after` on, as many as an answer can hold, at least one."""
    return within_bytes(state.done_calls[after:], MAX_ANSWER_BYTES)


def page_of_view(state: RunState, asked: InspectRequest) -> RunView:
    """The view with the steps from number `from_step` on, as many as an answer can hold."""
    whole = view(state)
    steps = within_bytes(state.steps[asked.from_step - 1 :], MAX_ANSWER_BYTES)
    if len(steps) == 1:  # however large one step is
        steps = [_clipped(steps[0])]
    lists = {
        "requests": open_requests(state, MAX_LISTED_BYTES),
        "decisions": within_bytes(state.decisions, MAX_LISTED_BYTES),
        "effects": within_bytes(state.effects, MAX_LISTED_BYTES),
        "messages": within_bytes(whole.messages, MAX_LISTED_BYTES),
        "artifacts": within_bytes(state.artifacts, MAX_LISTED_BYTES),
        "compactions": within_bytes(state.compactions, MAX_LISTED_BYTES),
    }
    return whole.model_copy(update={"steps": steps, **lists})


def open_requests(state: RunState, max_bytes: int = MAX_ANSWER_BYTES) -> list[Request]:
    """The oldest open requests, as many as an answer can hold: when they are decided the others follow."""
    return within_bytes(list(state.requests.values()), max_bytes)


def as_fork(given: ForkInput | None) -> Fork | None:
    """Where a run was forked from, without what only its beginning needs."""
    return given and Fork(run=given.run, at=given.at, by=given.by, writes=given.writes, changed=given.changed)


def _clipped(step: StepRecord) -> StepRecord:
    """The step, with less of its calls' arguments where it would not fit into an answer."""
    if len(step.model_dump_json().encode()) <= MAX_ANSWER_BYTES:
        return step
    calls = [
        call.model_copy(update={"arguments": clip(call.arguments, MAX_LISTED_ARGUMENTS)})
        for call in step.calls
    ]
    return step.model_copy(update={"calls": calls})
