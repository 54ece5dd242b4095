"""`UndoRun`: takes back what a run did, last call first, each undo retried and recorded.

A workflow of its own, so that a run which ended long ago can be undone, and so that a crash in the middle of
an undo loses nothing. Its id derives from the run's; what an earlier undo has taken back is not done again.
"""

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from holdfast.contracts import names
from holdfast.contracts.undo import DoneCall, UndoInput, UndoneCall, UndoOutcome
from policies import engine_details, undoing
from workflows.any_payloads import NOTHING, any_payloads_async
from workflows.input_reading import read_input
from workflows.undoing import done_calls_of, take_back

STARTED_WITH = 'An undo starts with a JSON object such as {"run": "…", "by": "you"}'


@workflow.defn(name=names.UNDO_RUN)
class UndoRun:
    """Undoes the effects of one run. Input: `UndoInput` as JSON. Result: `UndoOutcome`."""

    @workflow.run
    @any_payloads_async
    async def run(self, given: RawValue = NOTHING) -> UndoOutcome:
        """Undo every chosen call that can be undone; what cannot be is listed."""
        asked = read_input(given, UndoInput, start=STARTED_WITH)
        before = {(one.call, one.rewound): one for one in asked.earlier if one.outcome == "undone"}
        undone: list[UndoneCall] = []
        for done in undoing.to_take_back(
            await _known(asked), asked.calls, asked.to_step, forgotten=asked.forgotten
        ):
            found = before.pop((done.input.call, done.rewound), None)
            undone.append(await take_back(done) if found is None else found)
            workflow.set_current_details(engine_details.of_undo(asked.run, undone))
        return UndoOutcome(
            run=asked.run,
            by=asked.by,
            note=asked.note,
            calls=undone,
            asked=asked.calls,
            to_step=asked.to_step,
            forgotten=asked.forgotten,
            earlier=list(before.values()),
        )


async def _known(asked: UndoInput) -> list[DoneCall]:
    """All that the run did. Raises ApplicationError where it did not make a call that is named."""
    done = await done_calls_of(asked.run)
    known = {one.input.call for one in done}
    if unknown := sorted(set(asked.calls or ()) - known):
        raise ApplicationError(
            f"Run {asked.run} has no effect of call {', '.join(unknown)}; "
            f"it has those of {', '.join(sorted(known)) or 'none'}.",
            type="UnknownCall",
            non_retryable=True,
        )
    return done
