"""Looking after everything: what the doctor and the scheduled check see, gathered from the server.

Read only, apart from one small artifact. Whatever cannot be looked at is named in the report, and never ends the look.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeWorkflowExecutionRequest,
    GetSystemInfoRequest,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import Client, ScheduleActionStartWorkflow, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from activities.breakers import UNREACHABLE, read_board
from activities.queues import both_kinds, queue_health
from holdfast.artifacts import artifact_store
from holdfast.contracts import names
from holdfast.contracts.accounts import AccountView
from holdfast.contracts.breakers import Breaker
from holdfast.contracts.health import HealthReport, HealthSettings, QueueHealth
from holdfast.errors import HoldfastError
from policies.health import PendingCall, RunSeen, ScheduleSeen, Seen, examine

TIMEOUT = timedelta(seconds=10)
AT_ONCE = 20
ACCOUNTS_AT_MOST = 50
BOARDS_AT_MOST = 20
LOOKED_INTO_SECONDS = 60.0
"""A run that is older is looked into: what it has under way, and when its last event was."""

ANSWERS_WITHIN = timedelta(seconds=3)
PROOF = b"holdfast doctor: this store can be written\n"

OPEN = f"WorkflowType = '{names.AGENT_RUN}' AND ExecutionStatus = 'Running'"
WORKING = f"{OPEN} AND ({names.SA_STATUS} IS NULL OR {names.SA_STATUS} = 'running')"
PARKED = f"{OPEN} AND {names.SA_STATUS} = 'parked'"
FAILING = "TemporalReportedProblems IN ('category=WorkflowTaskFailed', 'category=WorkflowTaskTimedOut')"


@dataclass
class _Looking:
    """A look under way: what could not be seen is noted, and the look goes on."""

    client: Client
    settings: HealthSettings
    now: datetime
    unknown: dict[str, str] = field(default_factory=dict)
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    @contextlib.asynccontextmanager
    async def part(self, name: str) -> AsyncIterator[None]:
        """A part of the look, which may fail without ending the rest."""
        try:
            yield
        except (RPCError, HoldfastError, TimeoutError, WorkflowQueryFailedError) as error:
            why = error.message if isinstance(error, RPCError) else str(error)
            self.unknown.setdefault(name, why or type(error).__name__)


async def look(
    client: Client, settings: HealthSettings, attributes: Iterable[str], *, writing: bool
) -> HealthReport:
    """One look at everything. `attributes` are the search attributes that runs record.

    With `writing` the artifact store is written to, as a worker would; without, it is only asked.
    Raises RPCError when the server does not answer at all.
    """
    on = _Looking(client, settings, datetime.now(UTC))
    version = (
        await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=TIMEOUT)
    ).server_version
    seen = Seen(namespace=client.namespace, version=version, unknown=on.unknown)
    parts: list[Awaitable[dict[str, Any]]] = [
        _namespace(on),
        _missing(on, attributes),
        _runs_and_queues(on),
        _breakers(on),
        _accounts(on),
        _artifacts(writing=writing),
        _schedule(on),
    ]
    for found in await asyncio.gather(*parts):
        seen = replace(seen, **found)
    return examine(seen, settings, on.now)


def check_health(attributes: Mapping[str, Any]) -> Callable[[HealthSettings], Awaitable[HealthReport]]:
    """The activity of the scheduled check: it looks, logs what it finds, and counts it for the metrics."""

    @activity.defn(name=names.CHECK_HEALTH)
    async def check(settings: HealthSettings) -> HealthReport:
        report = await look(activity.client(), settings, attributes, writing=True)
        counter = activity.metric_meter().create_counter(
            "holdfast_findings", "What scheduled checks found wrong, each time that they found it"
        )
        for one in report.findings:
            counter.add(1, {"kind": one.kind, "severity": one.severity})
            activity.logger.warning("%s: %s %s %s", one.severity, one.text, one.helps, one.command)
        return report

    return check


async def _namespace(on: _Looking) -> dict[str, Any]:
    async with on.part("server"):
        found = await on.client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=on.client.namespace), timeout=TIMEOUT
        )
        return {"retention": found.config.workflow_execution_retention_ttl.ToTimedelta()}
    return {}


async def _missing(on: _Looking, attributes: Iterable[str]) -> dict[str, Any]:
    async with on.part("search attributes"):
        found = await on.client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=on.client.namespace), timeout=TIMEOUT
        )
        return {"missing_attributes": tuple(sorted(set(attributes) - set(found.custom_attributes)))}
    return {}


async def _runs_and_queues(on: _Looking) -> dict[str, Any]:
    """The runs that are the engine's to move, those of them that do not move, and the queues that they need."""
    found: dict[str, Any] = {}
    waiting: dict[str, int] = {on.settings.task_queue: 0}
    idle: list[RunSeen] = []
    async with on.part("runs"):
        listed = on.client.list_workflows(WORKING, limit=on.settings.runs_at_most, rpc_timeout=TIMEOUT)
        working = [one async for one in listed]
        for one in working:
            waiting[one.task_queue] = waiting.get(one.task_queue, 0) + 1
        total = (await on.client.count_workflows(WORKING, rpc_timeout=TIMEOUT)).count
        all_open = (await on.client.count_workflows(OPEN, rpc_timeout=TIMEOUT)).count
        found |= {
            "working": total,
            "not_looked_at": max(0, total - len(working)),
            "at_rest": max(0, all_open - total),
            "parked": (await on.client.count_workflows(PARKED, rpc_timeout=TIMEOUT)).count,
        }
        # A run need not be idle for a call of it to wait on a task queue that nobody serves.
        since = on.now - timedelta(seconds=min(on.settings.no_progress_seconds, LOOKED_INTO_SECONDS))
        old = [one.id for one in working if one.start_time < since]
        idle = [one for one in await asyncio.gather(*(_run(on, run) for run in old)) if one is not None]
    async with on.part("workflow tasks"):
        listed = on.client.list_workflows(FAILING, limit=on.settings.runs_at_most, rpc_timeout=TIMEOUT)
        looked_at = {one.run for one in idle}
        failing = [one.id async for one in listed if one.id not in looked_at]
        idle += [one for one in await asyncio.gather(*(_run(on, run) for run in failing)) if one is not None]
    async with on.part("workers"):
        queues = [each for one in waiting for each in await both_kinds(on.client, one)]
        found["queues"] = tuple(_with_waiting(queues, waiting) + await _remote(on, idle, set(waiting)))
    return {**found, "runs": tuple(idle)}


