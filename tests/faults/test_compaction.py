"""A worker may be killed while it summarises: the run completes, within its window and with its last messages whole."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from holdfast.testing import DevServer, ModelRequest, Step, call, finish, say
from tests.faults.agents import forgetful, page
from tests.faults.processes import Mother
from tests.faults.world import World, world
from workers.replay import replay

pytestmark = pytest.mark.slow

PAGES = 14
SUMMARY = "All pages were read so far."


def read_on(request: ModelRequest) -> Step:
    """Reads page after page, by the page that it sees last, and hands in how that page ends."""
    if "tools" not in request.body:
        return say(SUMMARY)
    results = [
        str(block["content"])
        for message in request.messages
        for block in message["content"]
        if block["type"] == "tool_result"
    ]
    found = re.match(r"page (\d+):", results[-1]) if results else None
    number = int(found[1]) + 1 if found else 1
    return finish(result=results[-1]) if number > PAGES else call("read_page", number=number)


async def survived(on: World, point: str) -> None:
    """Kill the worker at the point, and see the run end as it should."""
    name = f"compacted-{point.partition(':')[2]}"
    hold = on.journal.hold(name, point)
    worker = await on.pool.worker(name)
    run = await on.start(forgetful, name)
    await hold.until_reached()
    await worker.kill()
    await on.pool.worker(name)
    outcome = await on.outcome(run)
    assert outcome.output == page(PAGES)
    view = await run.inspect()
    assert len(view.compactions) >= 2
    assert {one.by for one in view.compactions} == {"claude-sonnet-4-5"}
    history = await on.temporal.get_workflow_handle(name).fetch_history()
    assert (await replay(history, strict=False)).ok
    assert "TranscriptMismatch" not in on.pool.said(name)


async def test_a_killed_worker_loses_no_compaction(
    temporal_server: DevServer, mother: Mother, tmp_path: Path
) -> None:
    """Whether it has not asked for the summary yet, or has it and could not say so: the next worker asks again."""
    async with world(temporal_server, mother, tmp_path, read_on) as on:
        await asyncio.gather(*(survived(on, point) for point in ("compact:taken", "compact:done")))
        plans = [request for request in on.model.requests if "tools" in request.body]
    assert all(len(str(request.messages)) < 6 * 5_000 + 3_000 for request in plans)
    assert all("This is run <" in request.messages[0]["content"][0]["text"] for request in plans)
