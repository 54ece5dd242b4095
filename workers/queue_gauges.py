"""A worker's task queue as metrics: what an autoscaler goes by.

Each worker tells the same, since it is the server's count: take the largest.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import timedelta

from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from activities.background import beside
from activities.queues import both_kinds

BACKLOG = "holdfast_task_queue_backlog"
AGE = "holdfast_task_queue_backlog_age_seconds"
POLLERS = "holdfast_task_queue_workers"

_log = logging.getLogger("holdfast.worker")


@contextlib.asynccontextmanager
async def showing_queue(client: Client, task_queue: str, every: timedelta | None) -> AsyncIterator[None]:
    """Set the gauges every so often while the block runs; None: never."""
    if every is None:
        yield
        return
    async with beside(_show(client, task_queue, every.total_seconds())):
        yield


async def _show(client: Client, task_queue: str, every: float) -> None:
    runtime = client.service_client.config.runtime or Runtime.default()
    meter = runtime.metric_meter.with_additional_attributes(
        {"namespace": client.namespace, "task_queue": task_queue}
    )
    backlog = meter.create_gauge(BACKLOG, "Tasks that wait for a worker")
    age = meter.create_gauge_float(AGE, "How long the oldest of them has waited")
    pollers = meter.create_gauge(POLLERS, "Workers that ask for work")
    while True:
        try:
            for one in await both_kinds(client, task_queue):
                kind = {"task_type": one.kind}
                backlog.set(one.backlog, kind)
                age.set(one.age_seconds if one.backlog else 0.0, kind)
                pollers.set(one.pollers, kind)
        except RPCError as error:
            _log.debug("task queue %s cannot be looked at: %s", task_queue, error)
        await asyncio.sleep(every)
