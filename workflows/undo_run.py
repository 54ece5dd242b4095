"""`UndoRun`: takes back what a run did, last call first, each undo retried and recorded.

A workflow of its own, so that a run which ended long ago can be undone, and so that a crash in the middle of
an undo loses nothing. Its id derives from the run's, so that asking twice undoes once.
"""

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

from holdfast.contracts import names
from holdfast.contracts.undo import DoneCall, EffectsRequest, UndoInput, UndoneCall, UndoOutcome
from policies.labels import call_summary
from workflows.any_payloads import NOTHING, any_payloads_async
from workflows.failure_reading import read_failure
from workflows.input_reading import read_input
from workflows.options import as_kwargs, guard_options, undo_options

STARTED_WITH = 'An undo starts with a JSON object such as {"run": "…", "by": "you"}'


@workflow.defn(name=names.UNDO_RUN)
class UndoRun:
    """Undoes the effects of one run. Input: `UndoInput` as JSON. Result: `UndoOutcome`."""

    @workflow.run
    @any_payloads_async
    async def run(self, given: RawValue = NOTHING) -> UndoOutcome:
        """Undo every chosen call that can be undone; what cannot be is listed."""
        asked = read_input(given, UndoInput, start=STARTED_WITH)
        undone = [await self._undo(call) for call in reversed(await self._done_calls(asked))]
        return UndoOutcome(run=asked.run, by=asked.by, note=asked.note, calls=undone)

    async def _done_calls(self, asked: UndoInput) -> list[DoneCall]:
        done: list[DoneCall] = []
        while page := await self._page(asked.run, len(done)):
            done += page
        if asked.calls is None:
            return done
        known = {one.input.call for one in done}
        if unknown := sorted(set(asked.calls) - known):
            raise ApplicationError(
                f"Run {asked.run} has no effect of call {', '.join(unknown)}; "
                f"it has those of {', '.join(sorted(known)) or 'none'}.",
                type="UnknownCall",
                non_retryable=True,
            )
        return [one for one in done if one.input.call in asked.calls]

    async def _page(self, run: str, after: int) -> list[DoneCall]:
        """The run's effects from number `after` on, empty at their end. One answer does not hold them all."""
        try:
            page: list[DoneCall] = await workflow.execute_activity(
                names.LIST_EFFECTS,
                EffectsRequest(run=run, after=after),
                result_type=list[DoneCall],
                **as_kwargs(guard_options(f"effects of {run}"[:180])),
            )
        except ActivityError as error:
            message = read_failure(error).failure.message
            raise ApplicationError(message, type="EffectsUnknown", non_retryable=True) from error
        return page

    async def _undo(self, done: DoneCall) -> UndoneCall:
        call, tool = done.input.call, done.tool.name
        if not done.tool.has_undo:
            return UndoneCall(call=call, tool=tool, outcome="irreversible")
        summary = call_summary(f"undo {tool}", done.input.arguments)
        try:
            await workflow.execute_activity(
                tool + names.UNDO_SUFFIX,
                done.input,
                result_type=RawValue,
                **as_kwargs(undo_options(done.tool, summary)),
            )
        except ActivityError as error:
            failure = read_failure(error).failure
            return UndoneCall(call=call, tool=tool, outcome="failed", failure=failure)
        return UndoneCall(call=call, tool=tool, outcome="undone")
