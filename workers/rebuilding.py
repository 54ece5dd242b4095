"""A run rebuilt here from its history, for whoever gets no answer from a worker: the CLI, and clients by this module's name.

What a long run has laid aside is read from the artifact store that `HOLDFAST_ARTIFACTS` names here.
"""

from __future__ import annotations

import contextlib

from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowHistory

from holdfast import archive
from holdfast.artifacts import artifact_store
from holdfast.contracts.messages import Message
from holdfast.contracts.run import RunView, StepRecord
from holdfast.errors import HoldfastError
from workers.replay import offline_view, state_at


async def rebuilt_view(temporal: TemporalClient, run: str) -> RunView:
    """`view_of` the run's last execution."""
    return await view_of(await temporal.get_workflow_handle(run).fetch_history())


async def rebuilt_transcript(temporal: TemporalClient, run: str) -> list[Message]:
    """`transcript_of` the run's last execution."""
    return await transcript_of(await temporal.get_workflow_handle(run).fetch_history())


async def view_of(history: WorkflowHistory) -> RunView:
    """The run as people inspect it, at the end of its history. Its first steps are missing where the store lacks them.

    Raises UsageError: it has not begun yet, or does not replay with this version of Holdfast.
    """
    found = await offline_view(history)
    first = found.steps[0].number - 1 if found.steps else 0
    if first == 0:
        return found
    parts = (await state_at(history, history.events[-1].event_id)).archive
    with contextlib.suppress(HoldfastError):
        older = await archive.read_items(artifact_store(), parts, StepRecord, "steps", start=0, stop=first)
        return found.model_copy(update={"steps": [*older, *found.steps]})
    return found


async def transcript_of(history: WorkflowHistory) -> list[Message]:
    """Everything that was said in it. Raises as `view_of`, and ArtifactNotFound, ArtifactStoreFailed."""
    state = await state_at(history, history.events[-1].event_id)
    text = state.transcript
    older = await archive.read_items(
        artifact_store(), state.archive, Message, "messages", start=0, stop=text.archived
    )
    return [*older, *text.messages[len(older) :]]
