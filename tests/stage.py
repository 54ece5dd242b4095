"""A stage: an agent on the real server, planned for by a scripted model, on a task queue of its own.

    async with stage(agent, [call("look", where="here"), finish(result="Found.")]) as on:
        assert await on.result("Look around") == "Found."

When a stage is left in peace, three things have been proved besides the test's own: every request that the model
got was one that the real Messages API takes, the script was played to its end, and the history of every run
replays.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client as TemporalClient
from temporalio.service import RPCError
from temporalio.worker import Replayer

import activities.providers.anthropic  # loading it takes seconds, which are no test's own
from holdfast import Agent, Client, Model, Retry, Run, Worker
from holdfast.contracts.run import EventsRequest, RunEvent, RunOutcome
from holdfast.errors import HoldfastError
from holdfast.testing import Block, MessagesServer, ModelRequest, Script, Step, StepFunction
from holdfast.worker import HoldfastPlugin

__all__ = ["activities"]

QUICKLY = Retry(attempts=3, initial=timedelta(milliseconds=50))
"""For tests in which the waiting between attempts is not the point."""

CLAUDE = Model("claude-sonnet-5", retry=QUICKLY, context_window=10_000_000)
"""Its transcripts are never compacted: tests of that have a model with a window of their own."""
"""A model that the script plays."""

EXPLAINED = 5
"""Of so many runs a failure tells what they were doing."""

Played = Script | StepFunction | Sequence[Step]
SetStage = Callable[..., "AbstractAsyncContextManager[Stage]"]


@dataclass
class Stage:
    """What a test has at hand while its agents are served."""

    client: Client
    model: MessagesServer
    agents: tuple[Agent[Any], ...]
    runs: list[Run[Any]] = field(default_factory=list)

    async def start(
        self, task: str = "Do it.", *, agent: Agent[Any] | None = None, **options: Any
    ) -> Run[Any]:
        """Start a run of the (first) agent, under an id of its own unless one is given."""
        options.setdefault("id", unique("run"))
        run = await self.client.start(agent or self.agents[0], task, **options)
        self.runs.append(run)
        return run

    async def result(self, task: str = "Do it.", **options: Any) -> Any:
        """Start a run and return its typed result."""
        return await (await self.start(task, **options)).result()

    async def outcome(self, task: str = "Do it.", **options: Any) -> RunOutcome:
        """Start a run and return its outcome, whatever it is."""
        return await (await self.start(task, **options)).outcome()

    def told(self, request: int = -1) -> list[str]:
        """What the model was told of its last calls: the results behind its own last message."""
        blocks = new_blocks(self.model.requests[request])
        return [str(block["content"]) for block in blocks if block["type"] == "tool_result"]

    def said(self, request: int = -1) -> str:
        """The text in the last messages of the user: what the engine told the model beside results."""
        blocks = new_blocks(self.model.requests[request])
        return "\n".join(block["text"] for block in blocks if block["type"] == "text")


def new_blocks(request: ModelRequest) -> list[Block]:
    """What came after the model's own last message."""
    own = [at for at, message in enumerate(request.messages) if message["role"] == "assistant"]
    news = request.messages[own[-1] + 1 :] if own else request.messages
    return [block for message in news for block in message["content"]]


def unique(name: str) -> str:
    """A name that no other test uses."""
    return f"{name}-{uuid.uuid4().hex[:12]}"


def setting(temporal: TemporalClient, patch: pytest.MonkeyPatch) -> SetStage:
    """The fixture's function: `stage(agents, script)`."""

    @contextlib.asynccontextmanager
    async def stage(
        agents: Agent[Any] | Sequence[Agent[Any]],
        script: Played = (),
        *,
        replay: bool = True,
        exhausted: bool = True,
        seconds: float = 30,
        strict_sandbox: bool = True,
        task_queue: str | None = None,
        **options: Any,
    ) -> AsyncIterator[Stage]:
        served = (agents,) if isinstance(agents, Agent) else tuple(agents)
        queue = task_queue or unique("queue")
        async with MessagesServer(script) as model:
            patch.setenv("ANTHROPIC_BASE_URL", model.base_url)
            patch.setenv("ANTHROPIC_API_KEY", "test")
            async with Worker(temporal, served, task_queue=queue, strict_sandbox=strict_sandbox, **options):
                on = Stage(Client(temporal, task_queue=queue), model, served)
                try:
                    async with asyncio.timeout(seconds):
                        yield on
                except BaseException as error:
                    await explain(on, error)
                    raise
                if exhausted:
                    model.assert_exhausted()
            if replay:
                await assert_histories_replay(on)

    return stage


async def explain(on: Stage, error: BaseException) -> None:
    """Add to a test's failure what its runs were doing: without it a run that waits looks like any other."""
    for run in on.runs[:EXPLAINED]:
        with contextlib.suppress(HoldfastError, RPCError):
            view = await run.inspect()
            error.add_note(
                f"{view.status}: {[step.text for step in view.steps]}, {view.ignored}, {view.outcome}"
            )
            asked = EventsRequest()
            handle = on.client.temporal.get_workflow_handle(run.id)
            events = await handle.query(
                "events", asked, result_type=list[RunEvent], rpc_timeout=timedelta(seconds=10)
            )
            error.add_note("\n".join(f"  {event.kind}: {event.text}" for event in events))


async def assert_histories_replay(on: Stage) -> None:
    """The history of every run replays against today's code."""
    # The run itself was in the strict sandbox, which loads the engine anew each time; here only commands count.
    replayer = Replayer(workflows=[], plugins=[HoldfastPlugin(on.agents)])
    for run in on.runs:
        history = await on.client.temporal.get_workflow_handle(run.id).fetch_history()
        await replayer.replay_workflow(history)
