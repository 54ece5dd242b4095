"""Is there a worker? What the server knows of it, before a question is put to one that may be gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkersRequest
from temporalio.client import Client
from temporalio.service import RPCError

_POLL_LASTS = timedelta(seconds=70)
"""A worker's poll for work waits for a minute on the server: one that polled longer ago is gone."""


async def is_served(temporal: Client, task_queue: str) -> bool:
    """Whether a worker has asked for work on a task queue in the last minute, and has not said goodbye since.

    One that was killed says no goodbye, and is believed to be there for a minute.
    """
    answer = await temporal.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=temporal.namespace,
            task_queue=TaskQueue(name=task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    since = datetime.now(UTC) - _POLL_LASTS
    polled = {one.identity: one.last_access_time.ToDatetime(tzinfo=UTC) for one in answer.pollers}
    recent = {identity: at for identity, at in polled.items() if at > since}
    if not recent:
        return False
    stopped = await _stopped(temporal, task_queue)
    return any(identity not in stopped or at > stopped[identity] for identity, at in recent.items())


async def _stopped(temporal: Client, task_queue: str) -> dict[str, datetime]:
    """The workers of a task queue that were shut down, and when, where the server keeps track of that."""
    query = "TaskQueue = '{}'".format(task_queue.replace("'", ""))
    try:
        answer = await temporal.workflow_service.list_workers(
            ListWorkersRequest(namespace=temporal.namespace, query=query)
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
