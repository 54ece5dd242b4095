"""The world of the fault tests: a journal, a scripted model, worker processes and a client of the same server."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.client import Client as TemporalClient

from holdfast import Agent, Client, Run
from holdfast.contracts.run import RunOutcome
from holdfast.errors import NoWorkerAnswers
from holdfast.testing import DevServer, MessagesServer, ModelRequest, Step, call, finish, hang
from tests.faults.journal import Journal
from tests.faults.processes import Mother, WorkerPool

PlaysTurn = Callable[[ModelRequest], Step]

ENDED_WITHIN = 60.0
"""Seconds within which a run must have ended, whatever was killed."""


@dataclass
class World:
    """Everything that a fault test needs."""

    temporal: TemporalClient
    journal: Journal
    model: MessagesServer
    pool: WorkerPool

    async def start(self, agent: Agent[Any], run: str) -> Run[Any]:
        """Start a run that its own task queue's workers serve; all of them bear its name."""
        return await Client(self.temporal, task_queue=run).start(agent, task_of(run), id=run, user="ana")

    async def approve(self, run: Run[Any]) -> None:
        """Approve the charge, however often the worker that should take the decision dies."""
        request = await run.next_request(kind="approval")
        while True:
            with contextlib.suppress(NoWorkerAnswers):
                await run.approve(request, by="dana")
                return

    async def outcome(self, run: Run[Any], within: float = ENDED_WITHIN) -> RunOutcome:
        """The run's outcome, or a failed test that shows what its workers said."""
        try:
            async with asyncio.timeout(within):
                return await run.outcome()
        except TimeoutError:
            seen = self.journal.visits(run.id)[-8:]
            raise AssertionError(
                f"{run.id} has not ended within {within:g} s; it last came to {seen}; its workers said:\n"
                f"{self.pool.said(run.id)}"
            ) from None


@contextlib.asynccontextmanager
async def world(
    server: DevServer, mother: Mother, folder: Path, play: PlaysTurn | None = None
) -> AsyncIterator[World]:
    """A world on a server; the model books a room, or does what `play` says."""
    async with (
        Journal.start() as journal,
        MessagesServer(_model(journal, play or book_a_room)) as model,
        WorkerPool.start(mother, server.address, journal.address, model.base_url, folder) as pool,
    ):
        yield World(await server.connect(), journal, model, pool)


def task_of(run: str) -> str:
    """A task that names its run: what the scripted model tells conversations by."""
    return f"Book a room. This is run <{run}>."


def _model(journal: Journal, plays: PlaysTurn) -> Any:
    """Plays to each run at its own pace, and the same again when asked again.

    It can be held: at `model N` before its answer N, at `stream N` in the middle of it.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def play(request: ModelRequest) -> Step:
        run = request.conversation.partition("<")[2].partition(">")[0]
        turn = request.turn + 1
        await journal.visit(run, f"model {turn}")
        step = plays(request)
        held = journal.is_held(run, f"stream {turn}")
        if held is None:
            return step
        task = asyncio.create_task(_tell_when_streaming(request, held.reached))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return hang(answer=step, after_events=4)  # type: ignore[arg-type]  # an answer

    return play


async def _tell_when_streaming(request: ModelRequest, reached: asyncio.Event) -> None:
    while request.status is None:  # noqa: ASYNC110  # a served byte sets no event
        await asyncio.sleep(0.01)
    reached.set()


def book_a_room(request: ModelRequest) -> Step:
    """Look, reserve, charge, and hand in what the tools said: a wrong word on the way would be in the result."""
    match request.turn:
        case 0:
            return call("look", month="june", text="I look for a free room first.")
        case 1:
            return call("reserve", room=7, text="Room 7 it is.")
        case 2:
            return call("charge", amount=120, text="Now the money.")
        case _:
            said = [
                block["content"]
                for message in request.messages
                for block in message["content"]
                if block["type"] == "tool_result"
            ]
            return finish(result=json.dumps(said))
