"""Taking one call back, and a whole run's calls where its agent says so: shared by `UndoRun` and `AgentRun`."""

from asyncio import CancelledError

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

from holdfast.contracts import names
from holdfast.contracts.undo import DoneCall, EffectsRequest, UndoneCall
from policies import undoing
from policies.json_safety import shorten
from policies.labels import call_summary
from workflows.failure_reading import read_failure
from workflows.human_desk import HumanDesk
from workflows.options import as_kwargs, guard_options, undo_options
from workflows.run_state import RunState


async def take_back(done: DoneCall) -> UndoneCall:
    """Run the call's undo, tried again as its tool says; what came of it."""
    tool = done.tool.name
    found = UndoneCall(
        call=done.input.call, tool=tool, outcome="undone", rewound=done.rewound, forgotten=done.forgotten
    )
    if done.undone:
        return found
    if not done.tool.has_undo:
        return found.model_copy(update={"outcome": "irreversible"})
    try:
        await workflow.execute_activity(
            tool + names.UNDO_SUFFIX,
            done.input,
            result_type=RawValue,
            **as_kwargs(undo_options(done.tool, call_summary(f"undo {tool}", done.input.arguments))),
        )
    except ActivityError as error:
        return found.model_copy(update={"outcome": "failed", "failure": read_failure(error).failure})
    return found


async def done_calls_of(run: str) -> list[DoneCall]:
    """The writing calls that a run has made, oldest first, asked for in pages: one answer does not hold them all.

    Raises ApplicationError of type EffectsUnknown when no worker can tell.
    """
    done: list[DoneCall] = []
    while True:
        try:
            page: list[DoneCall] = await workflow.execute_activity(
                names.LIST_EFFECTS,
                EffectsRequest(run=run, after=len(done)),
                result_type=list[DoneCall],
                **as_kwargs(guard_options(f"effects of {run}"[:180])),
            )
        except ActivityError as error:
            message = read_failure(error).failure.message
            raise ApplicationError(message, type="EffectsUnknown", non_retryable=True) from error
        if not page:
            return done
        done += page


async def roll_back(state: RunState, desk: HumanDesk) -> None:
    """Take back what a failed run did, last call first, and only then let it end.

    Where an undo fails, a human is asked: `retry` tries those again that failed, `leave` lets them stand. What
    was taken back and what was not is part of the outcome, also when the run is cancelled meanwhile.
    """
    state.move("acting")
    results: dict[tuple[str, str], UndoneCall] = {}
    try:
        archived = state.done_calls.start > 0
        made = await done_calls_of(state.run) if archived else state.done_calls.held
        pending = undoing.to_take_back(made, None, None)
        while pending:
            for done in pending:
                results[done.input.call, done.rewound] = found = await take_back(done)
                state.undone(found)
            left = {(one.call, one.rewound) for one in undoing.failed(results.values())}
            pending = [done for done in pending if (done.input.call, done.rewound) in left]
            if pending and not await _try_again(state, desk, list(results.values())):
                break
    except CancelledError:
        state.close(rolled_back=list(results.values()), reason="its rollback was cancelled")
        raise
    state.close(rolled_back=list(results.values()), reason=undoing.in_words(list(results.values())))


async def _try_again(state: RunState, desk: HumanDesk, results: list[UndoneCall]) -> bool:
    state.move("parked")
    left = "; ".join(f"{one.call} {one.tool}: {undoing.why_not(one)}" for one in undoing.failed(results))
    why = f"the run failed, and these effects could not be taken back: {shorten(left, 1500)}"
    decision = await desk.ask("rollback", why, state.spec.approvers)
    state.move("acting")
    return decision.answer == "retry"
