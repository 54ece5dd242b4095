"""The scheduled check: a Temporal Schedule that starts the workflow `HealthCheck` every so often."""

from __future__ import annotations

from datetime import timedelta

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from holdfast.contracts import names
from holdfast.contracts.health import HealthSettings

TIMEOUT = timedelta(seconds=10)


def schedule_id(task_queue: str) -> str:
    """The id of a task queue's schedule."""
    return f"{names.HEALTH_CHECK_ID}/{task_queue}"


async def schedule_check(client: Client, every: timedelta, settings: HealthSettings) -> bool:
    """Have a check made every so often, by the workers of the settings' task queue; whether that is new.

    Asking again changes the one that there is. One check at a time; one that was missed is not made up for.
    """
    wanted = Schedule(
        action=ScheduleActionStartWorkflow(
            names.HEALTH_CHECK,
            settings,
            id=schedule_id(settings.task_queue),
            task_queue=settings.task_queue,
            execution_timeout=max(every, timedelta(minutes=10)),
            static_summary=f"look after {settings.task_queue}"[:180],
        ),
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=every)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=timedelta(minutes=1)),
        state=ScheduleState(note="holdfast doctor --schedule"),
    )
    try:
        await client.create_schedule(
            schedule_id(settings.task_queue), wanted, trigger_immediately=True, rpc_timeout=TIMEOUT
        )
    except ScheduleAlreadyRunningError:
        handle = client.get_schedule_handle(schedule_id(settings.task_queue))

        def changed(found: ScheduleUpdateInput) -> ScheduleUpdate:
            del found
            return ScheduleUpdate(wanted)

        await handle.update(changed, rpc_timeout=TIMEOUT)
        return False
    return True


async def unschedule_check(client: Client, task_queue: str) -> bool:
    """Have no more checks made; False: there were none."""
    try:
        await client.get_schedule_handle(schedule_id(task_queue)).delete(rpc_timeout=TIMEOUT)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True
