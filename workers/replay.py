"""Replay: does today's code still agree with a recorded history, and what was the run's state in it?

All of it is offline: no server, no worker, no activity runs. A history comes from
`handle.fetch_history()`, from `temporal workflow show -w RUN -o json`, or from the UI's download.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import (
    ExecuteWorkflowInput,
    Interceptor,
    Replayer,
    StartActivityInput,
    UnsandboxedWorkflowRunner,
    WorkflowInboundInterceptor,
    WorkflowInstance,
    WorkflowInstanceDetails,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
    WorkflowRunner,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from holdfast.contracts import names
from holdfast.contracts.run import RunView
from holdfast.errors import UsageError
from workers.plugin import HoldfastPlugin
from workers.stored_data import says_the_same
from workflows.agent_run import AgentRun
from workflows.answering import view
from workflows.run_state import RunState

T = TypeVar("T")


@dataclass(frozen=True)
class ScheduledActivity:
    """An activity that a workflow scheduled: its type, and its input as it stands in history."""

    type: str
    input: bytes
    event_id: int | None = None
    """The event that recorded it; None for one that today's code asks for."""


@dataclass(frozen=True)
class Changed:
    """What today's code would hand over with another content than was recorded: an input, or the run's result.

    Temporal does not mind, so a run goes on; but a prompt, a key or an argument is not what it was.
    """

    event_id: int
    what: str
    recorded: bytes
    today: bytes

    def __str__(self) -> str:
        old, new = self.recorded, self.today
        pairs = enumerate(zip(old, new, strict=False))
        at = next((i for i, (a, b) in pairs if a != b), min(len(old), len(new)))
        was, now = (text[max(0, at - 40) : at + 60].decode("utf-8", "replace") for text in (old, new))
        return f"event {self.event_id}: {self.what} was …{was}… and is now …{now}…"


@dataclass(frozen=True)
class ReplayReport:
    """What a replay found.

    Attributes:
        ok: Today's code makes the decisions that were recorded: the run can go on.
        events: How many events the history has.
        event_id: The event where they part; None when they agree, or when it cannot be told.
        reason: Why not, in plain words; empty when `ok`.
        changed: Inputs of activities, and the run's result, that are not what was recorded. Temporal does not
            look at these.
    """

    ok: bool
    events: int
    event_id: int | None = None
    reason: str = ""
    changed: tuple[Changed, ...] = ()

    def __str__(self) -> str:
        if self.ok and not self.changed:
            return f"ok: {self.events} events replayed"
        lines = [] if self.ok else [f"{_at(self.event_id)}{self.reason}"]
        return "\n".join([*lines, *map(str, self.changed)])


async def replay(
    history: WorkflowHistory, *, workflow_class: type = AgentRun, strict: bool = True
) -> ReplayReport:
    """Replay a history against today's code, with the worker's converter and sandbox.

    Args:
        history: Of a run, open or closed.
        workflow_class: The workflow to replay, where it is not `AgentRun` itself.
        strict: Load the engine's code anew, guarded against clocks, random and I/O.

    Raises:
        UsageError: It is not the history of a run.
    """
    _check_is_run(history)
    asked = _Asked()
    plugin = HoldfastPlugin([], strict_sandbox=strict)
    plugin.workflows = [workflow_class]
    # As a worker replays it: the sandbox would be entered for every payload, which takes twice as long as all else.
    runner = SandboxedWorkflowRunner() if strict else UnsandboxedWorkflowRunner()
    replayer = Replayer(workflows=[], plugins=[plugin], interceptors=[asked], workflow_runner=runner)
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    recorded = scheduled(history)
    changed = [
        Changed(old.event_id or 0, f"the input of {old.type}", old.input, new.input)
        for old, new in zip(recorded, asked.activities, strict=False)
        if old.type == new.type and not says_the_same(old.input, new.input)
    ]
    if result.replay_failure is None:
        changed += _changed_result(history.events[-1], asked.results)
        return ReplayReport(ok=True, events=len(history.events), changed=tuple(changed))
    message = str(result.replay_failure)
    event, reason = _parted(recorded, asked.activities) or (_event_in(message), _plain(message))
    if event is None:
        event = await _first_failing(replayer, history)
    return ReplayReport(
        ok=False,
        events=len(history.events),
        event_id=event,
        reason=reason,
        changed=tuple(one for one in changed if one.event_id < event),
    )


