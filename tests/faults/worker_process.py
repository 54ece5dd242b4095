"""Worker processes by the dozen: a mother that has imported everything, and a fork of it for each worker.

Run by `tests.faults.processes`. Importing takes seconds, forking milliseconds; nothing here starts a thread or
an event loop before the fork, and each child builds its own client, runtime and worker, as any worker process does.
Commands come as JSON lines on standard input; when it closes, and when the mother dies, the children are killed.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import json
import os
import signal
import sys
import traceback
from typing import Any

from temporalio.worker import PollerBehaviorSimpleMaximum

import activities.providers.anthropic  # the slowest import of all, before the first fork
import tests.faults.agents  # as most workers serve
from holdfast.connection import connect
from holdfast.worker import Worker
from tests.faults.reporting import ActivityPoints, TaskPoints

__all__ = ["activities", "tests"]

PR_SET_PDEATHSIG = 1


async def serve(queue: str, address: str, *, points: bool, options: dict[str, Any]) -> None:
    """Serve a queue until somebody ends the process."""
    client = await connect(address)
    agents = importlib.import_module(options.pop("agents", "tests.faults.agents")).AGENTS
    if (pollers := options.pop("pollers", None)) is not None:
        few = PollerBehaviorSimpleMaximum(pollers)
        options |= {"workflow_task_poller_behavior": few, "activity_task_poller_behavior": few}
    watching: dict[str, Any] = {"interceptors": [ActivityPoints()], "workflow_runner": TaskPoints()}
    settings = {**(watching if points else {}), **options}
    await Worker(client, agents, task_queue=queue, **settings).run()


def _child(mother: int, told: dict[str, Any]) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != mother:
        os._exit(1)
    log = os.open(told["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ.update(told["env"])
    try:
        asyncio.run(serve(told["queue"], told["address"], points=told["points"], options=told["options"]))
    except BaseException:  # noqa: BLE001  # the mother's own code must never run on in a child
        traceback.print_exc()
    finally:
        os._exit(1)


def main() -> None:
    """Say that all is loaded; then fork a worker for each line, and answer with its pid."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the children
    mother = os.getpid()
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _child(mother, json.loads(line))
        print(pid, flush=True)


if __name__ == "__main__":
    main()
    os._exit(0)  # taking down what she has loaded takes a while, and nothing waits for it
