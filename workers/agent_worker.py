"""A worker process's heart: serve agents until told to stop, then drain."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import timedelta
from typing import Any, Self, cast

from temporalio.client import Client as TemporalClient
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from activities.alerts import AlertSettings
from holdfast.agent import Agent
from holdfast.contracts.breakers import BreakerSettings
from holdfast.contracts.names import TASK_QUEUE
from holdfast.errors import UsageError
from workers.deployments import deployment_config, make_current
from workers.memory import MemoryWatch
from workers.plugin import DRAIN, HoldfastPlugin
from workers.queue_gauges import showing_queue
from workers.server_setup import ensure_search_attributes
from workflows.agent_run import AgentRun
from workflows.pinned_run import PinnedRun

MAX_CACHED_RUNS = 2000
"""Runs kept in memory between their tasks; fewer than are active costs a replay for each task."""


class AgentWorker:
    """Serves agents from a task queue, in one import and two lines.

    ```python
    async with AgentWorker(client, agents=[cloud_costs]):
        ...
    ```

    Args:
        client: A Temporal client, such as `await holdfast.connection.connect()` gives.
        agents: What it serves.
        task_queue: Where runs and calls come from.
        concurrency: How many activities (plans, calls) run at once.
        strict_sandbox: Guard the engine's workflow code against non-determinism, as the engine's own tests do.
            Off, there is no sandbox: authors' code never runs in a workflow, and replaying is twice as fast.
        transcript_cache_bytes: How much of the transcripts this process may remember.
        drain: What runs when the worker is told to stop gets so long to finish. Then it is cut off: a read or an
            idempotent write is tried again by another worker at once, any other write has an unknown outcome.
        max_memory_bytes: A ceiling for the memory (RSS) of this process. At 80 % of it caches are let go; at it
            `memory_full` is set, and `run` drains and returns, so that a supervisor starts the process anew.
        queue_gauges_every: How often the task queue's backlog, its age and its workers are set as metrics.
        breakers: When circuit breakers open and for how long: after 5 failures in a row, for 60 s.
        alerts: Where alerts go when runs park; None: as the variables `HOLDFAST_ALERT_…` say.
        deployment: The name of the fleet, such as `agents`, where workers are versioned; see `build_id`.
        build_id: Which code this is, such as a git commit. With both, a run stays with the build that it began on,
            and nothing runs on a build before it is made current (`make_current`).
        options: Any option of `temporalio.worker.Worker`, such as `max_cached_workflows`.
    """

    def __init__(
        self,
        client: TemporalClient,
        agents: Iterable[Agent[Any]],
        *,
        task_queue: str = TASK_QUEUE,
        concurrency: int = 100,
        strict_sandbox: bool = False,
        transcript_cache_bytes: int = 256 * 1024 * 1024,
        drain: timedelta = DRAIN,
        max_memory_bytes: int | None = None,
        queue_gauges_every: timedelta | None = None,
        breakers: BreakerSettings | None = None,
        alerts: AlertSettings | None = None,
        deployment: str | None = None,
        build_id: str | None = None,
        **options: Any,
    ) -> None:
        self.client = client
        self._version = deployment_config(deployment, build_id)
        self.task_queue = task_queue
        self.plugin = HoldfastPlugin(
            agents,
            strict_sandbox=strict_sandbox,
            transcript_cache_bytes=transcript_cache_bytes,
            breakers=breakers,
            alerts=alerts,
        )
        if self._version is not None:
            served = cast("list[type]", self.plugin.workflows)
            self.plugin.workflows = [PinnedRun if one is AgentRun else one for one in served]
        settings: dict[str, Any] = {
            "max_cached_workflows": MAX_CACHED_RUNS,
            "max_concurrent_activities": concurrency,
            "graceful_shutdown_timeout": drain,
            "workflow_task_poller_behavior": PollerBehaviorAutoscaling(),
            "activity_task_poller_behavior": PollerBehaviorAutoscaling(),
            **({} if strict_sandbox else {"workflow_runner": UnsandboxedWorkflowRunner()}),
            **({"deployment_config": self._version} if self._version else {}),
            **options,
        }
        self._worker = Worker(client, task_queue=task_queue, plugins=[self.plugin], **settings)
        self._memory = MemoryWatch(max_memory_bytes, self.plugin.shed) if max_memory_bytes else None
        self._gauges_every = queue_gauges_every
        self._beside = contextlib.AsyncExitStack()
        self.memory_full = self._memory.full if self._memory else asyncio.Event()
        """Set when the process has reached its ceiling of memory, and shall end."""

    @property
    def agents(self) -> list[str]:
        """The names of the agents it serves."""
        return self.plugin.agents

    async def make_current(self) -> None:
        """Let new runs go to this worker's build. Raises UsageError when it has none, or the server refuses."""
        if self._version is None:
            raise UsageError("This worker has no version: give it a `deployment` and a `build_id`.")
        version = self._version.version
        await make_current(self.client, version.deployment_name, version.build_id)

    async def run(self) -> None:
        """Serve until `shutdown` is called, or the ceiling of memory is reached.

        Runs are prepared for: missing search attributes are added.
        """
        await ensure_search_attributes(self.client)
        async with self._beside:
            await self._begin_beside()
            serving = asyncio.ensure_future(self._worker.run())
            full = asyncio.ensure_future(self.memory_full.wait())
            try:
                await asyncio.wait([serving, full], return_when=asyncio.FIRST_COMPLETED)
                if not serving.done():
                    await self._worker.shutdown()
                await serving
            finally:
                full.cancel()
                if not serving.done():  # this call was cancelled
                    serving.cancel()
                    await asyncio.wait([serving])

    async def shutdown(self) -> None:
        """Take no more work, let what runs finish within the graceful timeout, then stop."""
        await self._worker.shutdown()

    async def _begin_beside(self) -> None:
        if self._memory is not None:
            await self._beside.enter_async_context(self._memory.watching())
        await self._beside.enter_async_context(
            showing_queue(self.client, self.task_queue, self._gauges_every)
        )

    async def __aenter__(self) -> Self:
        await ensure_search_attributes(self.client)
        await self._worker.__aenter__()
        await self._begin_beside()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._beside.aclose()
        await self._worker.__aexit__(*error)  # type: ignore[arg-type]  # passed on as it came


@contextlib.asynccontextmanager
async def stopping_on_signals(stop: Callable[[], Any]) -> AsyncIterator[None]:
    """Call `stop()` (it may be a coroutine function) at the first SIGTERM or SIGINT; the second kills as usual.

    The SDK handles neither: without this a deployment would end a worker like kill -9.
    """
    loop = asyncio.get_running_loop()
    tasks: set[asyncio.Task[Any]] = set()

    def handle(number: int) -> None:
        loop.remove_signal_handler(number)
        result = stop()
        if asyncio.iscoroutine(result):
            tasks.add(asyncio.ensure_future(result))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
