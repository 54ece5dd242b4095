"""A worker process's heart: serve agents until told to stop, then drain."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, Self, cast

from temporalio.client import Client as TemporalClient
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from holdfast.agent import Agent
from holdfast.contracts.breakers import BreakerSettings
from holdfast.contracts.names import TASK_QUEUE
from holdfast.errors import UsageError
from workers.deployments import deployment_config, make_current
from workers.plugin import HoldfastPlugin
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
        breakers: When circuit breakers open and for how long: after 5 failures in a row, for 60 s.
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
        breakers: BreakerSettings | None = None,
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
        )
        if self._version is not None:
            served = cast("list[type]", self.plugin.workflows)
            self.plugin.workflows = [PinnedRun if one is AgentRun else one for one in served]
        settings: dict[str, Any] = {
            "max_cached_workflows": MAX_CACHED_RUNS,
            "max_concurrent_activities": concurrency,
            "workflow_task_poller_behavior": PollerBehaviorAutoscaling(),
            "activity_task_poller_behavior": PollerBehaviorAutoscaling(),
            **({} if strict_sandbox else {"workflow_runner": UnsandboxedWorkflowRunner()}),
            **({"deployment_config": self._version} if self._version else {}),
            **options,
        }
        self._worker = Worker(client, task_queue=task_queue, plugins=[self.plugin], **settings)

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
        """Serve until `shutdown` is called. Runs are prepared for: missing search attributes are added."""
        await ensure_search_attributes(self.client)
        await self._worker.run()

    async def shutdown(self) -> None:
        """Take no more work, let what runs finish within the graceful timeout, then stop."""
        await self._worker.shutdown()

    async def __aenter__(self) -> Self:
        await ensure_search_attributes(self.client)
        await self._worker.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
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
