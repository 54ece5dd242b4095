"""A campaign of random faults, longer than a test may be: `python -m tests.faults.campaign --runs 40 --seed 1`.

Runs book rooms while workers are killed and frozen, the server is killed and started again, the model fails in every way
that it can, and people pause, cancel and send messages. At the end: whatever happened, every run has ended within its
time, no write was made twice, each result is that of an undisturbed run, who watched saw every event once, and every
history replays. What is found to be otherwise is printed, and the exit code is 1. Equal seeds throw equal dice; what
they meet depends on the machine.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from holdfast import Client, Run
from holdfast.contracts.requests import Request
from holdfast.contracts.run import RunOutcome
from holdfast.errors import HoldfastError
from holdfast.testing import (
    Answer,
    DevServer,
    ModelRequest,
    Step,
    cut,
    dev_server,
    fault,
    hang,
    malformed,
    no_message_stop,
    slow,
    stream_error,
)
from tests.faults.agents import booking, booking_blindly
from tests.faults.processes import Mother
from tests.faults.world import World, book_a_room, task_of, world
from workers.replay import replay

T = TypeVar("T")

QUEUE = "campaign"
AT_ONCE = 12
WORKERS = 3
ENDED_WITHIN = 300.0
"""Seconds for one run: a breaker that the model's faults have opened is waited for, more than once."""
MODEL_FAILS = 0.15
BOOKED = '["room 7 is free in june", "room 7 is reserved", "charged 120"]'


def failing_at_random(seed: int) -> Callable[[ModelRequest], Step]:
    """The model: it books a room, and fails now and then, asked again mostly otherwise."""
    asked: Counter[tuple[str, int]] = Counter()

    def play(request: ModelRequest) -> Step:
        good = book_a_room(request)
        assert isinstance(good, Answer)
        at = request.conversation, request.turn
        asked[at] += 1
        dice = random.Random(f"{seed} {at} {asked[at]}")
        if dice.random() > MODEL_FAILS:
            return good
        faults: list[Step] = [
            fault(529), fault(500), fault(429, headers={"retry-after": "1"}),
            malformed(b"<html>bad gateway</html>", content_type="text/html"),
            cut(), cut(good, after_events=dice.randint(1, 6)),
            stream_error(good, after_events=3), no_message_stop(good),
            slow(good, delay=3), hang(5, answer=good, after_events=4),
        ]  # fmt: skip
        return dice.choice(faults)

    return play


