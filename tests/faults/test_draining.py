"""A worker that is told to stop, or is full, stops in time, and hands over what it could not finish."""

from __future__ import annotations

import signal
import time
import uuid
from pathlib import Path

import pytest

from holdfast import Client
from holdfast.testing import DevServer
from tests.acceptance.command_line import CommandLine

AGENTS = """
import asyncio, os, pathlib, time
from datetime import timedelta
from holdfast import *

HERE = pathlib.Path(__file__).parent

def first(name):
    "Whether it is the first attempt of this name."
    try:
        (HERE / name).touch(exist_ok=False)
    except FileExistsError:
        return False
    print("begun", name, flush=True)
    return True

@tool(effect="read", heartbeat=timedelta(seconds=5))
async def read_slowly(name: str) -> str:
    "Read; the first time it takes for ever."
    if first(name):
        await asyncio.sleep(600)
    return "read"

@tool(effect="read", heartbeat=timedelta(seconds=5))
def read_in_a_thread(name: str) -> str:
    "Read; the first time it takes for ever, in a thread that nobody can stop."
    if first(name):
        time.sleep(600)
    return "read"

@tool(effect="irreversible", waiver="nobody loses money in a test")
async def pay_slowly(name: str) -> str:
    "Pay; the first time it takes for ever."
    if first(name):
        await asyncio.sleep(600)
    return "paid"

HELD = []

@tool(effect="read")
async def hoard(name: str) -> str:
    "Keep a quarter of a gigabyte, the first time."
    if first(name):
        HELD.append(bytearray(os.urandom(1024)) * 250_000)
        await asyncio.sleep(600)
    return "let go"

def plan(view):
    return Finish(view.calls[0].result or "nothing") if view.calls else [Call(view.task, name=view.task)]

worker = Agent(
    name="worker", instructions="Work.", tools=[read_slowly, read_in_a_thread, pay_slowly, hoard],
    ladder=[Rules(plan)], output=str, autonomy="full",
)
"""


@pytest.fixture
def cli(tmp_path: Path, temporal_server: DevServer) -> CommandLine:
    """A folder with a module of slow tools."""
    (tmp_path / "slow_tools.py").write_text(AGENTS)
    return CommandLine(
        tmp_path, ("--address", temporal_server.address, "--task-queue", f"q-{uuid.uuid4().hex[:8]}")
    )


async def client_of(cli: CommandLine, server: DevServer) -> Client:
    """A client of the folder's task queue."""
    return Client(await server.connect(), task_queue=cli.options[3])


@pytest.mark.slow
async def test_sigterm_ends_a_worker_in_time_and_hands_its_calls_over(
    cli: CommandLine, temporal_server: DevServer
) -> None:
    """Told to stop with two seconds to drain, it ends within seven, though a thread of it never does.

    Reads are made again by the next worker; of a write that was cut off nobody knows, so a person is asked.
    """
    client = await client_of(cli, temporal_server)
    tasks = ("read_slowly", "read_in_a_thread", "pay_slowly")
    with cli.running("worker", "slow_tools", "--drain", "2") as worker:
        worker.read_until("on task queue")
        runs = {
            task: await client.start("worker", task, id=f"{task}-{uuid.uuid4().hex[:8]}") for task in tasks
        }
        said = ""
        while said.count("begun") < len(tasks):
            said += worker.read_until("begun")
        began = time.monotonic()
        worker.process.send_signal(signal.SIGTERM)
        said = worker.rest()
        took = time.monotonic() - began
    assert worker.process.returncode == 0
    assert took < 2 + 5 + 1
    assert "gives what runs 2 s to finish" in said
    with cli.worker("slow_tools"):
        assert await runs["read_slowly"].result() == "read"
        assert await runs["read_in_a_thread"].result() == "read"
        request = await runs["pay_slowly"].next_request()
        assert request.kind == "unknown_effect"
        await runs["pay_slowly"].cancel()


@pytest.mark.slow
async def test_a_worker_at_its_ceiling_of_memory_ends_by_itself(
    cli: CommandLine, temporal_server: DevServer
) -> None:
    """It lets its caches go, drains, and ends with exit code 75; its supervisor's next worker goes on with the run."""
    client = await client_of(cli, temporal_server)
    with cli.running("worker", "slow_tools", "--drain", "1", "--max-memory", "300M") as worker:
        worker.read_until("on task queue")
        run = await client.start("worker", "hoard", id=f"hoard-{uuid.uuid4().hex[:8]}")
        said = worker.rest()
    assert worker.process.returncode == 75
    assert "let caches of" in said
    assert "is the ceiling of 300 MB" in said
    assert "draining" in said
    with cli.worker("slow_tools"):
        assert await run.result() == "let go"
