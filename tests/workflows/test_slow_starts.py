"""A run whose agent is found only after its first workflow task: replay begins at another moment than the run did."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity

from activities.registry import AgentRegistry
from activities.resolve import resolve_agent
from holdfast import Agent, Limits, Run
from holdfast.contracts import names
from holdfast.contracts.spec import AgentSpec
from holdfast.testing import call, finish
from tests.stage import CLAUDE, SetStage, unique
from workers.replay import offline_view

TASK_TIMEOUT = timedelta(seconds=2)
"""A workflow task of a run is renewed at 80 % of it, while its local activity goes on."""


def slowly(registry: AgentRegistry) -> Callable[[str], AgentSpec]:
    """The agent is found, but not before the second workflow task."""
    quickly: Any = resolve_agent(registry)

    @activity.defn(name=names.RESOLVE_AGENT)
    async def resolve(name: str) -> AgentSpec:
        await asyncio.sleep(TASK_TIMEOUT.total_seconds())
        found: AgentSpec = await quickly(name)
        return found

    return resolve  # type: ignore[return-value]  # as of the original


async def test_time_counts_from_the_same_moment_on_replay(
    stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it was opened, how long it has worked, and so the id of the request at its limit of time are the same."""
    monkeypatch.setattr("workers.plugin.resolve_agent", slowly)
    limits = Limits(wall_clock=TASK_TIMEOUT / 2, at_limit="ask")
    agent = Agent(name="late", instructions="Wait.", ladder=[CLAUDE], limits=limits, output=str)
    script = [call("ask_human", question="Now?"), finish("partial", "half of it"), finish(result="all of it")]
    async with stage(agent, script, seconds=60) as on:
        temporal, name = on.client.temporal, unique("late")
        handle = await temporal.start_workflow(
            names.AGENT_RUN,
            {"agent": "late", "task": "Wait."},
            id=name,
            task_queue=on.client.task_queue,
            task_timeout=TASK_TIMEOUT,
        )
        run: Run[Any] = on.client.run(name)
        on.runs.append(run)
        await run.answer(await run.next_request(), "now", by="dana")
        request = await run.next_request(kind="limit")
        live, replayed = await run.inspect(), await offline_view(await handle.fetch_history())
        assert replayed == live
        assert [one.id for one in replayed.requests] == [request.id]
        await run.answer(request, "raise", by="dana", result={"wall_clock": "+1h"})
        assert await run.result() == "all of it"