async def _first_failing(replayer: Replayer, history: WorkflowHistory) -> int:
    """The first workflow task, by the event that completed it, that today's code cannot repeat."""
    low, ends = 0, _decided(history)
    high = len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        result = await replayer.replay_workflow(_until(history, ends[middle]), raise_on_replay_failure=False)
        low, high = (low, middle) if result.replay_failure is not None else (middle + 1, high)
    return ends[low] if ends else 1


def _decided(history: WorkflowHistory) -> list[int]:
    """The events that completed workflow tasks: the moments at which the run had decided something."""
    done = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    return [event.event_id for event in history.events if event.event_type == done]


def _until(history: WorkflowHistory, event_id: int) -> WorkflowHistory:
    return WorkflowHistory(history.workflow_id, [e for e in history.events if e.event_id <= event_id])


def _changed_result(last: HistoryEvent, results: list[bytes]) -> list[Changed]:
    if not last.HasField("workflow_execution_completed_event_attributes"):
        return []
    recorded = _data(last.workflow_execution_completed_event_attributes.result.payloads)
    return [
        Changed(last.event_id, "the run's result", recorded, now)
        for now in results
        if not says_the_same(recorded, now)
    ]


def _data(payloads: Iterable[Payload]) -> bytes:
    return b"".join(payload.data for payload in payloads)


def scheduled(history: WorkflowHistory) -> list[ScheduledActivity]:
    """The activities that a history recorded, in order; local ones leave no input and are not among them."""
    found = []
    for event in history.events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            attributes = event.activity_task_scheduled_event_attributes
            data = _data(attributes.input.payloads)
            found.append(ScheduledActivity(attributes.activity_type.name, data, event.event_id))
    return found


async def offline_view(history: WorkflowHistory) -> RunView:
    """The run as people inspect it, at the end of its history; no worker is asked.

    Raises:
        UsageError: It is not the history of a run, the run had not begun yet, or today's code disagrees with it.
    """
    return await _at_the_end(history, lambda state: view(state).model_copy(deep=True))


async def state_at(history: WorkflowHistory, event_id: int) -> RunState:
    """The run's whole state, transcript included, as it was when `event_id` had been recorded.

    That is after the last workflow task completed by then: between two of them nothing changes. It is a copy,
    to be read; its methods that speak to Temporal must not be called.

    Raises:
        UsageError: As `offline_view`, or nothing had been decided by then.
    """
    ends = [end for end in _decided(history) if end <= event_id]
    if not ends and event_id < history.events[-1].event_id:
        raise UsageError(
            f"Run {history.workflow_id} had decided nothing by event {event_id}; choose a later one."
        )
    if not ends:
        raise UsageError(f"Run {history.workflow_id} has not begun yet: no worker has taken it.")
    return await _at_the_end(_until(history, ends[-1]), copy.deepcopy)


async def _at_the_end(history: WorkflowHistory, read: Callable[[RunState], T]) -> T:
    _check_is_run(history)
    keeper = _Keeper(read)
    replayer = Replayer(
        workflows=[AgentRun],
        data_converter=pydantic_data_converter,
        workflow_runner=keeper,
        interceptors=[keeper],
    )
    result = await replayer.replay_workflow(history, raise_on_replay_failure=False)
    if result.replay_failure is not None:
        message = str(result.replay_failure)
        raise UsageError(
            f"The history of run {history.workflow_id} does not replay on this version of Holdfast: "
            f"{_at(_event_in(message))}{_plain(message)} Ask a worker of the version that ran it instead."
        )
    if not keeper.kept:
        raise UsageError(f"Run {history.workflow_id} has not begun yet: no worker has taken it.")
    return keeper.kept[-1]


def _check_is_run(history: WorkflowHistory) -> None:
    first: HistoryEvent | None = history.events[0] if history.events else None
    kind = first.workflow_execution_started_event_attributes.workflow_type.name if first else "nothing"
    if kind != names.AGENT_RUN:
        raise UsageError(
            f"{history.workflow_id} is the history of {kind or 'something else'}, not of an {names.AGENT_RUN}. "
            "Give the history of a run, from its first event on."
        )


