"""A task queue as the server sees it: who asks for work on it, how much waits, and for how long."""

import asyncio
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkersRequest
from temporalio.client import Client
from temporalio.service import RPCError

from holdfast.contracts.health import QueueHealth, QueueKind

POLL_LASTS = timedelta(seconds=70)
"""A worker's poll for work waits for a minute on the server: one that polled longer ago is gone."""

TIMEOUT = timedelta(seconds=10)

_TYPES = {
    "workflow": TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    "activity": TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
}


async def queue_health(client: Client, name: str, kind: QueueKind) -> QueueHealth:
    """How a task queue stands. A worker that was killed says no goodbye, and is counted for a minute.

    Raises RPCError.
    """
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=name),
            task_queue_type=_TYPES[kind],
            report_stats=True,
        ),
        timeout=TIMEOUT,
    )
    since = datetime.now(UTC) - POLL_LASTS
    polled = {one.identity: one.last_access_time.ToDatetime(tzinfo=UTC) for one in answer.pollers}
    recent = {identity: at for identity, at in polled.items() if at > since}
    stopped = await stopped_workers(client, name) if recent else {}
    stats = answer.stats
    return QueueHealth(
        name=name,
        kind=kind,
        pollers=sum(identity not in stopped or at > stopped[identity] for identity, at in recent.items()),
        backlog=max(0, stats.approximate_backlog_count),
        age_seconds=max(0.0, stats.approximate_backlog_age.ToTimedelta().total_seconds()),
    )


async def both_kinds(client: Client, name: str) -> list[QueueHealth]:
    """A queue's workflow tasks and its activity tasks."""
    return list(
        await asyncio.gather(queue_health(client, name, "workflow"), queue_health(client, name, "activity"))
    )


async def stopped_workers(client: Client, name: str) -> dict[str, datetime]:
    """The workers of a task queue that were shut down, and when, where the server keeps track of that."""
    query = "TaskQueue = '{}'".format(name.replace("'", ""))
    try:
        answer = await client.workflow_service.list_workers(
            ListWorkersRequest(namespace=client.namespace, query=query), timeout=TIMEOUT
        )
    except RPCError:  # an older server
        return {}
    gone = (WorkerStatus.WORKER_STATUS_SHUTTING_DOWN, WorkerStatus.WORKER_STATUS_SHUTDOWN)
    found: dict[str, datetime] = {}
    for beat in (one.worker_heartbeat for one in answer.workers_info):
        if beat.status in gone:
            at = beat.heartbeat_time.ToDatetime(tzinfo=UTC)
            found[beat.worker_identity] = max(at, found.get(beat.worker_identity, at))
    return found
