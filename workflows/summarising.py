"""Compaction: before a plan whose prompt would not fit, the oldest messages are replaced by a summary.

Only what planners see changes; the transcript stays whole. It can never stop a run: where no model summarises, the
messages without the bodies of results do, and where no worker can put those together, the run's own record.
"""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from holdfast.contracts import names
from holdfast.contracts.calls import Failure
from holdfast.contracts.spec import ModelRung
from holdfast.contracts.summaries import CompactInput, CompactionRecord, CompactOutcome
from policies import context
from policies.labels import compact_summary
from workflows.budget_wait import may_cost
from workflows.failure_reading import read_failure
from workflows.limit_watch import left_usd
from workflows.options import as_kwargs, plan_options
from workflows.run_state import RunState


class Compaction:
    """Keeps what planners are shown within their window."""

    def __init__(self, state: RunState) -> None:
        self._state = state

    async def watch(self, step: int) -> None:
        """Compact, if the rung that is asked next would be given too much."""
        state = self._state
        rung = state.spec.ladder[state.loop.rung]
        if rung.kind == "model" and context.is_full(state.spec, rung, self._tokens()):
            await self._compact(step, rung, forced=False)

    async def make_room(self, step: int, failure: Failure) -> bool:
        """Compact after a plan that failed for the length of its prompt, once a step; whether to ask again."""
        state = self._state
        rung = state.spec.ladder[state.loop.rung]
        if rung.kind != "model" or not context.overflowed(failure) or state.loop.made_room_at == step:
            return False
        state.loop.made_room_at = step
        return await self._compact(step, rung, forced=True)

    def _tokens(self) -> int:
        transcript = self._state.transcript
        shown = transcript.shown()
        planned = max(0, transcript.position - shown.base)
        return context.tokens(self._state.loop.known_tokens, planned, shown.sizes)

    async def _compact(self, step: int, rung: ModelRung, *, forced: bool) -> bool:
        state, transcript = self._state, self._state.transcript
        shown = transcript.shown()
        at = context.kept_from(shown.roles, shown.sizes, state.spec, rung, forced=forced)
        if at is None:
            return False
        stop, total, count = shown.base + at, len(transcript.messages), self._tokens()
        outcome = await self._summary(step, stop, count)
        text = context.opening(outcome.summary, stop - 1, state.effects, state.artifacts)
        transcript.compact(text, stop)
        state.usage += outcome.usage
        state.loop.known_tokens = 0
        record = CompactionRecord(
            step=step,
            at=state.now(),
            messages=stop - 1,
            kept=total - stop,
            tokens=count,
            by=outcome.by,
            chars=len(text),
            usage=outcome.usage,
        )
        state.compactions.append(record)
        why = "the prompt was too long" if forced else f"{count:,} tokens"
        said = f"compacted ({why}): {record.messages} messages became a summary by {outcome.by}, {record.kept} are kept"
        state.event("notice", said, record.model_dump(mode="json"))
        return True

    async def _summary(self, step: int, stop: int, count: int) -> CompactOutcome:
        state = self._state
        asked = context.summariser(state.spec)
        assert asked is not None  # noqa: S101  # a model's window is why we are here
        try:
            outcome: CompactOutcome = await workflow.execute_activity(
                names.COMPACT,
                CompactInput(
                    run=state.run,
                    agent=state.spec.name,
                    digest=state.digest,
                    step=step,
                    rung=state.loop.rung,
                    stop=stop,
                    summariser=asked,
                    user=state.given.user,
                    may_cost_usd=may_cost(state),
                    left_usd=left_usd(state),
                    **state.transcript.asked(whole=False),
                ),
                result_type=CompactOutcome,
                **as_kwargs(plan_options(asked, compact_summary(step, asked.model, count))),
            )
        except ActivityError as error:
            failure = read_failure(error).failure
            summary = context.from_record(state.ledger, failure.message)
            outcome = CompactOutcome(summary=summary, by=context.BY_RECORD, failure=failure)
        if outcome.failure is not None:
            failed = outcome.failure
            state.event("notice", f"no summary by {asked.model} ({failed.kind}): {failed.message}")
        return outcome
