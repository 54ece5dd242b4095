"""Going on in a new execution, so that a run has no end that its history would set.

`policies/continuation.py` says when: before its replay takes long, and when the server suggests it. Between two steps the run then lays its past aside in the artifact store, and hands the rest to the next execution.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from holdfast.contracts import names, user_metadata
from holdfast.contracts.archive import ArchiveOutcome, ArchiveRequest, PartKind, Range
from holdfast.contracts.carrying import pack, unpack
from holdfast.contracts.run import RunInput
from policies import continuation
from workflows.checkpointing import dump, load, trim
from workflows.failure_reading import read_failure
from workflows.forking import start_of_fork
from workflows.human_desk import HumanDesk
from workflows.options import ActivityOptions, as_kwargs
from workflows.run_state import RunState

TRY_AGAIN_AFTER = 25
"""Steps until a run that could not lay its past aside tries again; meanwhile it goes on as it is."""

MAX_CARRIED_CHARS = 900_000
"""The server takes no input of 2 MB, and the task alone may have one."""

ARCHIVING = ActivityOptions(
    start_to_close_timeout=timedelta(minutes=2),
    heartbeat_timeout=timedelta(seconds=10),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1), maximum_interval=timedelta(seconds=10), maximum_attempts=5
    ),
)


def resumed(given: RunInput) -> RunState | None:
    """The state that an execution goes on from; None for the first one.

    Raises ApplicationError of type InvalidRunInput for what is no checkpoint.
    """
    if given.checkpoint is None:
        return None
    try:
        checkpoint = unpack(given.checkpoint.data)
    except ValueError as error:
        why = f"The checkpoint in the input cannot be read: {error}"
        raise ApplicationError(why, type="InvalidRunInput", non_retryable=True) from None
    if given.fork is not None and not checkpoint.loop.forked:
        checkpoint = start_of_fork(checkpoint)
    return load(given, checkpoint)


async def go_on_if_due(state: RunState, desk: HumanDesk) -> None:
    """End this execution and begin the next, if it is time and nothing is open. Called between steps."""
    info = workflow.info()
    due = continuation.is_due(
        suggested=info.is_continue_as_new_suggested(),
        events=info.get_current_history_length(),
        steps=len(state.steps),
        not_before=state.loop.archive_after,
    )
    if not due or state.requests:
        return
    if not await _archived(state):
        return
    await workflow.wait_condition(lambda: workflow.all_handlers_finished() and desk.idle)
    state.execution += 1
    state.event("notice", f"goes on in execution {state.execution}; what went before is archived")
    checkpoint = dump(state)
    checkpoint.transcript.views = checkpoint.transcript.views[
        -1:
    ]  # nobody goes back behind a new execution in it
    carried = pack(checkpoint)
    if len(carried.data) > MAX_CARRIED_CHARS:
        state.execution -= 1
        _later(
            state, f"{len(carried.data):,} characters would have to be carried over, too many for one input"
        )
        return
    workflow.continue_as_new(
        state.given.model_copy(update={"checkpoint": carried}),
        memo={**workflow.memo(), user_metadata.OPENED_AT_MEMO: state.opened_at},
        # Pinned to its build as every run is, but where a newer build is current the next execution may have it.
        initial_versioning_behavior=workflow.ContinueAsNewVersioningBehavior.AUTO_UPGRADE
        if info.is_target_worker_deployment_version_changed()
        else None,
    )


async def _archived(state: RunState) -> bool:
    """Lay the past aside; False if the store does not take it now."""
    archived: dict[PartKind, int] = {part.kind: part.stop for part in state.archive}
    ends: dict[PartKind, int] = {
        "messages": len(state.transcript.messages),
        "steps": len(state.steps),
        "events": len(state.events),
        "done_calls": len(state.done_calls),
    }
    starts = {kind: archived.get(kind, 0) for kind in ends}
    ranges = [
        Range(kind=kind, start=starts[kind], stop=stop) for kind, stop in ends.items() if stop > starts[kind]
    ]
    try:
        done: ArchiveOutcome = await workflow.execute_activity(
            names.ARCHIVE,
            ArchiveRequest(run=state.run, ranges=ranges),
            result_type=ArchiveOutcome,
            summary=user_metadata.summary(f"archive up to step {len(state.steps)}"),
            **as_kwargs(ARCHIVING),
        )
    except ActivityError as error:
        _later(state, read_failure(error).failure.message)
        return False
    trim(state, done.parts)
    return True


def _later(state: RunState, why: str) -> None:
    state.loop.archive_after = len(state.steps) + TRY_AGAIN_AFTER
    state.event("notice", f"stays in execution {state.execution} for now: {why}")
