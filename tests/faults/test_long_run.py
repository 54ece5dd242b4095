"""A long run on two workers, one of which dies half-way: it completes, and its history grows in a straight line.

Neither worker sees every step, so each must ask the run itself for what it missed; the model refuses a transcript with
anything missing or out of place.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import pairwise

import pytest
import pytest_asyncio
from temporalio.client import WorkflowHistory

from holdfast.contracts.run import RunOutcome
from holdfast.testing import DevServer, ModelRequest, Step, call, finish
from tests.faults.agents import PAGE_CHARS, page, reader
from tests.faults.processes import Mother
from tests.faults.world import World, world
from workers.replay import offline_view, replay

STEPS = 180
NAME = "long-run"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@dataclass
class Read:
    """The run when it was over."""

    world: World
    outcome: RunOutcome
    history: WorkflowHistory
    seconds: float

    def bytes_of(self, first: int, last: int) -> int:
        """The size of the events from one step up to another."""
        plans = [
            event.event_id
            for event in self.history.events
            if event.activity_task_scheduled_event_attributes.activity_type.name == "plan"
        ]
        begin = plans[first - 1]
        end = plans[last] if last < len(plans) else self.history.events[-1].event_id + 1
        return sum(event.ByteSize() for event in self.history.events if begin <= event.event_id < end)


def read_on(request: ModelRequest) -> Step:
    """Asks for page after page, and hands in a digest of all that the transcript then holds."""
    if request.turn < STEPS:
        return call("read_page", number=request.turn + 1)
    return finish(result=_digest([str(block["content"]) for block in _results(request)]))


def _results(request: ModelRequest) -> list[dict[str, object]]:
    blocks = (block for message in request.messages for block in message["content"])
    return [block for block in blocks if block["type"] == "tool_result"]


def _digest(pages: list[str]) -> str:
    return f"{len(pages)} pages, {hashlib.sha256(''.join(pages).encode()).hexdigest()}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def read(
    temporal_server: DevServer, mother: Mother, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Read]:
    """The run on two workers; at half of its steps one is killed in the middle of a call, and replaced."""
    async with world(temporal_server, mother, tmp_path_factory.mktemp("long"), read_on) as on:
        half = on.journal.hold(NAME, f"page {STEPS // 2}")
        # Eager execution would keep every activity on the worker that runs the workflow task.
        options = {"points": False, "disable_eager_activity_execution": True}
        workers = [await on.pool.worker(NAME, **options) for _ in range(2)]
        began = time.monotonic()
        run = await on.start(reader, NAME)
        pid = await half.until_reached()
        await next(worker for worker in workers if worker.pid == pid).kill()
        await on.pool.worker(NAME, **options)
        outcome = await on.outcome(run, within=120)
        seconds = time.monotonic() - began
        history = await on.temporal.get_workflow_handle(NAME).fetch_history()
        yield Read(on, outcome, history, seconds)


async def test_it_completes(read: Read) -> None:
    """All pages are in the last transcript, in order and unharmed, and both sorts of worker have taken part."""
    took_part = {entry.pid for entry in read.world.journal.entries if entry.what.startswith("page ")}

    assert read.outcome.status == "completed"
    assert read.outcome.output == _digest([page(number) for number in range(1, STEPS + 1)])
    assert read.outcome.steps == STEPS + 1
    assert len(took_part) == 3
    assert "TranscriptMismatch" not in read.world.pool.said(NAME)


async def test_its_history_is_a_straight_line(read: Read) -> None:
    """Each part of the run costs as much as the one before, and the whole stays within the promised size."""
    parts = [read.bytes_of(first, first + 59) for first in range(1, STEPS, 60)]
    whole = sum(event.ByteSize() for event in read.history.events)
    new_text, activities = STEPS * PAGE_CHARS, 2 * STEPS + 1
    print(
        f"\n{STEPS} steps of {PAGE_CHARS} B in {read.seconds:.1f} s: {len(read.history.events)} events, {whole:,} B; "
        f"60 steps each: {parts}; {(whole - new_text) / activities:.0f} B an activity beside the text once"
    )

    assert all(abs(later - earlier) < 0.05 * earlier for earlier, later in pairwise(parts))
    assert whole <= 2.1 * new_text + 1500 * activities


async def test_it_replays(read: Read) -> None:
    """Its history replays, and shows the whole run without a worker."""
    assert (await replay(read.history, strict=False)).ok
    assert len((await offline_view(read.history)).steps) == STEPS + 1
