"""One call that may run: its activity, and what is done when nobody knows whether it happened."""

from dataclasses import dataclass
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError

from holdfast.contracts import names
from holdfast.contracts.artifacts import uncut
from holdfast.contracts.base import Json
from holdfast.contracts.calls import CallRecord, Failure, Probed
from holdfast.contracts.spec import ToolSpec
from policies import effects, failures, feedback, labels, validation
from policies.json_safety import safe, shorten
from workflows.alerting import tell_of_failure
from workflows.failure_counting import counted
from workflows.failure_reading import read_failure
from workflows.human_desk import HumanDesk
from workflows.options import as_kwargs, probe_options, tool_options
from workflows.run_state import RunState
from workflows.steering import gate, until_done

MAX_PROBED_ATTEMPTS = 3
"""A write that its probe says did not happen is run again, this often in all; then the model is told."""


@dataclass(frozen=True)
class Answer:
    """What the model is told of a call."""

    text: str
    is_error: bool = False
    verbatim: bool = False
    """The text is the rendered result of the tool's activity, and nothing else."""


class CallExecution:
    """Executes calls: at most once for writes that are not idempotent, by bounded retries for others."""

    def __init__(self, state: RunState, desk: HumanDesk) -> None:
        self._state = state
        self._desk = desk

    async def execute(self, record: CallRecord, tool: ToolSpec) -> Answer:
        """Run the call until it is known what became of it."""
        if record.dry_run and tool.task_queue is not None and not tool.has_dry_run:
            return self._done(record, tool, effects.would_do(tool.name, record.arguments), verbatim=False)
        attempt = 0
        while True:
            attempt += 1
            await gate(self._state)
            record.status = "running"
            self._state.show()
            try:
                result = await self._call(record, tool)
            except ActivityError as error:
                writes = tool.writes and not record.dry_run
                read = read_failure(error)
                record.failure = read.failure
                if not read.started:
                    return self._not_begun(record, read.failure)
                if not failures.may_have_happened(read.failure, writes=writes, started=read.started):
                    return self._failed(record, tool, read.failure)
            except UnreadableResult as error:
                return self._contract_broken(record, tool, str(error))
            else:
                return self._checked(record, tool, result)
            found = await self._find_out(record, tool, record.failure, attempt)
            if isinstance(found, Answer):
                return found

    async def _call(self, record: CallRecord, tool: ToolSpec) -> Json:
        summary = labels.call_summary(tool.name, record.arguments, simulate=record.dry_run)
        called: workflow.ActivityHandle[RawValue] = workflow.start_activity(
            tool.name,
            self._state.tool_input(record),
            result_type=RawValue,
            **as_kwargs(tool_options(tool, summary)),
        )
        raw = await until_done(called)
        try:
            return workflow.payload_converter().from_payload(raw.payload, Any)
        except Exception as error:  # a remote worker may answer with anything
            raise UnreadableResult(f"its answer is no JSON: {error}") from error

    def _checked(self, record: CallRecord, tool: ToolSpec, result: Json) -> Answer:
        """Own tools are checked in their activity; what a remote one returns, is checked here."""
        if tool.task_queue is None:
            shown, artifact = uncut(result)
            self._state.artifacts += [artifact] if artifact is not None else []
            return self._done(record, tool, shown, verbatim=True)
        if tool.output_schema is not None and (found := validation.problems(tool.output_schema, result)):
            return self._contract_broken(record, tool, "; ".join(found))
        result = feedback.cut(safe(result), tool.max_result_chars)  # such as bytes, which JSON has not
        return self._done(record, tool, result, verbatim=False)

    def _done(self, record: CallRecord, tool: ToolSpec, result: Json, *, verbatim: bool) -> Answer:
        record.status = "done"
        if tool.writes:
            self._state.effect(record, tool, result)
        return Answer(feedback.render(result), verbatim=verbatim)

    def _not_begun(self, record: CallRecord, failure: Failure) -> Answer:
        """No attempt has begun, such as while a breaker held all of them: nothing happened, and nobody need be asked."""
        record.status, record.why = "failed", "it was never begun"
        record.failure = counted(self._state, failure, "tool")
        return Answer(feedback.not_begun(failure), is_error=True)

    def _failed(self, record: CallRecord, tool: ToolSpec, failure: Failure) -> Answer:
        if failure.kind == "contract":
            return self._contract_broken(record, tool, failure.message)
        record.status, record.failure = "failed", counted(self._state, failure, "tool")
        if failure.kind != "credentials":  # for these the run is parked, which is told
            tell_of_failure(self._state, tool.name, failure)
        return Answer(feedback.failed(failure), is_error=True)

    def _contract_broken(self, record: CallRecord, tool: ToolSpec, why: str) -> Answer:
        """The tool was called and answered something else than it promises: an effect may stand."""
        failure = Failure(kind="contract", message=f"{tool.name} does not keep its contract: {why}")
        record.status, record.failure = "failed", counted(self._state, failure, "tool")
        if tool.writes:
            self._state.effect(record, tool, None)
        self._state.event("notice", failure.message, failure.model_dump())
        tell_of_failure(self._state, tool.name, failure)
        return Answer(feedback.failed(failure), is_error=True)

    async def _find_out(
        self, record: CallRecord, tool: ToolSpec, failure: Failure, attempt: int
    ) -> Answer | None:
        """What became of a write whose answer was lost. None: it did not happen, so run it."""
        record.status = "unknown"
        last, failure = failure, failures.with_the_doubt(failure)
        record.failure = counted(self._state, failure, "tool")
        self._state.event("notice", f"unknown outcome of {tool.name}: {failure.message}", {"call": record.id})
        probed = await self._probe(record, tool) if tool.has_probe else Probed(finding="unsure")
        if probed.finding == "happened":
            return self._done(record, tool, probed.result, verbatim=False)
        if probed.finding == "did_not_happen":
            again = last.kind in failures.AMBIGUOUS and attempt < MAX_PROBED_ATTEMPTS
            return None if again else self._failed(record, tool, last)
        decision = await self._desk.ask(
            "unknown_effect",
            f"{tool.name} may or may not have happened: {failure.message}. {probed.note}".strip(),
            tool.approval.by if tool.approval else self._state.spec.approvers,
            call=record.id,
            tool=tool.name,
            arguments=record.arguments,
            reversible=tool.effect == "reversible",
        )
        if decision.answer == "happened":
            record.approved_by = record.approved_by or decision.by
            result = feedback.cut(safe(decision.result), tool.max_result_chars)
            return self._done(record, tool, result, verbatim=False)
        if decision.answer == "run":
            return None
        self._state.effect(record, tool, None, unknown=True)
        return Answer(feedback.nobody_knows(failure), is_error=True)

    async def _probe(self, record: CallRecord, tool: ToolSpec) -> Probed:
        summary = labels.call_summary(f"probe {tool.name}", record.arguments)
        try:
            probed: Probed = await workflow.execute_activity(
                tool.name + names.PROBE_SUFFIX,
                self._state.tool_input(record),
                result_type=Probed,
                **as_kwargs(probe_options(tool, summary)),
            )
        except ActivityError as error:
            why = shorten(read_failure(error).failure.message, 300)
            return Probed(finding="unsure", note=f"The probe failed: {why}")
        return probed


class UnreadableResult(Exception):  # caught where it is raised; named for what it is
    """A tool's answer that cannot be decoded."""
