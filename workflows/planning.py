"""Planning: ask the ladder for the next plan, until one rung answers or a human says what to do."""

from decimal import Decimal

from temporalio import workflow
from temporalio.exceptions import ActivityError

from holdfast.contracts import names
from holdfast.contracts.accounts import OVER_LIMIT, Shortage
from holdfast.contracts.calls import Failure
from holdfast.contracts.messages import Message
from holdfast.contracts.plans import PlanInput, PlanOutcome
from holdfast.contracts.spec import HumanRung
from policies import ladder, stops
from policies.failures import NOTHING_MOVED
from policies.json_safety import shorten
from policies.labels import plan_summary, planner_name
from workflows.alerting import tell_of_failure
from workflows.budget_wait import HandedBack, asked_first, may_cost, read_shortage, wait_for_room
from workflows.failure_counting import planner_failed
from workflows.failure_reading import ReadFailure, read_failure, read_lost, read_needs
from workflows.human_desk import HumanDesk
from workflows.limit_watch import OutOfMoney, left_usd
from workflows.options import as_kwargs, plan_options
from workflows.parking import park
from workflows.redeciding import given_plan
from workflows.run_state import RunState
from workflows.steering import before_plan
from workflows.summarising import Compaction
from workflows.takeover import NobodyAnswered, PassedOn, take_over


