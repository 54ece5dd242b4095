"""`holdfast worker`: serves the agents of Python modules until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import threading
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.command import Server, command
from holdfast.cli.ending import OK, RESTART
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from holdfast.agent import Agent

DRAIN_SECONDS = 10.0

_EXAMPLES = """\
  holdfast worker my_agents                    those of my_agents.py
  holdfast worker team.billing team.support    those of two modules
  holdfast worker my_agents --verbose          with every traceback
  holdfast worker my_agents --deployment agents --build-id 3f2c1ab
                                               one build beside others

SIGTERM and Ctrl-C drain it: what runs gets ten seconds to finish (--drain).
Kill it, and its runs go on with the next worker. At its ceiling of memory
it drains and ends with exit code 75: start it again."""

_UNITS = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "KI": 1024, "MI": 1024**2, "GI": 1024**3}
_LEAST_MEMORY = 100_000_000
_ENDS_WITHIN = 5.0
"""Seconds after the drain in which the process must have ended; a tool in a thread may not know of it."""


def add_to(app: typer.Typer) -> None:
    """Registers the command."""

    @command(app, "worker", panel="Begin", examples=_EXAMPLES, fast=True)
    async def worker(
        *,
        server: Server,
        modules: Annotated[
            list[str],
            typer.Argument(
                metavar="MODULE",
                help="Modules whose top-level Agent(…) values are served, named as Python imports them. "
                "The current folder is importable.",
                show_default=False,
            ),
        ],
        concurrency: Annotated[int, typer.Option(min=1, help="How many plans and calls run at once.")] = 100,
        metrics: Annotated[
            str | None,
            typer.Option(
                metavar="HOST:PORT", help="Serve Prometheus metrics there, at /metrics.", show_default=False
            ),
        ] = None,
        drain: Annotated[
            float,
            typer.Option(
                min=0,
                metavar="SECONDS",
                help="Told to stop, give what runs so long to finish.",
                show_default=True,
            ),
        ] = DRAIN_SECONDS,
        max_memory: Annotated[
            str | None,
            typer.Option(
                metavar="SIZE",
                help="Let caches go near this much memory, such as 2G; at it drain, and end with exit code 75.",
                show_default=False,
            ),
        ] = None,
        deployment: Annotated[
            str | None,
            typer.Option(
                metavar="NAME",
                help="The fleet that this worker is a build of: each run stays with the build it began on.",
                show_default=False,
            ),
        ] = None,
        build_id: Annotated[
            str | None,
            typer.Option(metavar="ID", help="Which build it is, such as a git commit.", show_default=False),
        ] = None,
        make_current: Annotated[
            bool, typer.Option("--make-current", help="Let new runs go to this build as soon as it is up.")
        ] = False,
        verbose: Annotated[
            bool, typer.Option("--verbose", "-v", help="Log every attempt, and failures with tracebacks.")
        ] = False,
    ) -> int:
        """Serve agents: plan their steps and carry out their calls.

        Start as many workers as you like, on as many machines: they share the work, and stand in for each other.
        """
        if make_current and deployment is None:
            raise UsageError("--make-current needs --deployment NAME and --build-id ID.")
        return await _serve(
            server,
            modules,
            concurrency=concurrency,
            metrics=metrics,
            drain=drain,
            max_memory=_bytes(max_memory) if max_memory else None,
            verbose=verbose,
            deployment=deployment,
            build_id=build_id,
            current=make_current,
        )


async def _serve(
    server: Server,
    modules: list[str],
    *,
    concurrency: int,
    metrics: str | None,
    drain: float,
    max_memory: int | None,
    verbose: bool,
    deployment: str | None,
    build_id: str | None,
    current: bool,
) -> int:
    from holdfast.cli.worker_log import ActivityLog, log_to_stderr, runtime_with_quiet_core, say
    from holdfast.connection import connect_to, find_target
    from holdfast.worker import AlertSettings
    from workers.agent_worker import AgentWorker, stopping_on_signals
    from workers.deployments import current_command
    from workers.loading import load_agents

    log_to_stderr(verbose=verbose)
    alerts = AlertSettings.from_environment()
    agents = load_agents(modules)
    target = find_target(server.address, server.namespace, server.profile)
    client = await connect_to(target, runtime=runtime_with_quiet_core(verbose=verbose, metrics=metrics))
    worker = AgentWorker(
        client,
        agents,
        task_queue=server.task_queue,
        concurrency=concurrency,
        interceptors=[ActivityLog()],
        drain=timedelta(seconds=drain),
        max_memory_bytes=max_memory,
        queue_gauges_every=timedelta(seconds=15) if metrics else None,
        deployment=deployment,
        build_id=build_id,
        alerts=alerts,
    )
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def told() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, os._exit, 128 + number)
        say(f"draining: takes no more work, and gives what runs {drain:g} s to finish; again to stop at once")
        _end_within(drain + _ENDS_WITHIN, RESTART if worker.memory_full.is_set() else OK)
        stop.set()

    async def until_full() -> None:
        await worker.memory_full.wait()
        told()

    full = asyncio.create_task(until_full())
    async with stopping_on_signals(told), worker:
        for agent in sorted(agents, key=lambda one: one.name):
            say(f"serves {agent.name} (version {agent.digest[:8]}), planned by {_planners(agent)}")
        for problem in _problems(agents):
            say(problem, warning=True)
        where = f"{target.address}, namespace {target.namespace} ({target.source})"
        say(f"on task queue {server.task_queue} of {where}")
        if alerts.webhook is not None:
            say(f"alerts of parked runs go to {alerts.host}, as {alerts.used_format}")
        if current:
            await worker.make_current()
            say(f"new runs go to build {build_id} of {deployment}")
        elif deployment and build_id:
            say("new runs come here once this is the current build:")
            say(f"  {current_command(deployment, build_id)}")
        await stop.wait()
    full.cancel()
    say("stopped; its runs go on with the next worker")
    return RESTART if worker.memory_full.is_set() else OK


def _end_within(seconds: float, code: int) -> None:
    """End the process by then, whatever a tool that was cut off still does in its thread."""

    def end() -> None:
        from holdfast.cli.worker_log import say

        say("stopped; what did not end in time is cut off, and goes on with the next worker", warning=True)
        os._exit(code)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _bytes(size: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?I?)B?", size.strip().upper())
    number = float(found[1]) * _UNITS.get(found[2], 0) if found else 0.0
    if number < _LEAST_MEMORY:
        raise UsageError(
            f"{size!r} is no size of memory: say one of at least 100M, such as 800M, 2G or 2GiB."
        )
    return int(number)


def _planners(agent: Agent[Any]) -> str:
    from policies.labels import planner_name

    return ", else ".join(map(planner_name, agent.spec.ladder))


def _problems(agents: Iterable[Agent[Any]]) -> list[str]:
    """What will not work as things are, though it does not keep the worker from starting."""
    if any(os.environ.get(name) for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")):
        return []
    lacking = [agent for agent in agents if any(rung.kind == "model" for rung in agent.spec.ladder)]
    if not lacking:
        return []
    names = ", ".join(sorted(agent.name for agent in lacking))
    told = (
        f"ANTHROPIC_API_KEY is not set: {names} cannot plan with a model. "
        "The next planner of the agent's ladder plans, and without one its runs park until they are redriven."
    )
    return [told]