def _with_waiting(queues: Iterable[QueueHealth], waiting: Mapping[str, int]) -> list[QueueHealth]:
    return [one.model_copy(update={"waiting": waiting.get(one.name, 0)}) for one in queues]


async def _remote(on: _Looking, runs: Iterable[RunSeen], known: set[str]) -> list[QueueHealth]:
    """The queues on which runs that do not move have calls waiting, beside those of the runs themselves."""
    waiting: dict[str, int] = {}
    for run in runs:
        for queue in {call.queue for call in run.calls if call.state == "scheduled"} - known - {""}:
            waiting[queue] = waiting.get(queue, 0) + 1
    found = await asyncio.gather(*(queue_health(on.client, name, "activity") for name in waiting))
    return _with_waiting(found, waiting)


async def _run(on: _Looking, run: str) -> RunSeen | None:
    """A run that may not be moving; None when it has ended, or cannot be looked at."""
    service, execution = on.client.workflow_service, WorkflowExecution(workflow_id=run)
    async with on.gate:
        try:
            described = await service.describe_workflow_execution(
                DescribeWorkflowExecutionRequest(namespace=on.client.namespace, execution=execution),
                timeout=TIMEOUT,
            )
            latest = await service.get_workflow_execution_history_reverse(
                GetWorkflowExecutionHistoryReverseRequest(
                    namespace=on.client.namespace, execution=execution, maximum_page_size=5
                ),
                timeout=TIMEOUT,
            )
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return None
            raise
    events = latest.history.events
    if not events or described.workflow_execution_info.HasField("close_time"):
        return None
    task = described.pending_workflow_task
    cause, failure = _task_failure(events)
    return RunSeen(
        run=run,
        queue=described.execution_config.task_queue.name,
        last_event_at=events[0].event_time.ToDatetime(tzinfo=UTC),
        calls=tuple(_call(one) for one in described.pending_activities),
        task_waits_since=_at(task, "original_scheduled_time"),
        task_attempt=task.attempt,
        failure_cause=cause,
        failure=failure,
    )


