"""A worker may be killed at any moment of a run: the run completes, and nothing happens twice.

Nothing here is timed. Each worker process is held at a point of its run (in its workflow task, before, in and after each
activity, while the model answers), killed with SIGKILL while it is held, and another is started.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from holdfast import Run
from holdfast.contracts.calls import EffectRecord
from holdfast.contracts.run import RunOutcome
from tests.faults.agents import booking
from tests.faults.journal import Hold
from tests.faults.processes import WorkerProcess
from tests.faults.world import World
from workers.replay import replay

pytestmark = pytest.mark.slow

AT_ONCE = 8
"""How many runs are under way together."""

WAITING = "while it waits for a human"


@dataclass(frozen=True)
class Moment:
    """When the worker is killed: at a visit to a point; and where `then` is given, its successor at that one."""

    name: str
    point: str
    visit: int = 1
    then: str | None = None
    by_signal: bool = False
    """The human decides while no worker is up."""

    def __str__(self) -> str:
        return self.name


UNDISTURBED = Moment("undisturbed", "")

MOMENTS = [
    Moment("first-workflow-task", "task"),
    Moment("resolving-the-agent", "resolve_agent:taken"),
    Moment("plan-taken", "plan:taken"),
    Moment("model-asked", "model 1"),
    Moment("answer-streaming", "stream 1"),
    Moment("answer-complete", "plan:done"),
    Moment("task-after-the-plan", "task", visit=2),
    Moment("read-taken", "look:taken"),
    Moment("reading", "look"),
    Moment("read-done", "look:done"),
    Moment("task-between-steps", "task", visit=3),
    Moment("second-plan-taken", "plan:taken", visit=2),
    Moment("guard-asked", "guard of reserve"),
    Moment("guards-done", "vet:done"),
    Moment("idempotent-write-taken", "reserve:taken"),
    Moment("idempotent-write-before", "reserve:before its effect"),
    Moment("idempotent-write-after", "reserve:after its effect"),
    Moment("idempotent-write-done", "reserve:done"),
    Moment("third-answer-streaming", "stream 3"),
    Moment("approval-open", WAITING),
    Moment("approval-given-to-nobody", WAITING, by_signal=True),
    Moment("write-taken", "charge:taken"),
    Moment("write-before", "charge:before its effect"),
    Moment("write-after", "charge:after its effect"),
    Moment("write-done", "charge:done"),
    Moment("probing-what-did-not-happen", "charge:before its effect", then="probe"),
    Moment("probing-what-happened", "charge:after its effect", then="probe"),
    Moment("probe-done", "charge:after its effect", then="charge:probe:done"),
    Moment("last-answer-complete", "plan:done", visit=4),
]


@dataclass
class Survived:
    """What became of a run whose worker was killed."""

    outcome: RunOutcome
    charged: list[str]
    reserved: list[str]
    problem: str
    seconds: float

    def effects(self) -> list[EffectRecord]:
        """What the run says it did, without the run's own name in the keys."""
        run = self.outcome.run
        return [
            effect.model_copy(update={"idempotency_key": effect.idempotency_key.replace(run, "RUN")})
            for effect in self.outcome.effects
        ]


async def survive(world: World, moment: Moment) -> Survived:
    """Run the agent, kill its worker at the moment, give it another, and see it end."""
    name, began = f"kill-{moment}", time.monotonic()
    points = [] if moment.point in ("", WAITING) else [moment.point, *([moment.then] if moment.then else [])]
    holds = [world.journal.hold(name, point, moment.visit) for point in points]
    worker = await world.pool.worker(name)
    run = await world.start(booking, name)
    if moment.point == WAITING:
        await _killed_while_waiting(world, run, worker, by_signal=moment.by_signal)
    else:
        await _killed_at(holds, world, run, worker)
    outcome = await world.outcome(run)
    history = await world.temporal.get_workflow_handle(name).fetch_history()
    return Survived(
        outcome,
        charged=world.journal.effects(name, "charge"),
        reserved=world.journal.effects(name, "reserve"),
        problem=(await replay(history, strict=False)).reason,
        seconds=time.monotonic() - began,
    )


async def _killed_at(holds: list[Hold], world: World, run: Run[str], worker: WorkerProcess) -> None:
    approving = asyncio.create_task(world.approve(run))
    try:
        for hold in holds:
            await hold.until_reached()
            await worker.kill()
            worker = await world.pool.worker(run.id)
        await approving
    finally:
        approving.cancel()


async def _killed_while_waiting(
    world: World, run: Run[str], worker: WorkerProcess, *, by_signal: bool
) -> None:
    request = await run.next_request(kind="approval")
    await worker.kill()
    if by_signal:
        await run._handle.signal("approve", {"request": request.id, "by": "dana"})
    await world.pool.worker(run.id)
    if not by_signal:
        await run.approve(request, by="dana")


Fates = dict[Moment, asyncio.Task[Survived]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def fates(faulty: World, request: pytest.FixtureRequest) -> AsyncIterator[Fates]:
    """All moments that this session tests, and the undisturbed run, under way together."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def gated(moment: Moment) -> Survived:
        async with gate:
            return await survive(faulty, moment)

    wanted = {
        item.callspec.params.get("moment") for item in request.session.items if hasattr(item, "callspec")
    }
    moments = [UNDISTURBED, *(moment for moment in MOMENTS if moment in wanted)]
    tasks = {moment: asyncio.create_task(gated(moment)) for moment in moments}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
async def test_a_run_survives_the_death_of_its_worker(moment: Moment, fates: Fates) -> None:
    """It completes with the answer of the undisturbed run, each write done once, and its history replays."""
    survived, undisturbed = await fates[moment], await fates[UNDISTURBED]

    assert survived.outcome.status == "completed"
    assert survived.outcome.output == undisturbed.outcome.output
    assert survived.effects() == undisturbed.effects()
    assert survived.charged == [f"{survived.outcome.run}/3.1"], (
        "a write that is not idempotent happened twice, or never"
    )
    assert set(survived.reserved) == {f"{survived.outcome.run}/2.1"}, (
        "the hotel got one request under two keys"
    )
    assert survived.problem == ""


async def test_the_undisturbed_run_does_what_it_says(fates: Fates) -> None:
    """The run that all others are compared with looked, reserved and charged, each once."""
    survived = await fates[UNDISTURBED]
    for moment, fate in fates.items():
        print(f"{(await fate).seconds:5.1f} s  {moment}")

    assert survived.outcome.output == '["room 7 is free in june", "room 7 is reserved", "charged 120"]'
    assert [effect.tool for effect in survived.outcome.effects] == ["reserve", "charge"]
    assert (len(survived.reserved), len(survived.charged)) == (1, 1)