def _parted(
    recorded: Sequence[ScheduledActivity], today: Sequence[ScheduledActivity]
) -> tuple[int, str] | None:
    """The event of the first activity that today's code would not schedule, and why that is so."""
    for number, (old, new) in enumerate(zip(recorded, today, strict=False)):
        if old.type == new.type:
            continue
        later = " (which it runs later)" if old.type in {one.type for one in today[number + 1 :]} else ""
        event = old.event_id or 0
        return event, f"the history says activity {old.type}, today's code asks for {new.type}{later}."
    return None


def _event_in(message: str) -> int | None:
    found = re.search(r"HistoryEvent\(id: (\d+)|event(?:_id)?[ :=]+(\d+)", message)
    return int(found[1] or found[2]) if found else None


def _plain(message: str) -> str:
    """Core's words without its codes and its stack trace."""
    found = re.search(r'Failure \{ message: "((?:[^"\\]|\\.)*)"', message)
    text = re.sub(r"\[TMPRL\d+\] ?|Nondeterminism error: ?", "", found[1] if found else message)
    if found and "NonDeterministic" not in message:
        return f"today's code fails: {text[:500]}"
    return f"today's code decides otherwise than was recorded: {text[:500]}"


def _at(event: int | None) -> str:
    return f"at event {event}: " if event is not None else ""


class _Asked(Interceptor):
    """Notes every activity that the workflow asks for, and its result."""

    def __init__(self) -> None:
        self.activities: list[ScheduledActivity] = []
        self.results: list[bytes] = []

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002  # the SDK's signature
    ) -> type[WorkflowInboundInterceptor] | None:
        asked = self

        def encoded(*values: Any) -> bytes:
            return _data(workflow.payload_converter().to_payloads(values))

        class Outbound(WorkflowOutboundInterceptor):
            def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
                asked.activities.append(ScheduledActivity(input.activity, encoded(*input.args)))
                return super().start_activity(input)

        class Inbound(WorkflowInboundInterceptor):
            def init(self, outbound: WorkflowOutboundInterceptor) -> None:
                super().init(Outbound(outbound))

            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
                result = await super().execute_workflow(input)
                asked.results.append(encoded(result))
                return result

        return Inbound


class _Keeper(WorkflowRunner, Interceptor, Generic[T]):
    """Reads the state of a workflow at the last moment before it is evicted, which would change it.

    Outside the sandbox, so that what is read has the classes of this process.
    """

    def __init__(self, read: Callable[[RunState], T]) -> None:
        self.kept: list[T] = []
        self._read = read
        self._runner = UnsandboxedWorkflowRunner()
        self._run: AgentRun | None = None

    def keep(self) -> None:
        """Read the state now."""
        state = self._run._state if self._run is not None else None  # noqa: SLF001  # nobody else may look inside
        if state is not None:
            self.kept.append(self._read(state))

    def prepare_workflow(self, defn: Any) -> None:
        self._runner.prepare_workflow(defn)

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        return _Kept(self._runner.create_instance(det), self.keep)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002  # the SDK's signature
    ) -> type[WorkflowInboundInterceptor] | None:
        keeper = self

        class Inbound(WorkflowInboundInterceptor):
            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
                keeper._run = workflow.instance()
                return await super().execute_workflow(input)

        return Inbound


class InstanceBehind(WorkflowInstance):
    """A workflow instance that hands everything on to another; subclasses look at what passes."""

    def __init__(self, instance: WorkflowInstance) -> None:
        self._instance = instance

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """What there is to do in the workflow, and what it did."""
        return self._instance.activate(act)

    def get_serialization_context(self, command_info: Any) -> Any:
        """See the SDK."""
        return self._instance.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        """See the SDK."""
        return self._instance.get_external_store_context(command_info)

    def get_info(self) -> workflow.Info:
        """Whose instance it is."""
        return self._instance.get_info()

    def get_thread_id(self) -> int | None:
        """The thread that it runs in now."""
        return self._instance.get_thread_id()


class _Kept(InstanceBehind):
    def __init__(self, instance: WorkflowInstance, keep: Callable[[], None]) -> None:
        super().__init__(instance)
        self._keep = keep

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        if any(job.HasField("remove_from_cache") for job in act.jobs):
            self._keep()
        return super().activate(act)
