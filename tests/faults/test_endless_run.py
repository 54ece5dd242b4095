"""A run without an end: it goes on from execution to execution while its workers are killed, and is one run to all.

The server is set to suggest a new execution after 400 events, where its default is 4,096; `bench/endless.py` runs
three thousand steps at the default.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import WorkflowHistory

from holdfast import Client, Run
from holdfast.artifacts import VARIABLE
from holdfast.contracts.run import RunOutcome
from holdfast.testing import ModelRequest, Step, call, dev_server, finish
from tests.faults.agents import page, reader
from tests.faults.processes import Mother
from tests.faults.world import World, task_of, world
from workers.replay import replay

STEPS = 120
SUGGESTED_AT = 400
NAME = "endless"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@dataclass
class Read:
    """The run when it was over."""

    world: World
    outcome: RunOutcome
    seen: list[int]
    executions: list[WorkflowHistory]


def read_on(request: ModelRequest) -> Step:
    """Asks for page after page, and says in the end whether all are in the transcript, in order and unharmed."""
    if request.turn < STEPS:
        return call("read_page", number=request.turn + 1)
    told = [b["content"] for m in request.messages for b in m["content"] if b["type"] == "tool_result"]
    right = told == [page(number) for number in range(1, STEPS + 1)]
    return finish(result="all pages in order" if right else "pages are missing")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def read(mother: Mother, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Read]:
    """The run on two workers, of which one is killed at a third and at two thirds of its steps, and replaced."""
    folder = tmp_path_factory.mktemp("endless")
    tuned = {"limit.historyCount.suggestContinueAsNew": SUGGESTED_AT}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder / "artifacts"))
        async with (
            dev_server(folder, dynamic_config=tuned) as server,
            world(server, mother, folder, read_on) as on,
        ):
            on.pool.env[VARIABLE] = str(folder / "artifacts")
            options = {"points": False, "disable_eager_activity_execution": True}
            workers = [await on.pool.worker(NAME, **options) for _ in range(2)]
            holds = [on.journal.hold(NAME, f"page {STEPS * part // 3}") for part in (1, 2)]
            # On nobody's behalf: a user's account has a limit of a dollar a day.
            run = await Client(on.temporal, task_queue=NAME).start(reader, task_of(NAME), id=NAME)
            watching = asyncio.create_task(_plans_seen(run))
            for hold in holds:
                pid = await hold.until_reached()
                await next(worker for worker in workers if worker.pid == pid).kill()
                workers.append(await on.pool.worker(NAME, **options))
            outcome = await on.outcome(run, within=150)
            yield Read(on, outcome, await watching, await _executions(on))


async def _plans_seen(run: Run[Any]) -> list[int]:
    return [event.data["number"] async for event in run.events() if event.kind == "plan"]


async def _executions(on: World) -> list[WorkflowHistory]:
    described = await on.temporal.get_workflow_handle(NAME).describe()
    at = described.raw_description.workflow_execution_info.first_run_id
    found = []
    while at:
        found.append(await on.temporal.get_workflow_handle(NAME, run_id=at).fetch_history())
        last = found[-1].events[-1]
        at = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return found


async def test_it_completes_across_executions(read: Read) -> None:
    """The last plan saw every page, in order and unharmed, though no worker and no execution saw them all."""
    took_part = {entry.pid for entry in read.world.journal.entries if entry.what.startswith("page ")}

    assert (read.outcome.status, read.outcome.output) == ("completed", "all pages in order")
    assert (read.outcome.steps, read.outcome.calls) == (STEPS + 1, STEPS)
    assert len(read.executions) >= 3
    assert len(took_part) >= 3


async def test_the_client_saw_every_step_once_in_order(read: Read) -> None:
    """One `events()` told the whole run, across executions and killed workers."""
    assert read.seen == list(range(1, STEPS + 2))


async def test_each_execution_is_small(read: Read) -> None:
    """No history grows far beyond where the server suggested to end it, and a step costs the same in each."""
    each = [_bytes_a_step(history) for history in read.executions[:-1]]

    assert all(len(history.events) < 1.5 * SUGGESTED_AT for history in read.executions)
    assert all(abs(later - earlier) < 0.15 * earlier for earlier, later in pairwise(each))


async def test_each_execution_replays_quickly(read: Read) -> None:
    """Any execution can be taken over by a worker that has never seen the run, within five seconds."""
    for history in read.executions:
        began = time.monotonic()
        assert (await replay(history, strict=False)).ok
        assert time.monotonic() - began < 5


def _bytes_a_step(history: WorkflowHistory) -> float:
    plans = sum(
        event.activity_task_scheduled_event_attributes.activity_type.name == "plan"
        for event in history.events
    )
    return sum(event.ByteSize() for event in history.events) / plans
