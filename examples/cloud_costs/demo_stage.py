"""What the demo needs before its run can start, set up and taken down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from examples.cloud_costs.demo_processes import FOLDER, Commands, Stack, Worker, temporal_server
from examples.cloud_costs.demo_screen import Screen
from examples.cloud_costs.demo_wire import Wire
from examples.cloud_costs.inventory import Inventory, load
from examples.cloud_costs.journal import Journal
from examples.cloud_costs.moto_server import MotoServer, aws_environment
from holdfast.client import Client
from holdfast.connection import Target, connect_to

AGENT_MODULE = "examples.cloud_costs.agent"


@dataclass
class Stage:
    """Everything that takes part in the demo."""

    screen: Screen
    stack: Stack
    commands: Commands
    client: Client
    wire: Wire
    workers: list[Worker] = field(default_factory=list)
    journal: Journal | None = None
    """What reaches the account once it is filled."""
    heard: float = field(default_factory=time.monotonic)
    """When the run last let hear of itself."""
    under_way: dict[str, str] = field(default_factory=dict)
    """The calls that have begun and not ended, and the tool of each."""
    cut_off: set[str] = field(default_factory=set)
    """Those of them that lost their worker."""

    def start_worker(self) -> Worker:
        """Starts the next worker process, by the command that a person would type."""
        argv = ["worker", AGENT_MODULE, "--task-queue", self.client.task_queue]
        # Whatever account the person's own environment names: the demo's workers reach the stand-in only.
        environment = {**self.commands.environment(), "AWS_ENDPOINT_URL": self.wire.url}
        worker = Worker(len(self.workers) + 1, self.commands.argv("holdfast", *argv), environment)
        worker.start()
        self.workers.append(worker)
        self.screen.say(f"Worker {worker.number} is process {worker.pid}")
        self.screen.command(self.commands.shown("holdfast", *argv))
        return worker

    async def stop_workers(self) -> None:
        """Ends the workers that are left."""
        await asyncio.gather(*(worker.stop() for worker in self.workers))


@contextlib.asynccontextmanager
async def set_up(screen: Screen) -> AsyncIterator[Stage]:
    """Server, account and first worker.

    The task queue is the demo's own: no other worker, which may hold real credentials, can be given its calls.

    Raises:
        DevServerError: The Temporal server cannot be started.
        RuntimeError: The stand-in account cannot be started.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with contextlib.AsyncExitStack() as up:
        screen.wait_for("starting a Temporal server")
        stack = await up.enter_async_context(temporal_server())
        ran = ", which runs already" if stack.already_there else ""
        screen.say(f"Temporal server at {stack.address}{ran}; UI {stack.ui_url or 'off'}")
        temporal = await connect_to(Target(stack.address, stack.namespace, "the demo's server", named=True))
        wire = up.enter_context(Wire())
        moto = MotoServer(log=FOLDER / "moto.log")
        up.callback(moto.stop)
        os.environ.update(_environment_of_account(wire.url))
        client = Client(temporal, task_queue=f"demo-{uuid.uuid4().hex[:6]}")
        stage = Stage(screen, stack, Commands(stack), client, wire)
        up.push_async_callback(stage.stop_workers)
        stage.start_worker()
        screen.wait_for("filling a stand-in AWS account")
        planner = _planner()
        inventory = await asyncio.to_thread(_open_account, moto, wire)
        screen.names = {key: machine.name for key, machine in inventory.machines.items()}
        stage.journal = Journal(moto.recording)
        screen.say(
            f"AWS: a stand-in (moto) with {len(inventory.machines)} instances, for the same boto3 code"
        )
        screen.say(planner)
        screen.rest()
        yield stage


def _planner() -> str:
    """How the agent will plan."""
    # Its module logs that, for people who serve it; here the screen says it.
    logging.getLogger(AGENT_MODULE).setLevel(logging.ERROR)
    from examples.cloud_costs.agent import HAS_KEY, MODEL

    return f"Planner: {MODEL}" if HAS_KEY else "Planner: the agent's rules, as ANTHROPIC_API_KEY is not set"


def _environment_of_account(url: str) -> Mapping[str, str]:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ENDPOINT_URL_EC2", "AWS_ENDPOINT_URL_CLOUDWATCH"):
        os.environ.pop(name, None)
    return aws_environment(url)


def _open_account(moto: MotoServer, wire: Wire) -> Inventory:
    """Starts the stand-in, fills it, and connects the wire. Runs in a thread: it takes some seconds."""
    moto.start()
    wire.lead_to(moto.url)
    return load()
