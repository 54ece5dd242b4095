"""The calls of one step: validate, vet, approve, execute, feed back. Independent calls do not wait for each other.

Results go back in the model's order, one for each call, whatever became of it.
"""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

from holdfast.contracts import names
from holdfast.contracts.base import JsonObject
from holdfast.contracts.calls import CallRecord, GuardInput, GuardOutcome, Verdict, VettedCall
from holdfast.contracts.messages import Message
from holdfast.contracts.plans import PlanOutcome
from holdfast.contracts.requests import Decision
from holdfast.contracts.run import StepRecord
from holdfast.contracts.spec import ToolSpec
from policies import approval, credentials, effects, excerpts, feedback, finishing, labels, limits, validation
from policies.approval import Clearance
from policies.json_safety import shorten
from workflows.artifact_reading import read_artifact
from workflows.call_execution import Answer, CallExecution
from workflows.failure_counting import refused
from workflows.failure_reading import read_failure
from workflows.forking import with_care
from workflows.human_desk import HumanDesk
from workflows.limit_watch import limits_of
from workflows.loop_watch import from_memory, remember
from workflows.options import as_kwargs, guard_options
from workflows.parking import Discarded
from workflows.renewing import until_renewed
from workflows.run_state import PREVIEW_CHARS, RunState
from workflows.steering import all_of, cut_short, gate


@dataclass
class Proposed:
    """A call under way: its record, its tool (None for a built-in), and what is wrong with it so far."""

    record: CallRecord
    tool: ToolSpec | None
    problem: str = ""
    edited: Decision | None = None
    """The approval that changed its arguments."""