def _task_failure(events: Iterable[HistoryEvent]) -> tuple[str, str]:
    """Why the last workflow task failed: only the first failure in a row is an event."""
    for event in events:
        if event.HasField("workflow_task_failed_event_attributes"):
            failed = event.workflow_task_failed_event_attributes
            cause = WorkflowTaskFailedCause.Name(failed.cause).removeprefix("WORKFLOW_TASK_FAILED_CAUSE_")
            return cause, failed.failure.message
        if event.HasField("workflow_task_timed_out_event_attributes"):
            return "TIMED_OUT", "no worker finished it in time"
        if event.HasField("workflow_task_completed_event_attributes"):
            break
    return "", ""


def _call(one: PendingActivityInfo) -> PendingCall:
    state = PendingActivityState.Name(one.state).removeprefix("PENDING_ACTIVITY_STATE_").lower()
    signs = [at for at in (_at(one, "last_heartbeat_time"), _at(one, "last_started_time")) if at is not None]
    return PendingCall(
        type=one.activity_type.name,
        state="paused" if state == "pause_requested" else state,
        attempt=one.attempt,
        attempts_at_most=one.maximum_attempts,
        scheduled_at=_at(one, "scheduled_time"),
        alive_at=max(signs, default=None),
        queue=one.activity_options.task_queue.name,
        last_failure=one.last_failure.message,
    )


def _at(message: Any, name: str) -> datetime | None:
    if not message.HasField(name):
        return None
    at: datetime = getattr(message, name).ToDatetime(tzinfo=UTC)
    return at


async def _breakers(on: _Looking) -> dict[str, Any]:
    found: list[tuple[str, Breaker]] = []
    async with on.part("breakers"):
        query = f"WorkflowType = '{names.BREAKER_BOARD}' AND ExecutionStatus = 'Running'"
        listed = on.client.list_workflows(query, limit=BOARDS_AT_MOST, rpc_timeout=TIMEOUT)
        queues = [one.id.removeprefix(f"{names.BREAKER_BOARD_ID}/") async for one in listed]
        for queue in queues:
            try:
                found += [(queue, one) for one in await read_board(on.client, queue)]
            except UNREACHABLE:
                on.unknown.setdefault("breakers", f"no worker of task queue {queue} answers for its breakers")
    return {"breakers": tuple(found)}


async def _accounts(on: _Looking) -> dict[str, Any]:
    found: list[AccountView] = []
    async with on.part("budgets"):
        query = f"WorkflowType = '{names.BUDGET_ACCOUNT}' AND ExecutionStatus = 'Running'"
        listed = on.client.list_workflows(query, limit=ACCOUNTS_AT_MOST, rpc_timeout=TIMEOUT)
        accounts = [one.id async for one in listed]
        if not accounts:
            return {}
        if (await queue_health(on.client, names.ACCOUNTS_QUEUE, "workflow")).pollers == 0:
            on.unknown["budgets"] = "no worker answers for the accounts"
            return {}

        async def show(account: str) -> AccountView:
            async with on.gate:
                view: AccountView = await on.client.get_workflow_handle(account).query(
                    names.SHOW_ACCOUNT, result_type=AccountView, rpc_timeout=ANSWERS_WITHIN
                )
                return view

        found = list(await asyncio.gather(*map(show, accounts)))
    return {"accounts": tuple(found)}


async def _artifacts(*, writing: bool) -> dict[str, Any]:
    try:
        store = artifact_store()
        async with asyncio.timeout(2 * TIMEOUT.total_seconds()):
            await store.check(PROOF if writing else None)
    except (HoldfastError, TimeoutError) as error:
        why = str(error) or "it did not answer in time"
        return {"artifacts": "HOLDFAST_ARTIFACTS", "artifacts_problem": why}
    return {"artifacts": store.address}


async def _schedule(on: _Looking) -> dict[str, Any]:
    async with on.part("schedule"):
        handle = on.client.get_schedule_handle(f"{names.HEALTH_CHECK_ID}/{on.settings.task_queue}")
        try:
            found = await handle.describe(rpc_timeout=TIMEOUT)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return {}
            raise
        if (
            not isinstance(found.schedule.action, ScheduleActionStartWorkflow)
            or not found.schedule.spec.intervals
        ):
            return {}
        last = found.info.recent_actions[-1].started_at if found.info.recent_actions else None
        return {
            "schedule": ScheduleSeen(
                every=found.schedule.spec.intervals[0].every,
                created_at=found.info.created_at,
                last_at=last,
                paused=found.schedule.state.paused,
            )
        }
    return {}
