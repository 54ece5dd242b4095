"""A worker that falls silent and comes back, after its work was given to another: a zombie.

SIGSTOP stands for everything that stops a process without killing it: a frozen virtual machine, a swapping host, a
container that is paused. The process knows nothing of it, and goes on in the middle of what it was doing. While it is
stopped, the server still hands it a task or two, since its polls are open; each is given to another after 10 s.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from holdfast import Agent, Run
from holdfast.contracts.run import RunOutcome
from tests.faults.agents import booking, booking_blindly
from tests.faults.processes import WorkerProcess
from tests.faults.world import World
from workers.replay import replay

pytestmark = pytest.mark.slow

FEW = 2
"""Pollers of each kind, so that not many tasks are lost to a process that cannot take them."""


@dataclass
class Fate:
    """What became of a run, one of whose workers was a zombie."""

    outcome: RunOutcome
    zombie: WorkerProcess


async def _start(world: World, agent: Agent[str], name: str) -> tuple[Run[str], WorkerProcess]:
    worker = await world.pool.worker(name, pollers=FEW)
    return await world.start(agent, name), worker


async def _goes_on(world: World, zombie: WorkerProcess, name: str, activity: str) -> None:
    """Let it go on, and wait until it is done with the activity in whose middle it was, one way or the other."""
    zombie.go_on()
    await world.journal.until_seen(name, {f"{activity}:done", f"{activity}:failed"}, zombie.pid)


async def writing_with_a_probe(world: World, name: str) -> Fate:
    """Stopped just before its effect; the probe finds nothing, so the successor does it; then it comes back."""
    hold = world.journal.hold(name, "charge:before its effect")
    run, zombie = await _start(world, booking, name)
    await world.approve(run)
    await hold.until_reached()
    zombie.stop()
    hold.released.set()  # nothing but the signal is in its way any more
    await world.pool.worker(name, pollers=FEW)
    outcome = await world.outcome(run)
    await _goes_on(world, zombie, name, "charge")
    return Fate(outcome, zombie)


async def writing_blindly(world: World, name: str) -> Fate:
    """The same without a probe: a human is asked, and says that it did not happen."""
    hold = world.journal.hold(name, "charge:before its effect")
    run, zombie = await _start(world, booking_blindly, name)
    await hold.until_reached()
    zombie.stop()
    hold.released.set()
    await world.pool.worker(name, pollers=FEW)
    request = await run.next_request(kind="unknown_effect")
    await run._handle.signal("answer", {"request": request.id, "by": "dana", "answer": "run"})
    outcome = await world.outcome(run)
    await _goes_on(world, zombie, name, "charge")
    return Fate(outcome, zombie)


async def handed_a_write(world: World, name: str) -> Fate:
    """Stopped while a human thinks; the approved write is handed to it all the same, and waits in its socket."""
    run, zombie = await _start(world, booking, name)
    request = await run.next_request(kind="approval")
    zombie.stop()
    await world.pool.worker(name, pollers=FEW, no_remote_activities=True)  # takes workflow tasks only
    await run._handle.signal("approve", {"request": request.id, "by": "dana"})
    await _until_lost(run, "charge")
    await world.pool.worker(name, pollers=FEW)
    outcome = await world.outcome(run)
    await _goes_on(world, zombie, name, "charge")
    return Fate(outcome, zombie)


async def _until_lost(run: Run[str], tool: str) -> None:
    async for event in run.events():
        if event.kind == "notice" and event.text.startswith(f"unknown outcome of {tool}"):
            return


async def writing_idempotently(world: World, name: str) -> Fate:
    """The same in a write that carries a key."""
    hold = world.journal.hold(name, "reserve:before its effect")
    run, zombie = await _start(world, booking, name)
    await hold.until_reached()
    zombie.stop()
    hold.released.set()
    await world.pool.worker(name, pollers=FEW)
    await world.approve(run)
    outcome = await world.outcome(run)
    await _goes_on(world, zombie, name, "reserve")
    return Fate(outcome, zombie)


async def planning(world: World, name: str) -> Fate:
    """Stopped while the model answers; the successor plans on and is killed, so the zombie must carry the run on."""
    streaming, later = world.journal.hold(name, "stream 2"), world.journal.hold(name, "charge:taken")
    run, zombie = await _start(world, booking, name)
    await streaming.until_reached()
    zombie.stop()
    successor = await world.pool.worker(name, pollers=FEW)
    await world.approve(run)
    await later.until_reached()
    await successor.kill()
    zombie.go_on()
    return Fate(await world.outcome(run), zombie)


STORIES: list[Callable[[World, str], Coroutine[Any, Any, Fate]]] = [
    writing_with_a_probe,
    writing_blindly,
    handed_a_write,
    writing_idempotently,
    planning,
]
Fates = dict[str, asyncio.Task[Fate]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fates(faulty: World) -> AsyncIterator[Fates]:
    """All stories, told at the same time: most of each is waiting."""
    tasks = {story.__name__: asyncio.create_task(story(faulty, story.__name__)) for story in STORIES}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


async def test_a_zombie_does_not_write_what_its_successor_has_written(faulty: World, fates: Fates) -> None:
    """Stopped before its effect and found to have done nothing, it does nothing when it comes back either."""
    fate = await fates["writing_with_a_probe"]

    assert fate.outcome.status == "completed"
    assert faulty.journal.effects("writing_with_a_probe", "charge") == ["writing_with_a_probe/3.1"]


async def test_a_zombie_does_not_write_what_a_human_had_done_again(faulty: World, fates: Fates) -> None:
    """Nobody could look it up, so a human was asked; the call that they let run is the only one that has an effect."""
    fate = await fates["writing_blindly"]

    assert fate.outcome.status == "completed"
    assert faulty.journal.effects("writing_blindly", "charge") == ["writing_blindly/3.1"]


async def test_a_zombie_does_not_begin_what_was_given_away(faulty: World, fates: Fates) -> None:
    """A write that waited in its hands while it was stopped is not even begun: the server is asked first."""
    fate = await fates["handed_a_write"]

    assert fate.outcome.status == "completed"
    assert "charge:taken" in [e.what for e in faulty.journal.entries if e.pid == fate.zombie.pid]
    assert faulty.journal.effects("handed_a_write", "charge") == ["handed_a_write/3.1"]


async def test_a_zombie_writes_under_the_same_key(faulty: World, fates: Fates) -> None:
    """An idempotent write that is taken over keeps its key, however often it is sent."""
    fate = await fates["writing_idempotently"]

    assert fate.outcome.status == "completed"
    assert set(faulty.journal.effects("writing_idempotently", "reserve")) == {"writing_idempotently/2.1"}


async def test_a_zombie_that_planned_carries_the_run_on(faulty: World, fates: Fates) -> None:
    """Its stale half of the transcript is noticed: the plans that follow are made from the right one."""
    fate = await fates["planning"]
    history = await faulty.temporal.get_workflow_handle("planning").fetch_history()

    assert fate.outcome.status == "completed"
    assert fate.outcome.output == '["room 7 is free in june", "room 7 is reserved", "charged 120"]'
    assert fate.outcome.steps == 4
    assert faulty.journal.effects("planning", "charge") == ["planning/3.1"]
    assert "TranscriptMismatch" not in faulty.pool.said("planning")
    assert (await replay(history, strict=False)).ok