class CallDispatch:
    """Carries out the calls of steps."""

    def __init__(self, state: RunState, desk: HumanDesk) -> None:
        self._state = state
        self._desk = desk
        self._execution = CallExecution(state, desk)

    async def carry_out(self, plan: PlanOutcome, step: StepRecord) -> tuple[list[JsonObject], dict[int, str]]:
        """The tool_result blocks for every call of the plan, and which block is which call's result."""
        proposed = self._propose(plan, step)
        self._state.move("acting")
        verdicts = await self._vet_unless_cancelled([one for one in proposed if not one.problem])
        answers = await self._answers(proposed, functools.partial(self._outcome_of, verdicts=verdicts))
        try:
            await self._make_refused_again(proposed, answers)
        except Discarded:  # the run ends here, and all that was found out is part of its record
            content, calls = _as_results(proposed, answers)
            self._state.transcript.append(Message(role="user", content=content), calls)
            step.finished_at = self._state.now()
            raise
        return _as_results(proposed, answers)

    async def _answers(
        self, proposed: list[Proposed], outcome: Callable[[Proposed], Coroutine[Any, Any, Answer]]
    ) -> dict[str, Answer]:
        """By a call's id what is told of it; side by side, unless one of them is exclusive."""
        if any(one.tool is not None and one.tool.exclusive for one in proposed):
            answers = [await self._carry_out_one(one, outcome) for one in proposed]
        else:
            answers = await all_of([self._carry_out_one(one, outcome) for one in proposed])
        return {one.record.id: answer for one, answer in zip(proposed, answers, strict=True)}

    async def _make_refused_again(self, proposed: list[Proposed], answers: dict[str, Answer]) -> None:
        """Calls whose credentials were refused had no effect: a person renews these, and they are made again.

        What was vetted and approved holds for them. On another version of the agent it does not.
        """
        state = self._state
        while refused := credentials.refused(one.record for one in proposed):
            ids = {call.id for call in refused}
            digest, again = state.digest, [one for one in proposed if one.record.id in ids]
            if state.loop.cancelled is not None or not await until_renewed(state, self._desk, refused):
                return
            if state.digest == digest:
                answers |= await self._answers(again, self._once_more)
                continue
            for one in again:
                self._propose_anew(one)
            verdicts = await self._vet_unless_cancelled([one for one in again if not one.problem])
            answers |= await self._answers(again, functools.partial(self._outcome_of, verdicts=verdicts))

    def _propose(self, plan: PlanOutcome, step: StepRecord) -> list[Proposed]:
        """Validate every call of the plan, in order."""
        state = self._state
        defects = {defect.block: defect.message for defect in plan.defects}
        blocks = [(at, block) for at, block in enumerate(plan.content) if block["type"] == "tool_use"]
        room = limits.room_for_calls(limits_of(state), len(state.ledger))
        proposed = []
        for number, (at, block) in enumerate(blocks, start=1):
            tool = validation.find_tool(state.spec, block["name"])
            record = CallRecord(
                id=f"{step.number}.{number}",
                tool_use_id=block["id"],
                tool=tool.name if tool else block["name"],
                arguments=block["input"],
                effect=tool.effect if tool else "read",
            )
            one = Proposed(record, tool)
            one.problem = defects.get(at) or self._problem(one, alone=len(blocks) == 1)
            if not one.problem and number > room:
                one.problem = f"the limit of {limits_of(state).calls} calls is reached"
            if tool is not None and not one.problem:
                self._identify(one, tool)
            if one.problem:
                refused(state, record, tool, one.problem)
            step.calls.append(record)
            state.ledger.append(record)
            state.event("call", _describe(record), record.model_dump(mode="json"))
            proposed.append(one)
        return proposed

    def _problem(self, one: Proposed, *, alone: bool) -> str:
        record, spec = one.record, self._state.spec
        if one.tool is not None:
            return validation.argument_problems(one.tool, record.arguments)
        if record.tool == names.ASK_HUMAN:
            return "; ".join(validation.problems(finishing.ASK_SCHEMA, record.arguments))
        if record.tool == names.FINISH:
            return "" if alone else "call finish alone, once you have seen the results of the other calls."
        if record.tool == names.READ_ARTIFACT and self._state.artifacts:
            found = "; ".join(validation.problems(excerpts.READ_SCHEMA, record.arguments))
            return found or excerpts.unknown_artifact(record.arguments["artifact"], self._state.artifacts)
        built_in = names.BUILT_IN_CALLS - (set() if self._state.artifacts else {names.READ_ARTIFACT})
        return validation.unknown_tool(spec, record.tool, sorted(built_in))

    def _identify(self, one: Proposed, tool: ToolSpec) -> None:
        record = one.record
        record.fingerprint = effects.fingerprint(tool.name, record.arguments)
        record.idempotency_key = effects.idempotency_key(
            tool, self._state.key_scope, record.id, record.arguments
        )
        earlier = effects.same_key(self._state.ledger, record)
        if tool.writes and earlier is not None and earlier.fingerprint != record.fingerprint:
            one.problem = (
                f"the key {record.idempotency_key!r} was used by call {earlier.id} with other arguments: "
                f"{shorten(str(earlier.arguments), 500)}"
            )

    def _guards(self, one: Proposed) -> tuple[str, ...]:
        """The guards of a call: those of its tool, and for a write those of the agent."""
        if one.tool is None:
            return ()
        return (*one.tool.guards, *(self._state.spec.guards if one.tool.writes else ()))

    async def _vet_unless_cancelled(self, proposed: list[Proposed]) -> dict[str, Verdict]:
        """The guards' verdicts; none when the run is cancelled, for then no call begins."""
        try:
            await gate(self._state)
            return await self._vet(proposed)
        except asyncio.CancelledError:
            if self._state.loop.cancelled is None:
                raise
            return {}

    async def _vet(self, proposed: list[Proposed]) -> dict[str, Verdict]:
        """Ask the guards about the calls that have any, in one activity."""
        state = self._state
        guarded = [one for one in proposed if self._guards(one)]
        if not guarded:
            return {}
        calls = [
            VettedCall(
                call=one.record.id,
                tool=one.record.tool,
                effect=one.record.effect,
                arguments=one.record.arguments,
                guards=self._guards(one),
            )
            for one in guarded
        ]
        summary = labels.vet_summary(call.tool for call in calls)
        try:
            outcome: GuardOutcome = await workflow.execute_activity(
                names.VET,
                GuardInput(
                    run=state.run,
                    agent=state.spec.name,
                    digest=state.digest,
                    user=state.given.user,
                    dry_run=state.dry_run,
                    calls=calls,
                ),
                result_type=GuardOutcome,
                **as_kwargs(guard_options(summary)),
            )
        except ActivityError as error:  # a guard that cannot be asked has not allowed anything
            why = f"the guards could not be asked: {read_failure(error).failure.message}"
            return {call.call: Verdict.refuse(shorten(why, 500)) for call in calls}
        return outcome.verdicts

    async def _carry_out_one(
        self, one: Proposed, outcome: Callable[[Proposed], Coroutine[Any, Any, Answer]]
    ) -> Answer:
        record = one.record
        record.started_at = self._state.now()
        try:
            answer = await outcome(one)
        except asyncio.CancelledError:
            answer = Answer(cut_short(self._state, record, one.tool), is_error=True)
        record.finished_at = self._state.now()
        record.preview = shorten(answer.text, PREVIEW_CHARS)
        remember(record, answer)
        self._state.event("result", f"{record.tool}: {record.status}", record.model_dump(mode="json"))
        self._state.show()
        return answer

    async def _once_more(self, one: Proposed) -> Answer:
        """Make a call again that had no effect, as it was approved."""
        if self._state.loop.cancelled is not None:
            raise asyncio.CancelledError
        assert one.tool is not None  # noqa: S101  # built-in calls need no credentials
        made = await self._made_before(one.record, one.tool)
        return made if made is not None else await self._execute(one, one.tool)

    def _propose_anew(self, one: Proposed) -> None:
        """The call as the agent's version of today takes it."""
        record = one.record
        one.tool = self._state.spec.tool(record.tool)
        record.approved_by, record.why = None, ""
        record.effect = one.tool.effect if one.tool else record.effect
        one.problem = self._problem(one, alone=False)
        if one.tool is not None and not one.problem:
            self._identify(one, one.tool)
        if one.problem:
            refused(self._state, record, one.tool, one.problem)

    async def _execute(self, one: Proposed, tool: ToolSpec) -> Answer:
        answer = await self._execution.execute(one.record, tool)
        if one.edited is None:
            return answer
        return Answer(feedback.edited(one.edited, answer.text), is_error=answer.is_error)

    async def _outcome_of(self, one: Proposed, verdicts: dict[str, Verdict]) -> Answer:
        record = one.record
        if one.problem:
            return Answer(feedback.refused(one.problem), is_error=True)
        if self._state.loop.cancelled is not None:
            raise asyncio.CancelledError
        if one.tool is None:
            return await self._built_in(record)
        if (made := await self._made_before(record, one.tool)) is not None:
            return made
        if (known := from_memory(self._state, record, one.tool)) is not None:
            return known
        clearance = approval.clear(
            self._state.spec,
            one.tool,
            record.arguments,
            verdicts.get(record.id),
            dry_run=self._state.dry_run,
        )
        clearance = await with_care(self._state, record, one.tool, clearance)
        record.dry_run, record.why = clearance.simulate, clearance.why
        if clearance.kind == "refuse":
            record.status = "refused"
            return Answer(feedback.refused(clearance.why), is_error=True)
        if clearance.kind == "run":
            return await self._execute(one, one.tool)
        return await self._approved(one, one.tool, clearance)

    async def _made_before(self, record: CallRecord, tool: ToolSpec) -> Answer | None:
        """The answer of a call with the same key, once it is known. None: there is none, so make this one."""
        while tool.writes and (other := effects.same_key(self._state.ledger, record)) is not None:
            if other.finished_at is None:
                record.status, record.why = "waiting", f"for call {other.id}, which has the same key"
                await workflow.wait_condition(lambda other=other: other.finished_at is not None)  # type: ignore[misc]
                continue
            record.status, record.why = "skipped", f"the same as call {other.id}, which is {other.status}"
            return Answer(feedback.made_before(other.id, other.status, other.preview))
        return None

    async def _approved(self, one: Proposed, tool: ToolSpec, clearance: Clearance) -> Answer:
        """Ask a human, and do what they say."""
        record = one.record
        decision = await self._ask_approval(record, tool, clearance)
        if decision.choice != "approve":
            self._state.loop.rejections_in_a_row += 1
            record.status = "expired" if decision.choice == "expire" else "rejected"
            record.why = decision.reason or decision.note
            return Answer(feedback.rejected(decision), is_error=True)
        self._state.loop.rejections_in_a_row = 0
        record.approved_by = decision.by
        if decision.arguments is None or decision.arguments == record.arguments:
            return await self._execute(one, tool)
        record.arguments, one.edited = decision.arguments, decision
        self._identify(one, tool)
        verdict = (await self._vet([one])).get(record.id)
        if one.problem or (verdict is not None and verdict.kind == "refuse"):
            why = one.problem or (verdict.why if verdict else "")
            record.status, record.why = "refused", f"as {decision.by} changed it: {why}"
            return Answer(feedback.refused(record.why), is_error=True)
        if (made := await self._made_before(record, tool)) is not None:
            return made
        return await self._execute(one, tool)

    async def _ask_approval(self, record: CallRecord, tool: ToolSpec, clearance: Clearance) -> Decision:
        record.status = "waiting"
        return await self._desk.ask(
            "approval",
            clearance.why,
            clearance.by,
            call=record.id,
            tool=tool.name,
            arguments=record.arguments,
            reversible=tool.effect == "reversible",
            dry_run=clearance.simulate,
            patience=clearance.patience,
        )

    async def _built_in(self, record: CallRecord) -> Answer:
        """`ask_human` and `read_artifact`; a lone `finish` is the loop's own business and never comes here."""
        if record.tool == names.READ_ARTIFACT:
            return await read_artifact(self._state, record)
        record.status = "waiting"
        question = record.arguments["question"]
        decision = await self._desk.ask("question", question, self._state.spec.approvers, call=record.id)
        if decision.choice != "answer":
            record.status = "rejected"
            return Answer(feedback.rejected(decision), is_error=True)
        record.status = "done"
        return Answer(f"{decision.by} answers: {decision.answer}")


def _as_results(
    proposed: list[Proposed], answers: dict[str, Answer]
) -> tuple[list[JsonObject], dict[int, str]]:
    """The blocks for the model, and which of them is which call's result."""
    told = [(one.record, answers[one.record.id]) for one in proposed]
    blocks = [
        feedback.tool_result(record.tool_use_id, answer.text, is_error=answer.is_error)
        for record, answer in told
    ]
    # A block can be referred to only where its text is the tool's own result, unchanged.
    return blocks, {i: record.id for i, (record, answer) in enumerate(told) if answer.verbatim}


def _describe(record: CallRecord) -> str:
    return labels.call_summary(record.tool, record.arguments)
