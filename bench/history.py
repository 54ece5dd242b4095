"""Bytes of history per step at 20, 100 and 200 steps, against the new text of each step.

    python -m bench.history [--characters 5000] [--steps 20 100 200]

The target (docs/explanation/architecture.md): at most 2.1 x new text + 1.5 KB for each activity, at any length.
"""

import argparse
import asyncio
import time

from bench.agents import reader
from holdfast.client import Client
from holdfast.testing.dev_server import dev_server
from holdfast.worker import Worker

ACTIVITIES_PER_STEP = 2


async def measure(client: Client, steps: int, characters: int) -> None:
    """Run once, and print what its history weighs."""
    began = time.perf_counter()
    run = await client.start(reader, f"read {steps} pages of {characters} characters")
    await run.result()
    seconds = time.perf_counter() - began
    history = await client.temporal.get_workflow_handle(run.id).fetch_history()
    total = sum(event.ByteSize() for event in history.events)
    bound = steps * (2.1 * characters + 1536 * ACTIVITIES_PER_STEP)
    print(
        f"{steps:4} steps of {characters} characters: {total / steps:6.0f} bytes a step, "
        f"{total / (steps * characters):.2f} x the new text, {total / bound:.0%} of the bound, "
        f"{len(history.events)} events, {seconds / steps * 1000:.0f} ms a step"
    )


async def main(characters: int, steps: list[int]) -> None:
    """Measure each length."""
    async with dev_server(in_memory=False) as server:
        client = Client(await server.connect())
        async with Worker(client.temporal, [reader]):
            for count in steps:
                await measure(client, count, characters)
    await asyncio.sleep(0.1)  # the SDK's threads settle before the loop ends


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--characters", type=int, default=5000)
    parser.add_argument("--steps", type=int, nargs="+", default=[20, 100, 200])
    given = parser.parse_args()
    asyncio.run(main(given.characters, given.steps))