class Planning:
    """Asks planners, best rung first, and keeps their answers in the transcript."""

    def __init__(self, state: RunState, desk: HumanDesk) -> None:
        self._state = state
        self._desk = desk
        self._loop = state.loop
        self._compaction = Compaction(state)

    async def next_plan(self, step: int, *, last_turn: bool) -> tuple[PlanOutcome, int]:
        """The next plan and the rung that made it. Its content is part of the transcript when this returns.

        Raises Discarded when no rung answers and a human ends the run, WentBack when one takes it back.
        """
        human = ladder.is_human(self._state.spec, self._loop.rung)
        self._loop.rung = ladder.rung_to_try(self._loop.rung, self._loop.failed_at, step, human=human)
        while True:
            try:
                plan = await self._ask(step, last_turn=last_turn)
            except PassedOn as passed:
                failed = ReadFailure(passed.failure)
                if self._loop.rung > 0:
                    self._state.event("notice", passed.failure.message)
                    self._loop.rung, self._loop.failed_at = 0, None
                    continue
            except NobodyAnswered as silence:
                failed = ReadFailure(silence.failure)
            except ActivityError as error:
                read = await self._without_plan(step, error, last_turn=last_turn)
                if read is None:
                    continue
                failed = read
            else:
                failure = self._unusable(plan)
                if failure is None:
                    return plan, self._loop.rung
                failed = ReadFailure(failure)
            await self._failed(step, failed)

    async def _failed(self, step: int, failed: ReadFailure) -> None:
        """Make room where the prompt was too long, so that the same rung is asked again; else go one rung down."""
        if await self._compaction.make_room(step, failed.failure):
            planner_failed(self._state, failed.failure)  # mended, and on record all the same
        else:
            await self._fall(step, failed.failure, self._attempts(failed))

    async def _without_plan(self, step: int, error: ActivityError, *, last_turn: bool) -> ReadFailure | None:
        """Why there is no plan; None where what was missing was dealt with, and a rung is to be asked again."""
        failed = read_failure(error)
        self._state.usage += read_lost(error)
        why, shortage = failed.failure.message, read_shortage(error)
        if failed.failure.error == OVER_LIMIT:
            await self._over_limit(step, failed.failure, error)
        elif await asked_first(state=self._state, desk=self._desk, error=error, why=why):
            pass
        elif shortage is not None:
            await self._short_of_money(step, shortage, failed.failure, last_turn=last_turn)
        else:
            return failed
        return None

    def odd_answer(self, *, cut_off: bool) -> Failure | None:
        """Note an answer that moved nothing. After too many in a row the rung has failed."""
        self._loop.odd_answers += 1
        if cut_off:
            self._loop.max_tokens_factor = min(self._loop.max_tokens_factor * 2, stops.MAX_TOKENS_FACTOR)
        if self._loop.odd_answers < stops.MAX_ODD_ANSWERS:
            return None
        message = f"{self._loop.odd_answers} answers in a row moved nothing"
        return Failure(kind="fatal", message=message, error=NOTHING_MOVED)

    def sound_answer(self) -> None:
        """Note an answer that could be used."""
        self._loop.odd_answers, self._loop.max_tokens_factor = 0, 1

    async def rung_failed(self, step: int, failure: Failure) -> None:
        """Go on to the next rung, for reasons that only the loop can see."""
        self._loop.odd_answers, self._loop.max_tokens_factor = 0, 1
        await self._fall(step, failure)
        if self._loop.failed_at is not None and ladder.is_human(self._state.spec, self._loop.rung):
            self._loop.failed_at = step + 1  # it plans the next step, for this one has its plan

    async def _ask(self, step: int, *, last_turn: bool) -> PlanOutcome:
        state = self._state
        rung = state.spec.ladder[self._loop.rung]
        await before_plan(state)
        state.move("planning")
        if (given := given_plan(state, step)) is not None:
            return given
        await self._compaction.watch(step)
        if isinstance(rung, HumanRung):
            return await take_over(state, self._desk, rung, step, last_turn=last_turn)
        plan: PlanOutcome = await workflow.execute_activity(
            names.PLAN,
            PlanInput(
                run=state.run,
                agent=state.spec.name,
                digest=state.digest,
                step=step,
                rung=self._loop.rung,
                **state.transcript.asked(whole=rung.kind == "rules"),
                last_turn=last_turn,
                max_tokens_factor=self._loop.max_tokens_factor,
                user=state.given.user,
                may_cost_usd=may_cost(state),
                left_usd=left_usd(state),
                has_artifacts=bool(state.artifacts),
            ),
            result_type=PlanOutcome,
            **as_kwargs(plan_options(rung, plan_summary(step, rung, state.context_tokens))),
        )
        state.spent(plan.usage)
        state.usage += plan.lost
        if not last_turn:
            self._loop.needs_usd = Decimal(0)
        return plan

    async def _short_of_money(
        self, step: int, shortage: Shortage, failure: Failure, *, last_turn: bool
    ) -> None:
        """A rung below may be cheaper or free; without one the run waits for its account, or for a human."""
        if not shortage.grant.for_a_moment:
            below = ladder.next_planner(self._state.spec, self._loop.rung)
            if below is not None:
                await self._fall(step, failure, to=below)
                return
            if last_turn:
                raise HandedBack(f"it reached {self._loop.last_turn}; {failure.message}", by_person=False)
        await wait_for_room(self._state, self._desk, shortage, failure.message)
        self._loop.rung, self._loop.failed_at = 0, None

    async def _over_limit(self, step: int, failure: Failure, error: ActivityError) -> None:
        """The run's own limit of money cannot pay for this rung; one below may be cheaper or free. Raises OutOfMoney."""
        below = ladder.next_planner(self._state.spec, self._loop.rung)
        if below is None:
            raise OutOfMoney(failure, read_needs(error))
        await self._fall(step, failure, to=below)

    def _unusable(self, plan: PlanOutcome) -> Failure | None:
        """Keep the plan, unless the planner declined to answer."""
        if stops.after(plan.stop_reason, has_calls=False) == "next_rung":
            return Failure(
                kind="limit", message=f"{plan.planner} stopped: {plan.stop_reason}", error=plan.stop_reason
            )
        self._state.transcript.append(Message(role="assistant", content=plan.content))
        if plan.kind != "human":  # which no worker knows of yet
            self._state.transcript.planned()
        return None

    def _attempts(self, failed: ReadFailure) -> int:
        """How often the rung was asked. A timeout does not say, and is tried as often as the rung says."""
        rung = self._state.spec.ladder[self._loop.rung]
        if failed.failure.error in ("Timeout", "WorkerLost") and rung.kind != "human":
            return rung.retry.attempts
        return failed.attempts

    async def _fall(self, step: int, failure: Failure, attempts: int = 1, *, to: int | None = None) -> None:
        """One rung down, or to rung `to`; below the last one the run is parked."""
        state = self._state
        failure = planner_failed(state, failure)
        name = planner_name(state.spec.ladder[self._loop.rung])
        state.event("notice", f"{name} failed ({failure.kind}): {failure.message}", failure.model_dump())
        self._loop.last_failure = f"{name} failed ({failure.kind}): {shorten(failure.message, 500)}"
        below = ladder.next_rung(state.spec, self._loop.rung) if to is None else to
        if below is not None:
            tell_of_failure(state, f"planner {name}", failure)
            self._loop.rung, self._loop.failed_at, self._loop.circles = below, step, 0
            return
        why = f"no planner is left; {name} failed ({failure.kind} {failure.error}): {failure.message}"
        await park(state, self._desk, failure, why, where=f"planner {name}", attempts=attempts)
        self._loop.rung, self._loop.failed_at, self._loop.circles = 0, None, 0
        self._loop.fresh_from = len(state.ledger)  # whoever redrives it may have changed the world
