"""Ten real minutes of dead models, at the breakers' own sixty seconds: what becomes of the runs, and who is called.

    python -m bench.outage [--minutes 10]

Five models are dead in five ways. Every ten seconds a run of each begins, with a second planner that lives; and one
run of each has no other planner. Calls are counted at the loopback server.
"""

import argparse
import asyncio
import os
from collections import Counter
from datetime import timedelta
from typing import Any

from holdfast import Agent, Client, Model, Worker
from holdfast.testing import (
    Answer,
    Fault,
    MessagesServer,
    ModelRequest,
    call,
    cut,
    fault,
    finish,
    hang,
    malformed,
)
from holdfast.testing.dev_server import dev_server
from holdfast.worker import BreakerSettings

EVERY_SECONDS = 10.0
SPARE = Model("claude-haiku-4-5")

WAYS: dict[str, tuple[str, Answer | Fault]] = {
    "529": ("claude-opus-5", fault(529)),
    "429, retry-after: 7": ("claude-opus-4-5", fault(429, headers={"retry-after": "7"})),
    "cut in the middle": ("claude-sonnet-5", cut(call("look"))),
    "HTML": ("claude-sonnet-4-5", malformed(b"<html>502</html>", content_type="text/html")),
    "never answers": ("claude-opus-4-1", hang()),
}


def dead(name: str) -> Model:
    """A model of the ladder; ten seconds are enough for the one that never answers."""
    return Model(name, timeout=timedelta(seconds=10))


def play(request: ModelRequest) -> Answer | Fault:
    """Each dead model in its own way; the spare finishes."""
    return next((how for name, how in WAYS.values() if name == request.model), finish(result="by the spare"))


def slug(way: str) -> str:
    """The way as a part of a name."""
    return "".join(letter if letter.isalnum() else "-" for letter in way.lower())


async def main(minutes: float) -> None:
    """Let them be dead for so long, then count."""
    two = {way: Agent(name=f"two-{slug(way)}", instructions="Report.", ladder=[dead(name), SPARE])
           for way, (name, _) in WAYS.items()}  # fmt: skip
    alone = {way: Agent(name=f"alone-{slug(way)}", instructions="Report.", ladder=[dead(name)])
             for way, (name, _) in WAYS.items()}  # fmt: skip
    async with dev_server(in_memory=False) as server, MessagesServer(play) as model:
        os.environ |= {"ANTHROPIC_BASE_URL": model.base_url, "ANTHROPIC_API_KEY": "bench"}
        temporal = await server.connect()
        client = Client(temporal)
        async with Worker(temporal, [*two.values(), *alone.values()]):
            ends: dict[str, Counter[Any]] = {way: Counter() for way in WAYS}
            longest: dict[str, float] = dict.fromkeys(WAYS, 0.0)
            clock = asyncio.get_running_loop().time
            began = clock()

            async def one(way: str) -> None:
                started = clock()
                run = await client.start(two[way], "Report.", id=f"{slug(way)}-{started:.3f}")
                ends[way][await run.result()] += 1
                longest[way] = max(longest[way], clock() - started)

            async with asyncio.TaskGroup() as going:
                lonely = {
                    way: await client.start(alone[way], "Report.", id=f"alone-{slug(way)}") for way in WAYS
                }
                while clock() - began < minutes * 60:
                    for way in WAYS:
                        going.create_task(one(way))
                    await asyncio.sleep(EVERY_SECONDS)
            took = clock() - began
            asked = Counter(request.model for request in model.requests)
            settings = BreakerSettings()
            promise = settings.failures + int(took // settings.open_seconds) + 1
            print(
                f"{took:.0f} s; promised: {settings.failures} calls, and one for each {settings.open_seconds:.0f} s"
            )
            for way, (name, _) in WAYS.items():
                view = await lonely[way].inspect()
                waiting = [request.kind for request in view.requests]
                print(
                    f"{way:20} {dict(ends[way])}, longest {longest[way]:.1f} s; {asked[name]} calls (promise "
                    f"{promise}); alone: {view.status} {waiting}"
                )
    await asyncio.sleep(0.1)  # the SDK's threads settle before the loop ends


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10)
    asyncio.run(main(parser.parse_args().minutes))
