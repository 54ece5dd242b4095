"""A run's state as data, and back: what the next execution begins with, and what a fork starts from."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel

from holdfast.contracts.archive import ArchivedPart
from holdfast.contracts.calls import CallRecord
from holdfast.contracts.pages import last_within_bytes, within_bytes
from holdfast.contracts.run import RunInput
from holdfast.contracts.state import RunCheckpoint
from policies.json_safety import clip, shorten
from workflows.answering import MAX_LISTED_BYTES
from workflows.log import Log
from workflows.run_state import RunState
from workflows.transcript import Transcript

STEPS_KEPT = 20
"""Steps that stay at hand when older ones are archived: what watches for loops looks at the last ones."""

MAX_KEPT_BYTES = 200_000
"""What one list may take of what is carried over."""

RecordT = TypeVar("RecordT", bound=BaseModel)


def dump(state: RunState) -> RunCheckpoint:
    """Everything that a run is. Taken between steps; nothing of it is copied."""
    listed = {call.id for step in state.steps for call in step.calls}
    return RunCheckpoint(
        execution=state.execution,
        spec=state.spec,
        dry_run=state.dry_run,
        opened_at=state.opened_at,
        started_at=state.started_at,
        status=state.status,
        loop=state.loop,
        transcript=state.transcript.dump(),
        steps=state.steps.held,
        total_steps=len(state.steps),
        keyed_calls=[call for call in state.ledger if call.id not in listed],
        total_calls=len(state.ledger),
        requests=list(state.requests.values()),
        decisions=state.decisions,
        ignored=state.ignored,
        artifacts=state.artifacts,
        compactions=state.compactions,
        effects=state.effects,
        total_effects=state.total_effects,
        done_calls=state.done_calls.held,
        total_done_calls=len(state.done_calls),
        events=state.events.held,
        total_events=len(state.events),
        usage=state.usage,
        context_tokens=state.context_tokens,
        finished_at=state.finished_at,
        outcome=state.outcome,
        archive=state.archive,
    )


def load(given: RunInput, checkpoint: RunCheckpoint) -> RunState:
    """The state that was dumped, in an execution that begins with it."""
    state = RunState(given, checkpoint.spec)
    state.execution = checkpoint.execution
    state.dry_run = checkpoint.dry_run
    state.opened_at = checkpoint.opened_at
    state.started_at = checkpoint.started_at
    state.status = checkpoint.status
    state.loop = checkpoint.loop
    state.transcript = Transcript.load(checkpoint.transcript, given.task)
    state.steps = Log(checkpoint.steps, checkpoint.total_steps)
    calls = [*checkpoint.keyed_calls, *(call for step in checkpoint.steps for call in step.calls)]
    state.ledger = Log(calls, checkpoint.total_calls)
    state.requests = {request.id: request for request in checkpoint.requests}
    state.decisions = checkpoint.decisions
    state.ignored = checkpoint.ignored
    state.artifacts = checkpoint.artifacts
    state.compactions = checkpoint.compactions
    state.effects = checkpoint.effects
    state.total_effects = checkpoint.total_effects
    state.done_calls = Log(checkpoint.done_calls, checkpoint.total_done_calls)
    state.events = Log(checkpoint.events, checkpoint.total_events)
    state.usage = checkpoint.usage
    state.context_tokens = checkpoint.context_tokens
    state.finished_at = checkpoint.finished_at
    state.outcome = checkpoint.outcome
    state.archive = checkpoint.archive
    return state


def trim(state: RunState, parts: Sequence[ArchivedPart]) -> None:
    """Hold only what the loop still looks at, now that these parts are archived."""
    state.archive.extend(parts)
    stops = {part.kind: part.stop for part in parts}
    state.transcript.archive(stops.get("messages", state.transcript.archived))
    state.events.drop(stops.get("events", 0))
    state.done_calls.drop(stops.get("done_calls", 0))
    if "steps" in stops:
        first = max(0, min(stops["steps"], len(state.steps)) - STEPS_KEPT)
        kept = last_within_bytes(state.steps[first:], MAX_KEPT_BYTES)
        state.steps.drop(len(state.steps) - len(kept))
        _trim_ledger(state)
    attached = [one for one in state.artifacts if one.call is None]
    results = [one for one in state.artifacts if one.call is not None]
    state.artifacts = [*attached, *last_within_bytes(results, MAX_KEPT_BYTES)]
    state.compactions = last_within_bytes(state.compactions, MAX_KEPT_BYTES)
    state.effects = within_bytes(state.effects, MAX_LISTED_BYTES)
    state.decisions = last_within_bytes(state.decisions, MAX_KEPT_BYTES)


def _trim_ledger(state: RunState) -> None:
    """Of calls whose steps are archived, keep those whose key may come again, and of these what that needs."""
    total = len(state.ledger)
    listed = {call.id for step in state.steps for call in step.calls}
    kept = [
        call if call.id in listed else _key_only(call)
        for call in state.ledger
        if call.id in listed or (call.idempotency_key and call.idempotency_key != f"{state.run}/{call.id}")
    ]
    state.ledger = Log(kept, total)


def _key_only(call: CallRecord) -> CallRecord:
    less = {"arguments": clip(call.arguments, 200), "preview": shorten(call.preview, 200), "why": ""}
    return call.model_copy(update=less)
