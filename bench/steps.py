"""Milliseconds per step against the floor: same server, same process, interleaved, cold and warm cache.

    python -m bench.steps [--steps 20] [--rounds 6]

Warm: runs stay in the worker's cache. Cold: the cache holds none, so every task replays the run so far.
The floor runs twice: as the SDK's defaults have it (in its sandbox), and without the sandbox, which Holdfast's
own worker does not need because authors' code never runs in a workflow.
"""

import argparse
import asyncio
import itertools
import statistics
import time
import uuid
from typing import Any

from temporalio.client import Client as TemporalClient
from temporalio.worker import UnsandboxedWorkflowRunner
from temporalio.worker import Worker as TemporalWorker

from bench.agents import reader
from bench.floor import FloorRun, floor_plan, floor_read_page
from holdfast.testing.dev_server import dev_server
from holdfast.worker import Worker

CHARACTERS = 1000


async def engine_run(client: TemporalClient, steps: int) -> float:
    """Seconds of one run of the engine."""
    began = time.perf_counter()
    await client.execute_workflow(
        "AgentRun",
        {"agent": "reader", "task": f"read {steps} pages of {CHARACTERS} characters"},
        id=f"engine-{uuid.uuid4().hex[:8]}",
        task_queue="bench-engine",
    )
    return time.perf_counter() - began


async def floor_run(client: TemporalClient, steps: int) -> float:
    """Seconds of one run of the floor."""
    began = time.perf_counter()
    await client.execute_workflow(
        "FloorRun",
        {"task": "read", "steps": steps, "characters": CHARACTERS},
        id=f"floor-{uuid.uuid4().hex[:8]}",
        task_queue="bench-floor",
    )
    return time.perf_counter() - began


async def compare(
    client: TemporalClient, steps: int, rounds: int, options: dict[str, Any], floor_options: dict[str, Any]
) -> dict[str, float]:
    """Medians of interleaved rounds, in milliseconds per step, and the median of the rounds' ratios."""
    floor_worker = TemporalWorker(
        client,
        task_queue="bench-floor",
        workflows=[FloorRun],
        activities=[floor_plan, floor_read_page],
        **options,
        **floor_options,
    )
    async with floor_worker, Worker(client, [reader], task_queue="bench-engine", **options):
        await engine_run(client, 3)
        await floor_run(client, 3)
        pairs = []
        for number in range(rounds):
            runs = (engine_run, floor_run) if number % 2 else (floor_run, engine_run)
            seconds = {run: await run(client, steps) for run in runs}
            pairs.append((seconds[engine_run], seconds[floor_run]))
    return {
        "engine_ms": statistics.median(engine for engine, _ in pairs) / steps * 1000,
        "floor_ms": statistics.median(floor for _, floor in pairs) / steps * 1000,
        "ratio": statistics.median(engine / floor for engine, floor in pairs),
    }


async def main(steps: int, rounds: int) -> None:
    """Measure and print."""
    async with dev_server(in_memory=False) as server:
        client = await server.connect()
        caches: dict[str, dict[str, Any]] = {"warm": {}, "cold": {"max_cached_workflows": 0}}
        floors: dict[str, dict[str, Any]] = {
            "": {},
            " without sandbox": {"workflow_runner": UnsandboxedWorkflowRunner()},
        }
        for (cache, options), (floor, floor_options) in itertools.product(caches.items(), floors.items()):
            found = await compare(client, steps, rounds, options, floor_options)
            print(
                f"{cache}: {found['engine_ms']:.1f} ms a step, floor{floor} {found['floor_ms']:.1f} ms, "
                f"ratio {found['ratio']:.2f} ({steps} steps of {CHARACTERS} characters, {rounds} rounds)"
            )
    await asyncio.sleep(0.1)  # the SDK's threads settle, see docs of the worker


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=6)
    given = parser.parse_args()
    asyncio.run(main(given.steps, given.rounds))
