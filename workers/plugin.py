"""Holdfast as one Temporal plugin: workflows, activities, converter, sandbox and failure types together.

For people who embed the engine in a worker of their own. `AgentWorker` uses it too, so there is one assembly.
"""

import contextlib
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import timedelta
from typing import Any

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin
from temporalio.worker import Worker, WorkerConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.alerts import AlertSettings, post_alert, raise_alert
from activities.archive import archive
from activities.artifacts import read_artifact
from activities.breakers import Breakers
from activities.compact import compact_activity
from activities.effects import list_effects
from activities.health import check_health
from activities.plan import plan_activity
from activities.registry import AgentRegistry
from activities.resolve import resolve_agent
from activities.tools import tool_activity
from activities.transcripts import TranscriptCache
from activities.vet import vet
from holdfast.agent import Agent
from holdfast.contracts.breakers import BreakerSettings
from holdfast.contracts.names import ACCOUNTS_QUEUE
from workers.accounts_worker import serving_accounts
from workers.dev_config import packaged_dev_config
from workers.passed_through import PASSED_THROUGH, STRICT_PASSED_THROUGH
from workflows.agent_run import AgentRun
from workflows.breaker_board import BreakerBoard
from workflows.budget_account import BudgetAccount
from workflows.health_check import HealthCheck
from workflows.parked_alert import ParkedAlert
from workflows.undo_run import UndoRun

DRAIN = timedelta(seconds=10)
"""What runs when a worker is told to stop gets so long to finish."""

SDK_DEFAULTS: dict[str, Any] = {
    "sticky_queue_schedule_to_start_timeout": timedelta(seconds=10),
    "max_heartbeat_throttle_interval": timedelta(seconds=60),
    "default_heartbeat_throttle_interval": timedelta(seconds=30),
    "graceful_shutdown_timeout": timedelta(),
}
"""What the SDK has where nobody said anything: these are replaced by what a durable agent needs."""


@contextlib.asynccontextmanager
async def _closing(breakers: Breakers) -> AsyncIterator[None]:
    try:
        yield
    finally:
        await breakers.close()


class HoldfastPlugin(SimplePlugin):
    """Serves agents from any Temporal worker: `Worker(client, task_queue=…, plugins=[HoldfastPlugin([…])])`.

    Args:
        agents: What this worker serves.
        strict_sandbox: Guard the engine's own workflow code against non-determinism too. Slower; for tests.
        transcript_cache_bytes: How much of the transcripts this process may remember.
        breakers: When circuit breakers open and for how long: after 5 failures, for 60 s.
        alerts: Where alerts go when runs park; None: as the variables `HOLDFAST_ALERT_…` say.
    """

    def __init__(
        self,
        agents: Iterable[Agent[Any]],
        *,
        strict_sandbox: bool = False,
        transcript_cache_bytes: int = 256 * 1024 * 1024,
        breakers: BreakerSettings | None = None,
        alerts: AlertSettings | None = None,
    ) -> None:
        self._strict_sandbox = strict_sandbox
        guard, alerting = Breakers(breakers), alerts or AlertSettings.from_environment()
        registry, cache = AgentRegistry(agents), TranscriptCache(transcript_cache_bytes)
        self.shed = cache.shed
        """Let go of the transcripts that it remembers; the number of bytes that they took, about."""
        self.agents = registry.names
        modules = STRICT_PASSED_THROUGH if strict_sandbox else PASSED_THROUGH

        def sandbox(runner: WorkflowRunner | None) -> WorkflowRunner:
            if not isinstance(runner, SandboxedWorkflowRunner):
                return runner or SandboxedWorkflowRunner()
            if strict_sandbox and runner.restrictions is SandboxRestrictions.default:
                from workers.strict_sandbox import StrictRunner  # it needs what the SDK may move

                return StrictRunner()
            restrictions = runner.restrictions.with_passthrough_modules(*modules)
            return dataclasses.replace(runner, restrictions=restrictions)

        super().__init__(
            "holdfast",
            data_converter=pydantic_data_converter,
            workflows=[AgentRun, UndoRun, BudgetAccount, BreakerBoard, HealthCheck, ParkedAlert],
            activities=[
                resolve_agent(registry),
                plan_activity(registry, cache, guard),
                vet(registry),
                list_effects(),
                read_artifact(cache),
                archive(),
                check_health(packaged_dev_config().search_attributes),
                raise_alert(alerting),
                post_alert(alerting),
                tool_activity(registry, cache, guard),
                compact_activity(registry, cache, guard),
            ],
            workflow_runner=sandbox,
            run_context=lambda: _closing(guard),
        )

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """What a durable agent needs of a worker; each value may be overridden by the worker's own.

        - sticky timeout 1 s: after a crash the next task goes to another worker in 1 s, not 10.
        - heartbeat throttle 200 ms: live text and lost workers are seen at once.
        - graceful shutdown 10 s: running calls may finish.
        """
        config = super().configure_worker(config)
        defaults: WorkerConfig = {
            "sticky_queue_schedule_to_start_timeout": timedelta(seconds=1),
            "max_heartbeat_throttle_interval": timedelta(milliseconds=200),
            "default_heartbeat_throttle_interval": timedelta(milliseconds=200),
            "graceful_shutdown_timeout": DRAIN,
        }
        given = {name: value for name, value in config.items() if value != SDK_DEFAULTS.get(name, value)}
        return {**config, **defaults, **given}  # type: ignore[typeddict-item]  # each is of the config itself

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:  # noqa: A002  # the SDK's name
        """Serve the namespace's accounts beside the worker's own queue, wherever their runs are."""
        if worker.task_queue == ACCOUNTS_QUEUE:
            await next(worker)
            return
        async with serving_accounts(worker.client, strict_sandbox=self._strict_sandbox):
            await super().run_worker(worker, next)
