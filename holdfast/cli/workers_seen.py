"""Is there a worker? What the server knows of it, before a question is put to one that may be gone."""

from __future__ import annotations

from temporalio.client import Client

from activities.queues import queue_health


async def is_served(temporal: Client, task_queue: str) -> bool:
    """Whether a worker has asked for work on a task queue in the last minute, and has not said goodbye since.

    One that was killed says no goodbye, and is believed to be there for a minute.
    """
    return (await queue_health(temporal, task_queue, "workflow")).pollers > 0
