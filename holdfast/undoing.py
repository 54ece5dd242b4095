"""Asking for an undo: one workflow of its own for each run, which never undoes a call twice."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from holdfast.contracts import names, user_metadata
from holdfast.contracts.undo import UndoInput, UndoOutcome
from holdfast.errors import UsageError


async def undo(
    temporal: TemporalClient, asked: UndoInput, *, task_queue: str, ended_at: datetime | None = None
) -> UndoOutcome:
    """Take back what was asked, unless it has been since the run ended, and wait until that is done. Raises UsageError."""
    name = f"{asked.run}/undo"
    while True:
        before = await _before(temporal, name)
        if before is not None and _answers(before, asked) and await _is_since(temporal, name, ended_at):
            return before
        earlier = [] if before is None else [*before.calls, *before.earlier]
        given = asked.model_copy(update={"earlier": [one for one in earlier if one.outcome == "undone"]})
        try:
            handle = await temporal.start_workflow(
                names.UNDO_RUN,
                given,
                id=name,
                task_queue=task_queue,
                static_summary=user_metadata.summary(f"undo {asked.run}, by {asked.by}"),
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            )
        except WorkflowAlreadyStartedError:  # somebody asks at the same time: theirs first
            continue
        try:
            return UndoOutcome.model_validate(await handle.result())
        except WorkflowFailureError as error:
            cause = error.cause
            raise UsageError(cause.message if isinstance(cause, ApplicationError) else str(cause)) from None


def _answers(before: UndoOutcome, asked: UndoInput) -> bool:
    """Whether an earlier undo did just this, and nothing of it failed."""
    same = (before.asked, before.to_step, before.forgotten) == (asked.calls, asked.to_step, asked.forgotten)
    return same and bool(before.calls) and all(call.outcome != "failed" for call in before.calls)


async def _is_since(temporal: TemporalClient, name: str, ended_at: datetime | None) -> bool:
    """Whether that undo began after the run had ended: a run that was rewound may have done more since."""
    return ended_at is None or (await temporal.get_workflow_handle(name).describe()).start_time >= ended_at


async def taken_back(temporal: TemporalClient, run: str) -> set[tuple[str, str]]:
    """The calls (id and `rewound`) that undos of this run have taken back; one under way is waited for."""
    before = await _before(temporal, f"{run}/undo")
    calls = [] if before is None else [*before.calls, *before.earlier]
    return {(one.call, one.rewound) for one in calls if one.outcome == "undone"}


async def _before(temporal: TemporalClient, name: str) -> UndoOutcome | None:
    """What came of the last undo of this run, once it is over; None: there was none."""
    handle = temporal.get_workflow_handle(name)
    try:
        return UndoOutcome.model_validate(await handle.result())
    except WorkflowFailureError:  # it was refused, or ended from outside: what went before it still counts
        given = await _input(temporal, handle)
        return UndoOutcome(run=given.run, by=given.by, note=given.note, calls=[], earlier=given.earlier)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise


async def _input(temporal: TemporalClient, handle: WorkflowHandle[Any, Any]) -> UndoInput:
    async for event in handle.fetch_history_events(page_size=1):
        payloads = event.workflow_execution_started_event_attributes.input.payloads
        found = await temporal.data_converter.decode(payloads, [dict])
        return UndoInput.model_validate(found[0])
    raise UsageError(f"{handle.id} has no history.")