@dataclass
class Campaign:
    """What the campaign knows, and what it found to be wrong."""

    server: DevServer
    world: World
    client: Client
    seed: int
    wrong: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)

    async def kill_at_random(self) -> None:
        """Kill, freeze and restart, until cancelled."""
        dice = random.Random(self.seed)
        workers = [await self.world.pool.worker(QUEUE, points=False) for _ in range(WORKERS)]
        while True:
            await asyncio.sleep(dice.uniform(2, 8))
            at, what = dice.randrange(WORKERS), dice.random()
            if what < 0.15:
                self.done["servers killed"] += 1
                self.server.kill()
                await asyncio.sleep(dice.random() * 2)
                await self.server.restart()
            elif what < 0.35:
                self.done["workers frozen"] += 1
                workers[at].stop()
                await asyncio.sleep(dice.uniform(1, 7))
                workers[at].go_on()
            else:
                self.done["workers killed"] += 1
                await workers[at].kill()
                workers[at] = await self.world.pool.worker(QUEUE, points=False)

    async def one_run(self, number: int) -> None:
        """A run from its start to its end, with people around it."""
        agent = booking if number % 2 else booking_blindly
        name = f"{QUEUE}-{self.seed}-{number}"
        run = await patiently(lambda: self.client.start(agent, task_of(name), id=name, user="ana"))
        watching = asyncio.create_task(_watch(run))
        deciding = asyncio.create_task(self.decide(run))
        steering = asyncio.create_task(self.steer(run, random.Random(f"{self.seed} {name}")))
        began = time.monotonic()
        try:
            async with asyncio.timeout(ENDED_WITHIN):
                outcome = await patiently(run.outcome)
                cancelled = await steering
                seen = await watching
        except TimeoutError:
            self.wrong.append(
                f"{name} has not ended in {ENDED_WITHIN:g} s; it came to {self.world.journal.visits(name)[-5:]}"
            )
            return
        finally:
            for task in (watching, deciding, steering):
                task.cancel()
        self.done[outcome.status] += 1
        print(f"{name}: {outcome.status} after {time.monotonic() - began:.0f} s", flush=True)
        self.judge(name, outcome, seen, cancelled=cancelled)

    def judge(self, name: str, outcome: RunOutcome, seen: list[int], *, cancelled: bool) -> None:
        """What must hold of an ended run."""
        charged, reserved = (self.world.journal.effects(name, tool) for tool in ("charge", "reserve"))
        if seen != list(range(len(seen))):
            self.wrong.append(f"{name}: its watcher saw {seen}")
        if len(charged) > 1 or len(set(reserved)) > 1:
            self.wrong.append(f"{name}: charged {charged}, reserved {reserved}")
        if outcome.status == "completed" and (outcome.output != BOOKED or not (charged and reserved)):
            self.wrong.append(
                f"{name}: completed with {outcome.output}, charged {charged}, reserved {reserved}"
            )
        if outcome.status != "completed" and not (cancelled and outcome.status == "cancelled"):
            self.wrong.append(f"{name}: {outcome.status}, {outcome.reason}")

    async def decide(self, run: Run[Any]) -> None:
        """Answer whatever the run asks; what becomes of a charge is looked up in the journal."""
        while True:
            with contextlib.suppress(HoldfastError):  # it has just ended, or nobody serves it for a moment
                for request in await run.requests():
                    self.done[f"requests: {request.kind}"] += 1
                    await self.answer(run, request)
            await asyncio.sleep(0.5)

    async def answer(self, run: Run[Any], request: Request) -> None:
        """Decide one request."""
        if request.kind == "approval":
            await run.approve(request, by="dana")
        elif request.kind == "parked":
            await run.redrive(by="dana", note="again")
        elif request.kind == "unknown_effect":
            await asyncio.sleep(3)  # whoever was taken for dead may still be about to write
            happened = f"{run.id}/{request.call}" in self.world.journal.effects(run.id, "charge")
            await run.answer(request, "happened" if happened else "run", by="dana", result="charged 120")
        else:
            self.wrong.append(f"{run.id} asks {request.kind}: {request.why}")

    async def steer(self, run: Run[Any], dice: random.Random) -> bool:
        """Do what people do to runs; whether it was cancelled."""
        await asyncio.sleep(dice.random() * 6)
        what = dice.random()
        with contextlib.suppress(HoldfastError):  # it has ended
            if what < 0.1:
                await run.cancel(by="ana", reason="chance")
                return True
            if what < 0.3:
                await run.pause(by="ana")
                await asyncio.sleep(dice.random() * 3)
                await patiently(lambda: run.resume(by="ana"))
            elif what < 0.5:
                await run.send("Go on.", by="ana")
        return False

    async def replay_all(self, runs: int) -> None:
        """Each history agrees with today's code."""
        for number in range(runs):
            handle = self.world.temporal.get_workflow_handle(f"{QUEUE}-{self.seed}-{number}")
            report = await replay(await handle.fetch_history())
            if not report.ok:
                self.wrong.append(f"{handle.id} does not replay: {report}")


async def patiently(make: Callable[[], Awaitable[T]]) -> T:
    """What comes of it, tried for half a minute while server or workers are down."""
    for _ in range(60):
        with contextlib.suppress(HoldfastError):
            return await make()
        await asyncio.sleep(0.5)
    return await make()


async def _watch(run: Run[Any]) -> list[int]:
    return [event.number async for event in run.events()]


async def campaign(runs: int, seed: int) -> int:
    """Do it; the exit code."""
    folder = Path(tempfile.mkdtemp(prefix="campaign-"))
    async with (
        dev_server(folder, in_memory=False) as server,
        Mother.start() as mother,
        world(server, mother, folder, failing_at_random(seed)) as on,
    ):
        made = Campaign(server, on, Client(on.temporal, task_queue=QUEUE), seed)
        turns = asyncio.Semaphore(AT_ONCE)

        async def in_turn(number: int) -> None:
            async with turns:
                await made.one_run(number)

        async with asyncio.TaskGroup() as group:  # a failure of the killer ends it too
            killing = group.create_task(made.kill_at_random())
            await asyncio.gather(*(in_turn(number) for number in range(runs)))
            killing.cancel()
        await made.replay_all(runs)
        made.wrong += [f"the model got what the API would refuse: {line}" for line in on.model.refusals]
    print(", ".join(f"{count} {what}" for what, count in sorted(made.done.items())))
    print(f"{len(made.wrong)} wrong; the workers' log is in {folder}", *made.wrong, sep="\n  ")
    return 1 if made.wrong else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sys.exit(asyncio.run(campaign(given.runs, given.seed)))
