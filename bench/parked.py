"""Memory and time of many runs that wait for an approval, then all approved.

    python -m bench.parked [--runs 2000]

The worker serves from a process of its own, so that its memory is its own.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

import psutil

from holdfast.client import Client
from holdfast.contracts import names
from holdfast.contracts.base import Json
from holdfast.testing.dev_server import dev_server

AT_ONCE = 100


async def for_all(count: int, work: Callable[[int], Awaitable[Json]]) -> float:
    """Do it for each number, a hundred at once; returns seconds."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await work(number)

    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(count)))
    return time.perf_counter() - began


async def until_waiting(client: Client, count: int) -> None:
    """Wait until the server's index lists that many runs as waiting."""
    query = f"WorkflowType = '{names.AGENT_RUN}' AND {names.SA_STATUS} = 'waiting'"
    while (await client.temporal.count_workflows(query)).count < count:  # noqa: ASYNC110  # it tells nobody
        await asyncio.sleep(0.5)


async def main(runs: int) -> None:
    """Park, measure, approve, measure."""
    async with dev_server(in_memory=False) as server:
        client = Client(await server.connect())
        code = "import asyncio, sys; from bench.parked import serve; asyncio.run(serve(sys.argv[1]))"
        worker = await asyncio.create_subprocess_exec(sys.executable, "-c", code, server.address)
        try:
            process = psutil.Process(worker.pid)
            first = await client.start("payer", "pay", id="parked-first")
            await first.next_request()
            before = process.memory_info().rss

            async def start(number: int) -> None:
                await client.start("payer", "pay", id=f"parked-{number}")

            async def approve(number: int) -> None:
                handle = client.temporal.get_workflow_handle(f"parked-{number}")
                await handle.signal(names.APPROVE, {"by": "bench"})

            async def finish(number: int) -> None:
                await client.run(f"parked-{number}").result()

            began = time.perf_counter()
            await for_all(runs, start)
            await until_waiting(client, runs)
            parked = time.perf_counter() - began
            memory = process.memory_info().rss - before
            cpu = sum(process.cpu_times()[:2])
            await asyncio.sleep(5)
            idle = (sum(process.cpu_times()[:2]) - cpu) / 5
            began = time.perf_counter()
            await for_all(runs, approve)
            await for_all(runs, finish)
            approved = time.perf_counter() - began
            print(
                f"{runs} runs parked in {parked:.0f} s ({runs / parked:.0f}/s); the worker grew by "
                f"{memory / runs / 1024:.0f} KB a run ({memory / 2**20:.0f} MB) and used {idle:.1%} of a core "
                f"while they waited; all approved and finished in {approved:.0f} s ({runs / approved:.0f}/s)"
            )
        finally:
            worker.kill()
            await worker.wait()
    await asyncio.sleep(0.1)  # the SDK's threads settle before the loop ends


async def serve(address: str) -> None:
    """What the worker's process does."""
    from bench.agents import payer  # the measuring process does not need them
    from holdfast.worker import Worker

    client = await Client.connect(address)
    await Worker(client.temporal, [payer]).run()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=2000)
    asyncio.run(main(parser.parse_args().runs))
