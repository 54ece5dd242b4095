"""The server may be killed in the middle of a run and started again on its database file: the run goes on.

Nobody restarts or reconnects anything but the server itself: worker, watcher and whoever waits for the outcome find it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from holdfast import Run
from holdfast.contracts.run import RunEvent, RunOutcome
from holdfast.testing import DevServer, dev_server
from tests.faults.agents import booking
from tests.faults.processes import Mother
from tests.faults.world import World, world


@dataclass
class Told:
    """A run over three deaths of its server, and what those heard who watched it from the beginning."""

    world: World
    run: Run[str]
    events: list[RunEvent]
    outcome: RunOutcome


async def _died(server: DevServer) -> None:
    """Kill the server and start it again."""
    began = time.monotonic()
    server.kill()
    await server.restart()
    print(f"the server was back {time.monotonic() - began:.1f} s after its death")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def told(mother: Mother, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Told]:
    """The run: its server dies in a read, while a human thinks, and between a write and its reply."""
    folder: Path = tmp_path_factory.mktemp("server")
    async with dev_server(folder, in_memory=False) as server, world(server, mother, folder) as on:
        reading = on.journal.hold("kill-server", "look")
        written = on.journal.hold("kill-server", "charge:after its effect")
        await on.pool.worker("kill-server")
        run = await on.start(booking, "kill-server")
        ending = asyncio.create_task(on.outcome(run))
        watching = asyncio.create_task(_watch(run))
        async with _cancelled_at_last(ending, watching):
            await reading.until_reached()
            server.kill()
            reading.released.set()  # its result finds no server
            await server.restart()
            request = await run.next_request(kind="approval")
            await _died(server)
            await run.approve(request, by="dana")
            await written.until_reached()
            server.kill()
            written.released.set()
            await server.restart()
            outcome = await ending
            events = await asyncio.wait_for(watching, 20)
            yield Told(on, run, events, outcome)


@contextlib.asynccontextmanager
async def _cancelled_at_last(*tasks: asyncio.Task[object]) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _watch(run: Run[str]) -> list[RunEvent]:
    return [event async for event in run.events()]


async def test_the_run_completes(told: Told) -> None:
    """Its result is that of an undisturbed run, heard by one who has waited for it from the beginning."""
    assert told.outcome.status == "completed"
    assert told.outcome.output == '["room 7 is free in june", "room 7 is reserved", "charged 120"]'


async def test_no_write_is_repeated(told: Told) -> None:
    """The write whose reply found no server has happened once, and so has the other."""
    assert told.world.journal.effects("kill-server", "charge") == ["kill-server/3.1"]
    assert told.world.journal.effects("kill-server", "reserve") == ["kill-server/2.1"]


async def test_watching_goes_on_where_it_was(told: Told) -> None:
    """Every event is told once and in order, over all three deaths."""
    assert [event.number for event in told.events] == list(range(len(told.events)))
    assert told.events[0].kind == "started"
    assert told.events[-1].kind == "finished"
    assert [_what(event) async for event in told.run.events()] == [_what(event) for event in told.events]


async def test_an_outcome_is_waited_for_while_the_server_is_away(
    mother: Mother, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """However long that is: who waits is told once, in the log, and has the outcome when the server is back."""
    away = _Heard("stopped answering")
    logging.getLogger("holdfast").addHandler(away)
    async with dev_server(tmp_path, in_memory=False) as server, world(server, mother, tmp_path) as on:
        await on.pool.worker("away")
        run = await on.start(booking, "away")
        request = await run.next_request(kind="approval")
        ending = asyncio.create_task(on.outcome(run))
        async with _cancelled_at_last(ending):
            server.kill()
            await asyncio.wait_for(away.heard.wait(), 60)  # the SDK has given up by then
            await server.restart()
            await run.approve(request, by="dana")
            assert (await ending).status == "completed"
    logging.getLogger("holdfast").removeHandler(away)
    assert len([one for one in caplog.messages if "is waited for until it is back" in one]) == 1


class _Heard(logging.Handler):
    """Waits for a word in the log."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self.word, self.heard = word, asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if self.word in record.getMessage():
            self.heard.set()


def _what(event: RunEvent) -> tuple[int, str, str]:
    """An event without its time: a workflow task that died with the server is done again a moment later."""
    return event.number, event.kind, event.text
