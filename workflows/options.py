"""How the promises of a spec become the options of an activity."""

from datetime import timedelta
from typing import Any, TypedDict

from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityCancellationType

from holdfast.contracts.spec import ModelRung, RetrySpec, RulesRung, ToolSpec


class ActivityOptions(TypedDict, total=False):
    """The options of `workflow.execute_activity` that Holdfast sets."""

    start_to_close_timeout: timedelta
    heartbeat_timeout: timedelta | None
    schedule_to_start_timeout: timedelta | None
    retry_policy: RetryPolicy
    task_queue: str | None
    summary: str
    cancellation_type: ActivityCancellationType


ONCE = RetryPolicy(maximum_attempts=1)

GUARD_TIMEOUT = timedelta(seconds=30)
GUARD_RETRY = RetrySpec(attempts=3)
CARE_RETRY = RetrySpec(attempts=5)
"""For probes: they read, so they are tried again."""

ALERT_RETRY = RetrySpec(attempts=6, initial_seconds=2.0, coefficient=3.0, maximum_seconds=60.0)
"""Some two minutes."""


def retry_policy(retry: RetrySpec) -> RetryPolicy:
    """The same in Temporal's words; never without a bound."""
    return RetryPolicy(
        initial_interval=timedelta(seconds=retry.initial_seconds),
        backoff_coefficient=retry.coefficient,
        maximum_interval=timedelta(seconds=max(retry.maximum_seconds, retry.initial_seconds)),
        maximum_attempts=retry.attempts,
    )


def _seconds(value: float | None) -> timedelta | None:
    return timedelta(seconds=value) if value is not None else None


def plan_options(rung: ModelRung | RulesRung, summary: str) -> ActivityOptions:
    """For asking a rung."""
    return ActivityOptions(
        start_to_close_timeout=timedelta(seconds=rung.timeout_seconds),
        heartbeat_timeout=timedelta(seconds=rung.heartbeat_seconds),
        retry_policy=retry_policy(rung.retry),
        summary=summary,
    )


def tool_options(tool: ToolSpec, summary: str) -> ActivityOptions:
    """For a call. A write that is not idempotent is tried once: whether it happened is then found out.

    When the run is cancelled, what the call says of its end is waited for; without heartbeats it would not even hear
    of it.
    """
    heartbeat = None if tool.task_queue else _seconds(tool.heartbeat_seconds)
    waits = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED
    return ActivityOptions(
        start_to_close_timeout=timedelta(seconds=tool.timeout_seconds),
        heartbeat_timeout=heartbeat,
        cancellation_type=waits if heartbeat else ActivityCancellationType.TRY_CANCEL,
        schedule_to_start_timeout=_seconds(tool.queue_seconds) if tool.task_queue else None,
        retry_policy=retry_policy(tool.retry) if tool.repeatable else ONCE,
        task_queue=tool.task_queue,
        summary=summary,
    )


def probe_options(tool: ToolSpec, summary: str) -> ActivityOptions:
    """For a tool's probe."""
    return ActivityOptions(
        start_to_close_timeout=timedelta(seconds=tool.timeout_seconds),
        heartbeat_timeout=_seconds(tool.heartbeat_seconds),
        retry_policy=retry_policy(CARE_RETRY),
        summary=summary,
    )


def undo_options(tool: ToolSpec, summary: str) -> ActivityOptions:
    """For a tool's undo, which must be idempotent, so it is tried again as the tool says."""
    return ActivityOptions(
        start_to_close_timeout=timedelta(seconds=tool.timeout_seconds),
        heartbeat_timeout=_seconds(tool.heartbeat_seconds),
        retry_policy=retry_policy(tool.retry),
        summary=summary,
    )


def guard_options(summary: str) -> ActivityOptions:
    """For the guards of a step."""
    return ActivityOptions(
        start_to_close_timeout=GUARD_TIMEOUT,
        heartbeat_timeout=timedelta(seconds=10),
        retry_policy=retry_policy(GUARD_RETRY),
        summary=summary,
    )


def engine_options(summary: str, seconds: float = 60.0) -> ActivityOptions:
    """For what the engine itself reads."""
    return ActivityOptions(
        start_to_close_timeout=timedelta(seconds=seconds),
        heartbeat_timeout=timedelta(seconds=15),
        retry_policy=retry_policy(GUARD_RETRY),
        summary=summary,
    )


def alert_options(summary: str) -> ActivityOptions:
    """For telling people: tried for some minutes, and then left."""
    return ActivityOptions(
        start_to_close_timeout=timedelta(seconds=30),
        retry_policy=retry_policy(ALERT_RETRY),
        summary=summary,
    )


def as_kwargs(options: ActivityOptions) -> dict[str, Any]:
    """For `execute_activity(name, input, **…)`; its overloads do not take a TypedDict."""
    return dict(options)
