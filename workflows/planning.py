"""Planning: ask the ladder for the next plan, until one rung answers or a human says what to do."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from holdfast.contracts import names
from holdfast.contracts.calls import Failure
from holdfast.contracts.messages import Message
from holdfast.contracts.plans import PlanInput, PlanOutcome
from policies import ladder, stops
from policies.labels import plan_summary, planner_name
from workflows.failure_reading import read_failure
from workflows.human_desk import HumanDesk
from workflows.options import as_kwargs, plan_options
from workflows.run_state import RunState


class Discarded(Exception):  # not an error: a human ended the run
    """A human discarded the parked run."""

    def __init__(self, failure: Failure, by: str, note: str) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.by = by
        self.note = note


class Planning:
    """Asks planners, best rung first, and keeps their answers in the transcript."""

    def __init__(self, state: RunState, desk: HumanDesk) -> None:
        self._state = state
        self._desk = desk
        self._rung = 0
        self._failed_at: int | None = None
        self._odd_answers = 0
        self._factor = 1

    async def next_plan(self, step: int, *, last_turn: bool) -> tuple[PlanOutcome, int]:
        """The next plan and the rung that made it. Its content is part of the transcript when this returns.

        Raises Discarded when no rung answers and a human ends the run.
        """
        self._rung = ladder.rung_to_try(self._rung, self._failed_at, step)
        while True:
            try:
                plan = await self._ask(step, last_turn=last_turn)
            except ActivityError as error:
                failure = read_failure(error).failure
            else:
                failure_or_none = self._unusable(plan)
                if failure_or_none is None:
                    return plan, self._rung
                failure = failure_or_none
            await self._fall(step, failure)

    def odd_answer(self, *, cut_off: bool) -> Failure | None:
        """Note an answer that moved nothing. After too many in a row the rung has failed."""
        self._odd_answers += 1
        if cut_off:
            self._factor = min(self._factor * 2, stops.MAX_TOKENS_FACTOR)
        if self._odd_answers < stops.MAX_ODD_ANSWERS:
            return None
        return Failure(kind="fatal", message=f"{self._odd_answers} answers in a row moved nothing")

    def sound_answer(self) -> None:
        """Note an answer that could be used."""
        self._odd_answers, self._factor = 0, 1

    async def rung_failed(self, step: int, failure: Failure) -> None:
        """Go on to the next rung, for reasons that only the loop can see."""
        self._odd_answers, self._factor = 0, 1
        await self._fall(step, failure)

    async def _ask(self, step: int, *, last_turn: bool) -> PlanOutcome:
        state, transcript = self._state, self._state.transcript
        rung = state.spec.ladder[self._rung]
        state.move("planning")
        plan: PlanOutcome = await workflow.execute_activity(
            names.PLAN,
            PlanInput(
                run=state.run,
                agent=state.spec.name,
                digest=state.digest,
                step=step,
                rung=self._rung,
                position=transcript.position,
                before=transcript.before,
                new=transcript.new(),
                after=transcript.after,
                last_turn=last_turn,
                max_tokens_factor=self._factor,
            ),
            result_type=PlanOutcome,
            **as_kwargs(plan_options(rung, plan_summary(step, rung, state.context_tokens))),
        )
        state.spent(plan.usage)
        return plan

    def _unusable(self, plan: PlanOutcome) -> Failure | None:
        """Keep the plan, unless the planner declined to answer."""
        if stops.after(plan.stop_reason, has_calls=False) == "next_rung":
            return Failure(
                kind="limit", message=f"{plan.planner} stopped: {plan.stop_reason}", error=plan.stop_reason
            )
        self._state.transcript.append(Message(role="assistant", content=plan.content))
        self._state.transcript.planned()
        return None

    async def _fall(self, step: int, failure: Failure) -> None:
        """One rung down; from the last one, to a human."""
        state = self._state
        name = planner_name(state.spec.ladder[self._rung])
        state.event("notice", f"{name} failed ({failure.kind}): {failure.message}", failure.model_dump())
        below = ladder.next_rung(state.spec, self._rung)
        if below is not None:
            self._rung, self._failed_at = below, step
            return
        state.move("parked")
        why = f"no planner is left; {name} failed ({failure.kind} {failure.error}): {failure.message}"
        decision = await self._desk.ask("parked", why, state.spec.approvers)
        if decision.answer == "discard":
            raise Discarded(failure, decision.by, decision.note)
        self._rung, self._failed_at = 0, None
