"""`AgentRun`: plan, validate, vet, approve, execute, feed back, until the agent finishes or something ends it.

This file holds the loop and the run's doors (signals, update, queries). One loop owns the state; the handlers
only hand over what came in. Every id derives from the workflow id and the step.
"""

import asyncio

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from holdfast.contracts import names
from holdfast.contracts.archive import ArchivedPart, part_with
from holdfast.contracts.base import JsonObject
from holdfast.contracts.forks import CheckpointRequest
from holdfast.contracts.limits import LimitsRaised
from holdfast.contracts.messages import Message, Page, PageRequest, text_block, text_of, user_text
from holdfast.contracts.parked import Redrive, Rehearsal
from holdfast.contracts.plans import PlanOutcome
from holdfast.contracts.requests import Decision, Request
from holdfast.contracts.run import (
    EventsRequest,
    InspectRequest,
    RunEvent,
    RunInput,
    RunOutcome,
    RunView,
    StepRecord,
)
from holdfast.contracts.spec import AgentSpec
from holdfast.contracts.state import ForkPoint
from holdfast.contracts.undo import DoneCall, EffectsRequest
from policies import feedback, finishing, ladder, loops, stops
from policies.handoff import SILENCE
from policies.opening import beside_task
from policies.steering import HELD
from workflows import answering, forking, limit_watch, steering
from workflows.any_payloads import NOTHING, any_payloads, any_payloads_async
from workflows.budget_wait import HandedBack
from workflows.call_dispatch import CallDispatch
from workflows.continuing import go_on_if_due, resumed
from workflows.failure_counting import answer_lost, result_refused, since_last_step
from workflows.human_desk import HumanDesk
from workflows.input_reading import read_input
from workflows.loop_watch import told_beside
from workflows.parking import Discarded, WentBack, rehearse
from workflows.planning import Planning
from workflows.resolving import resolve
from workflows.run_state import RunState
from workflows.undoing import roll_back

STARTED_WITH = 'A run starts with a JSON object such as {"agent": "cloud-costs", "task": "…"}'


