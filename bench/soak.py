"""A worker's memory over thousands of small runs: it must not grow with their number.

    python -m bench.soak [--runs 5000] [--first 500]

The worker serves from a process of its own, with a worker's own settings, so that its memory is its own. Every fifth run is
planned by a model on a loopback server, the others by rules. The target: its memory (RSS) after all runs is at most 1.3
times that after the first 500. Both are taken when its runs have ended and it is idle.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time

import psutil

from holdfast.artifacts import VARIABLE
from holdfast.client import Client
from holdfast.testing import MessagesServer, by_conversation, call, finish
from holdfast.testing.dev_server import dev_server

SERVE = "import asyncio, sys; from bench.soak import serve; asyncio.run(serve(sys.argv[1]))"
AT_ONCE = 20
TARGET = 1.3
SETTLES = 3.0


async def serve(address: str) -> None:
    """What the worker's process does."""
    from bench.agents import reader, talker  # the measuring process does not need them
    from holdfast.worker import Worker

    client = await Client.connect(address)
    await Worker(client.temporal, [reader, talker]).run()


async def ran(client: Client, first: int, count: int) -> None:
    """So many runs, some at once, each to its end."""
    numbers = iter(range(first, first + count))

    async def some() -> None:
        for number in numbers:
            agent = "talker" if number % 5 == 0 else "reader"
            run = await client.start(agent, "read 1 pages of 500 characters", id=f"soak-{number}")
            outcome = await run.outcome()
            if outcome.status != "completed":
                raise RuntimeError(f"soak-{number}: {outcome.status} {outcome.reason}")

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


async def main(runs: int, first: int, every: int) -> None:
    """Run, and print the worker's memory on the way."""
    script = by_conversation([call("read_page", page_number=1, characters=500), finish(result="read")])
    with tempfile.TemporaryDirectory() as folder:
        os.environ[VARIABLE] = f"{folder}/artifacts"
        async with dev_server(in_memory=False) as server, MessagesServer(script) as model:
            os.environ |= {"ANTHROPIC_BASE_URL": model.base_url, "ANTHROPIC_API_KEY": "bench"}
            client = Client(await server.connect())
            worker = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVE, server.address)
            try:
                process = psutil.Process(worker.pid)
                done, seen, began = 0, dict[int, int](), time.perf_counter()
                for stop in sorted({first, *range(every, runs, every), runs}):
                    await ran(client, done, stop - done)
                    done = stop
                    await asyncio.sleep(SETTLES)
                    seen[done] = process.memory_info().rss
                    print(f"  after {done:5} runs: {seen[done] / 2**20:6.1f} MB", flush=True)
                    model.requests.clear()
                seconds = time.perf_counter() - began
                ratio = seen[runs] / seen[first]
                print(
                    f"{runs} runs in {seconds:.0f} s ({runs / seconds:.1f}/s): the worker has {ratio:.2f} x the memory that it "
                    f"had after {first} (target {TARGET} x), {sum(process.cpu_times()[:2]):.0f} s of CPU"
                )
            finally:
                worker.kill()
                await worker.wait()
    await asyncio.sleep(0.1)  # the SDK's threads settle before the loop ends


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--first", type=int, default=500)
    parser.add_argument("--every", type=int, default=500)
    given = parser.parse_args()
    asyncio.run(main(given.runs, given.first, given.every))
