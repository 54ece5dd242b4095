"""A run of thousands of steps, its workers killed now and then: executions, bytes, replay time, memory.

    python -m bench.endless [--steps 3000] [--characters 2000] [--suggest 4096]

It is planned by rules: a model's context window is a bound of its own. A client watches from the first to the last
event, and goes away for a while in the middle. The target: every execution below Temporal's warning limits (10,240
events, 10 MB), bytes a step flat, a cold replay of any execution in less than 5 s, every step seen once, in order.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
from temporalio.client import WorkflowHistory

from holdfast.artifacts import VARIABLE
from holdfast.client import Client
from holdfast.contracts import names
from holdfast.run import Run
from holdfast.testing.dev_server import dev_server
from workers.replay import replay

SERVE = "import asyncio, sys; from bench.endless import serve; asyncio.run(serve(sys.argv[1]))"


async def serve(address: str) -> None:
    """What a worker's process does."""
    from bench.agents import reader  # the measuring process does not need them
    from holdfast.worker import Worker

    client = await Client.connect(address)
    await Worker(client.temporal, [reader]).run()


async def watched(run: Run[object], seen: list[int], steps: int) -> None:
    """Note the number of each step that is told; half-way be away for some executions' time."""
    after, away = 0, False
    while True:
        async for event in run.events(after=after):
            after = event.number + 1
            if event.kind == "plan":
                seen.append(event.data["number"])
            if event.kind == "finished":
                return
            if not away and len(seen) == steps // 2:
                away = True
                break
        await asyncio.sleep(45)  # the run goes on


async def executions(client: Client, run: str) -> AsyncIterator[WorkflowHistory]:
    """The histories of a run, first execution first."""
    temporal = client.temporal
    first = (await temporal.get_workflow_handle(run).describe()).raw_description
    at: str | None = first.workflow_execution_info.first_run_id
    while at:
        history = await temporal.get_workflow_handle(run, run_id=at).fetch_history()
        yield history
        last = history.events[-1]
        at = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id or None


async def killing(address: str, every: float, done: asyncio.Event, memory: list[int]) -> int:
    """Keep two workers up, and kill one of them every so many seconds; returns how many were killed."""
    workers = [await asyncio.create_subprocess_exec(sys.executable, "-c", SERVE, address) for _ in range(2)]
    killed = 0
    try:
        while not done.is_set():
            try:
                await asyncio.wait_for(done.wait(), every)
            except TimeoutError:
                victim = workers.pop(random.randrange(2))
                memory.append(psutil.Process(victim.pid).memory_info().rss)
                victim.kill()
                await victim.wait()
                killed += 1
                workers.append(await asyncio.create_subprocess_exec(sys.executable, "-c", SERVE, address))
        memory.extend(psutil.Process(worker.pid).memory_info().rss for worker in workers)
    finally:
        for worker in workers:
            worker.kill()
            await worker.wait()
    return killed


def stored(folder: Path) -> str:
    """How much was laid aside."""
    kept = [file.stat().st_size for file in folder.rglob("*") if file.is_file()]
    return f"artifacts: {len(kept)}, {sum(kept) / 1e6:.1f} MB in all"


async def main(steps: int, characters: int, suggest: int, kill_every: float) -> None:
    """Run, and print what it took."""
    tuned = {"limit.historyCount.suggestContinueAsNew": suggest}
    with tempfile.TemporaryDirectory() as folder:
        os.environ[VARIABLE] = f"{folder}/artifacts"
        async with dev_server(in_memory=False, dynamic_config=tuned) as server:
            client = Client(await server.connect())
            run = await client.start("reader", f"read {steps} pages of {characters} characters")
            done, seen, memory = asyncio.Event(), list[int](), list[int]()
            workers = asyncio.create_task(killing(server.address, kill_every, done, memory))
            watching = asyncio.create_task(watched(run, seen, steps))
            began = time.perf_counter()
            outcome = await run.outcome()
            seconds = time.perf_counter() - began
            await watching
            done.set()
            print(
                f"{outcome.status}: {outcome.steps} steps of {characters} characters in {seconds:.0f} s "
                f"({seconds / steps * 1000:.0f} ms a step), {await workers} workers killed, "
                f"largest worker {max(memory) / 2**20:.0f} MB; the client saw {len(seen)} steps, "
                f"{'each once, in order' if seen == list(range(1, outcome.steps + 1)) else 'NOT each once in order'}"
            )
            at = 1
            async for history in executions(client, run.id):
                size = sum(event.ByteSize() for event in history.events)
                plans = sum(
                    event.activity_task_scheduled_event_attributes.activity_type.name == names.PLAN
                    for event in history.events
                )
                began, used = time.perf_counter(), time.process_time()
                report = await replay(history, strict=False)
                used = time.process_time() - used
                print(
                    f"  steps {at:5} to {at + plans - 1:5}: {len(history.events):5} events, {size / 1e6:5.2f} MB, "
                    f"{size / plans:5.0f} bytes a step, cold replay {time.perf_counter() - began:.2f} s "
                    f"({used:.2f} s of CPU), ok {report.ok}"
                )
                at += plans
            print(f"  {stored(Path(folder, 'artifacts'))}")
    await asyncio.sleep(0.1)  # the SDK's threads settle before the loop ends


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--characters", type=int, default=2000)
    parser.add_argument("--suggest", type=int, default=4096)
    parser.add_argument("--kill-every", type=float, default=20)
    given = parser.parse_args()
    asyncio.run(main(given.steps, given.characters, given.suggest, given.kill_every))