@workflow.defn(name=names.AGENT_RUN)
class AgentRun:
    """One run of one agent. Input: `RunInput` as JSON. Result: `RunOutcome`."""

    def __init__(self) -> None:
        self._desk = HumanDesk()
        self._steering = steering.Steering()
        self._state: RunState | None = None

    @workflow.run
    @any_payloads_async
    async def run(self, given: RawValue = NOTHING) -> RunOutcome:
        """Run the agent to its end. Fails only for an input that no agent could run with."""
        run_input = read_input(given, RunInput, start=STARTED_WITH)
        state, cancelled = resumed(run_input), None
        if state is None:
            spec, cancelled = await steering.uncancelled(resolve(run_input.agent))
            state = RunState(run_input, spec)
        self._state = state
        state.notice_reset()
        self._desk.begin(state)
        if cancelled is not None:
            await steering.wind_down(state)
            raise cancelled
        loop, desk = asyncio.create_task(self._loop(state)), asyncio.create_task(self._desk.serve())
        try:
            await workflow.wait([loop, desk], return_when=asyncio.FIRST_COMPLETED)
            if desk.done():
                desk.result()  # only a bug ends it: fail the task where it is seen, until a release mends it
            return loop.result()
        except asyncio.CancelledError:
            await steering.wind_down(state, loop)
            raise
        finally:
            loop.cancel()
            desk.cancel()

    async def _loop(self, state: RunState) -> RunOutcome:
        planning, dispatch = Planning(state, self._desk), CallDispatch(state, self._desk)
        await forking.begin(state, self._desk)
        if not state.events:
            state.transcript.append(user_text(state.given.task, *beside_task(state.given)))
            state.event("started", f"{state.spec.name} ({state.digest[:8]}): {state.given.task}")
        self._steering.begin(state)
        forking.mark(state)
        while state.outcome is None:
            state.hear_of_rewind()
            await go_on_if_due(state, self._desk)
            await steering.gate(state)
            last_turn = limit_watch.last_turn(state)
            number = len(state.steps) + 1
            try:
                plan, rung = await planning.next_plan(number, last_turn=bool(last_turn))
                step = self._record_step(state, plan, number, rung)
                said = None if last_turn else await self._follow(state, plan, step, planning, dispatch)
            except Discarded as end:
                why = f"discarded by {end.by}: {end.note or end.failure.message}"
                state.end("failed", reason=why, failure=end.failure)
                break
            except limit_watch.OutOfMoney as short:
                await limit_watch.out_of_money(state, self._desk, short)
                continue
            except HandedBack as end:
                await limit_watch.end_unplanned(state, self._desk, end)
                continue
            except WentBack:
                continue
            step.finished_at = state.now()
            if last_turn:
                await limit_watch.hand_back(state, self._desk, plan)
            elif said is not None:
                content, calls = said
                state.transcript.append(
                    Message(role="user", content=told_beside(state, step, content)), calls
                )
            forking.mark(state)
        return await self._ended(state)

    async def _ended(self, state: RunState) -> RunOutcome:
        if state.finished_at is None:  # it failed, and its agent wants its effects taken back first
            await roll_back(state, self._desk)
        await workflow.wait_condition(workflow.all_handlers_finished)
        assert state.outcome is not None  # noqa: S101  # the loop ends with one
        return state.outcome

    async def _follow(
        self,
        state: RunState,
        plan: PlanOutcome,
        step: StepRecord,
        planning: Planning,
        dispatch: CallDispatch,
    ) -> tuple[list[JsonObject], dict[int, str]] | None:
        """Do what the plan's stop reason asks for; returns what to tell the planner, None for nothing."""
        calls = [block for block in plan.content if block["type"] == "tool_use"]
        following = stops.after(plan.stop_reason, has_calls=bool(calls))
        if following in ("cut_off", "unknown"):
            told = stops.CUT_OFF if following == "cut_off" else stops.UNKNOWN.format(reason=plan.stop_reason)
            answer_lost(state, told, cut_off=following == "cut_off")
            failure = planning.odd_answer(cut_off=following == "cut_off")
            if failure is not None:
                await planning.rung_failed(step.number, failure)
            return [*_none_carried_out(calls, told), text_block(told)], {}
        if following == "again":
            failure = planning.odd_answer(cut_off=False)
            if failure is not None:
                await planning.rung_failed(step.number, failure)
            return None
        if following == "answer":
            return await self._text_answer(state, plan, step, planning)
        planning.sound_answer()
        if len(calls) == 1 and calls[0]["name"] == names.FINISH:
            problems = [defect.message for defect in plan.defects]
            return self._finish(state, calls[0], problems)
        return await dispatch.carry_out(plan, step)

    async def _text_answer(
        self, state: RunState, plan: PlanOutcome, step: StepRecord, planning: Planning
    ) -> tuple[list[JsonObject], dict[int, str]] | None:
        """An answer without calls: the result where that is text, else a reason to ask for `finish`."""
        text = text_of(plan.content)
        silent = not text or text == SILENCE
        if not silent and finishing.text_is_answer(state.spec):
            if steering.holds_end(state):
                return None
            state.end("completed", output=text)
            return None
        failure = planning.odd_answer(cut_off=False)
        if failure is not None:
            if not silent:
                state.end("partial", output=text, reason="it never handed in its result by `finish`")
                return None
            if ladder.next_rung(state.spec, state.loop.rung) is None:
                state.loop.circles = loops.CIRCLES_AT_MOST  # nobody else could go on: hand back what there is
                return None
            await planning.rung_failed(step.number, failure)
        return [text_block(stops.SILENT if silent else stops.FINISH_FIRST)], {}

    def _finish(
        self, state: RunState, call: JsonObject, problems: list[str]
    ) -> tuple[list[JsonObject], dict[int, str]] | None:
        """End the run with the result, or send it back when it does not fit; `problems` were found before."""
        given = call["input"]
        found = problems or finishing.result_problems(state.spec, given)
        if not found and steering.holds_end(state):
            return [feedback.tool_result(call["id"], HELD)], {}
        if not found:
            state.end(given["status"], output=finishing.output_of(given), reason=given.get("reason", ""))
            return None
        why = "; ".join(found)
        state.loop.finish_refused += 1
        result_refused(state, why)
        state.event("notice", f"result sent back: {why}")
        if state.loop.finish_refused >= finishing.MAX_INVALID_RESULTS:
            output = finishing.output_of(given)
            state.end("partial", output=output, reason=f"its result does not fit the output type: {why}")
            return None
        told = feedback.refused(f"the result does not fit. {why}. Correct it and call finish again.")
        return [feedback.tool_result(call["id"], told, is_error=True)], {}

    def _record_step(self, state: RunState, plan: PlanOutcome, number: int, rung: int) -> StepRecord:
        step = StepRecord(
            number=number,
            rung=rung,
            planner=plan.planner,
            stop_reason=plan.stop_reason,
            text=text_of(plan.content)[:2000],
            usage=plan.usage,
            seconds=plan.seconds,
            started_at=state.now(),
            failures=since_last_step(state),
            position=len(state.transcript.messages) - 1,  # the plan itself is the last
        )
        state.steps.append(step)
        data = step.model_dump(mode="json", exclude={"calls"})
        state.event("plan", step.text or "(no words)", data)
        return step

    # The doors. Signals take anything and never fail; what changes nothing is recorded.

    @workflow.signal(name=names.APPROVE, description='Approve a request: {"request": "…", "by": "you"}')
    @any_payloads
    def approve(self, decision: RawValue = NOTHING) -> None:
        """Approve a request, as it is or with other `arguments`."""
        self._desk.by_signal("approve", decision)

    @workflow.signal(
        name=names.REJECT, description='Reject a request: {"request": "…", "by": "you", "reason": "…"}'
    )
    @any_payloads
    def reject(self, decision: RawValue = NOTHING) -> None:
        """Reject a request; the model is told the reason."""
        self._desk.by_signal("reject", decision)

    @workflow.signal(
        name=names.ANSWER, description='Answer a request: {"request": "…", "by": "you", "answer": "…"}'
    )
    @any_payloads
    def answer(self, decision: RawValue = NOTHING) -> None:
        """Answer a question, or say what becomes of an unknown effect or a parked run."""
        self._desk.by_signal("answer", decision)

    @workflow.signal(name=names.ACCOUNT_CALLS, description="Sent by an account: it has room again")
    @any_payloads
    def account_calls(self, account: RawValue = NOTHING) -> None:  # noqa: ARG002  # asking again is all there is to do
        """Ask the account again; without effect on a run that waits for none."""
        if self._state is not None:
            self._state.loop.account_called = bool(self._state.loop.waits_for)

    @workflow.update(
        name=names.DECIDE, description="Decide a request; a decision that does not fit is refused"
    )
    @any_payloads_async
    async def decide(self, decision: RawValue = NOTHING) -> Decision:
        """Decide a request and hear whether it counted."""
        return await self._desk.by_update(decision)

    @decide.validator
    @any_payloads
    def _validate_decide(self, decision: RawValue = NOTHING) -> None:
        self._desk.validate(decision)

    @workflow.signal(name=names.MESSAGE, description='Tell the agent something: {"text": "…", "by": "you"}')
    @any_payloads
    def message(self, message: RawValue = NOTHING) -> None:
        """Tell the agent something; it hears it with its next plan."""
        self._steering.take("message", message)

    @workflow.signal(name=names.PAUSE, description='Pause the run: {"by": "you", "reason": "…"}')
    @any_payloads
    def pause(self, pause: RawValue = NOTHING) -> None:
        """Let calls under way end, and begin nothing new until the run is resumed."""
        self._steering.take("pause", pause)

    @workflow.signal(name=names.RESUME, description='Let a paused run go on: {"by": "you"}')
    @any_payloads
    def resume(self, resume: RawValue = NOTHING) -> None:
        """Go on from where the run was paused."""
        self._steering.take("resume", resume)

    @workflow.signal(
        name=names.RAISE_LIMITS, description='Raise limits: {"steps": "+20", "by": "you", "reason": "…"}'
    )
    @any_payloads
    def raise_limits(self, asked: RawValue = NOTHING) -> None:
        """Raise limits of the run, also before it reaches them."""
        self._steering.take("raise_limits", asked)

    @workflow.update(name=names.RAISE_LIMITS, description="Raise limits; what does not fit is refused")
    @any_payloads_async
    async def raise_limits_now(self, asked: RawValue = NOTHING) -> LimitsRaised:
        """Raise limits of the run and hear what they are now."""
        state = self._started()
        return limit_watch.raise_limits(state, steering.check_raise(state, asked), "update")

    @raise_limits_now.validator
    @any_payloads
    def _validate_raise(self, asked: RawValue = NOTHING) -> None:
        steering.check_raise(self._started(), asked)

    @workflow.query(name=names.INSPECT, description="The run: steps, calls, requests, effects, cost")
    def inspect(self, asked: InspectRequest | None = None) -> RunView:
        """The run as people inspect it; of a long one a page of its steps."""
        return answering.page_of_view(self._started(), asked or InspectRequest())

    @workflow.query(name=names.EVENTS, description="What happened, from an event number on")
    def events(self, asked: EventsRequest) -> list[RunEvent]:
        """A page of the run's events."""
        return answering.page_of_events(self._started(), asked)

    @workflow.query(name=names.REHEARSE, description="What a redrive would do again")
    def rehearse(self, asked: Redrive | None = None) -> Rehearsal:
        """What redriving the parked run like this would repeat."""
        return rehearse(self._started(), asked or Redrive())

    @workflow.query(name=names.REQUESTS, description="What the run asks of humans")
    def requests(self) -> list[Request]:
        """The open requests."""
        return answering.open_requests(self._started())

    @workflow.query(name=names.TRANSCRIPT, description="A page of the transcript")
    def transcript(self, asked: PageRequest) -> Page:
        """A page of the transcript, or where it is archived."""
        state = self._started()
        if asked.opening:
            return state.transcript.opening_page()
        part = part_with(state.archive, "messages", asked.start)
        return state.transcript.page(asked).model_copy(update={"archived": part} if part else {})

    @workflow.query(name=names.SPEC, description="The agent that this run lives by")
    def spec(self) -> AgentSpec:
        """The recorded spec."""
        return self._started().spec

    @workflow.query(name=names.EFFECTS, description="The writing calls made, with what their undo needs")
    def effects(self, asked: EffectsRequest) -> list[DoneCall]:
        """A page of what was done to the world, oldest first."""
        return answering.page_of_done_calls(self._started(), asked.after)

    @workflow.query(name=names.ARCHIVED, description="What the run has laid aside in the artifact store")
    def archived(self) -> list[ArchivedPart]:
        """The parts of the run that its queries do not tell any more, and where they are."""
        return self._started().archive

    @workflow.query(name=names.CHECKPOINT, description="The run as it was after a step")
    def checkpoint(self, asked: CheckpointRequest) -> ForkPoint:
        """The run as it was after a step, and what it has done since."""
        return forking.point(self._started(), asked)

    @workflow.signal(name=names.REWOUND, description="Tell a run that was reset what it had done since")
    @any_payloads_async
    async def rewound(self, told: RawValue = NOTHING) -> None:
        """The run was rewound: what it did since still stands."""
        if self._state is None:  # its first workflow task is run again
            await workflow.wait_condition(lambda: self._state is not None)
        forking.rewound(self._started(), told)

    def _started(self) -> RunState:
        if self._state is None:
            raise ApplicationError("the run is only just starting: try again in a moment", type="NotStarted")
        return self._state


def _none_carried_out(calls: list[JsonObject], why: str) -> list[JsonObject]:
    return [feedback.tool_result(c["id"], feedback.refused(why), is_error=True) for c in calls]
