"""Serving the namespace's accounts: one worker for each client of this process, however many serve agents with it.

The SDK refuses a second worker of one queue on one client, and accounts live on one queue for the whole namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from weakref import WeakKeyDictionary

from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkflowRunner

from holdfast.contracts.names import ACCOUNTS_QUEUE
from workflows.budget_account import BudgetAccount


@dataclass
class _Shared:
    worker: Worker
    users: int = 0


_serving: WeakKeyDictionary[Client, _Shared] = WeakKeyDictionary()
_turns: WeakKeyDictionary[Client, asyncio.Lock] = WeakKeyDictionary()


@contextlib.asynccontextmanager
async def serving_accounts(client: Client, *, strict_sandbox: bool) -> AsyncIterator[None]:
    """Serve accounts until the last of those who asked for it on this client has left."""
    turn = _turns.setdefault(client, asyncio.Lock())  # one that begins waits until one that ends is gone
    async with turn:
        shared = _serving.get(client)
        if shared is None:
            shared = _Shared(_worker(client, strict_sandbox=strict_sandbox))
            await shared.worker.__aenter__()
            _serving[client] = shared
        shared.users += 1
    try:
        yield
    finally:
        async with turn:
            shared.users -= 1
            if not shared.users:
                del _serving[client]
                await shared.worker.__aexit__(None, None, None)


def _worker(client: Client, *, strict_sandbox: bool) -> Worker:
    runner: WorkflowRunner = UnsandboxedWorkflowRunner()
    if strict_sandbox:
        from workers.strict_sandbox import StrictRunner  # it needs what the SDK may move

        runner = StrictRunner()
    return Worker(
        client,
        task_queue=ACCOUNTS_QUEUE,
        workflows=[BudgetAccount],
        workflow_runner=runner,
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
        max_concurrent_workflow_task_polls=2,
    )
