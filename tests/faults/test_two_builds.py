"""Two builds of the engine side by side, the new one with a changed workflow: no run notices.

The new build waits for a timer before its first plan, which no history of the old one has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from holdfast import Agent, Approval, Call, Client, Finish, Limits, PlanView, Rules, Run, Worker, tool
from holdfast.artifacts import VARIABLE
from holdfast.errors import UsageError
from holdfast.testing import DevServer, dev_server
from tests.changed_run import PinnedChangedRun
from tests.stage import unique
from workers.replay import replay

OLD, NEW = "old", "new"
LOOKS = 60


@tool(effect="irreversible", approval=Approval(by="operator"))
async def pay(amount: int) -> str:
    """Pay an amount."""
    return f"paid {amount}"


def pay_once(view: PlanView) -> list[Call] | Finish:
    """Pay, which needs approval; then finish."""
    return Finish("paid") if view.calls else [Call("pay", amount=100)]


payer = Agent(
    name="payer",
    instructions="Pay.",
    tools=[pay],
    ladder=[Rules(pay_once)],
    autonomy="supervised",
    output=str,
)


@tool(effect="read")
async def look(number: int) -> str:
    """Look at one."""
    return f"seen {number}"


def look_on(view: PlanView) -> list[Call] | Finish:
    """Look at sixty, one after the other."""
    return Finish("seen") if view.step > LOOKS else [Call("look", number=view.step)]


counter = Agent(
    name="counter",
    instructions="Look.",
    tools=[look],
    ladder=[Rules(look_on)],
    output=str,
    limits=Limits(steps=LOOKS + 2, calls=LOOKS + 2),
)


async def build(server: DevServer, queue: str, deployment: str, build_id: str) -> Worker:
    """A worker of one of the builds, on a connection of its own as in a process of its own."""
    temporal = await server.connect()
    with pytest.MonkeyPatch.context() as patch:
        if build_id == NEW:
            patch.setattr("workers.agent_worker.PinnedRun", PinnedChangedRun)
        return Worker(
            temporal,
            [payer, counter],
            task_queue=queue,
            deployment=deployment,
            build_id=build_id,
        )


async def ran_on(run: Run[Any], client: Client) -> str:
    """The build that a run has been on last."""
    described = await client.temporal.get_workflow_handle(run.id).describe()
    return described.raw_description.workflow_execution_info.versioning_info.deployment_version.build_id


@pytest.fixture
async def client(temporal_server: DevServer) -> Client:
    """A client with a task queue of its own."""
    return Client(await temporal_server.connect(), task_queue=unique("queue"))


async def test_runs_in_flight_finish_on_the_old_build_and_new_ones_start_on_the_new(
    client: Client, temporal_server: DevServer
) -> None:
    """Both builds serve at once; a run that waits for approval while the new one takes over ends as if nothing was."""
    fleet = (client.task_queue, unique("fleet"))
    async with await build(temporal_server, *fleet, OLD) as old:
        await old.make_current()
        early = await client.start(payer, "pay", id=unique("early"))
        request = await early.next_request()
        async with await build(temporal_server, *fleet, NEW) as new:
            await new.make_current()
            late = await client.start(payer, "pay", id=unique("late"))
            for run, asked in ((early, request), (late, await late.next_request())):
                await run.approve(asked, by="dana")
            outcomes = [await run.outcome() for run in (early, late)]
            builds = [await ran_on(run, client) for run in (early, late)]

    assert [outcome.status for outcome in outcomes] == ["completed", "completed"]
    assert builds == [OLD, NEW]


async def test_a_run_that_goes_on_in_a_new_execution_moves_to_the_new_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run without an end is not tied to its first build for ever: with its next execution it has the current one."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "artifacts"))
    tuned = {"limit.historyCount.suggestContinueAsNew": 120}
    async with dev_server(tmp_path, dynamic_config=tuned) as server:
        client = Client(await server.connect(), task_queue=unique("queue"))
        fleet = (client.task_queue, unique("fleet"))
        async with await build(server, *fleet, OLD) as old, await build(server, *fleet, NEW) as new:
            await old.make_current()
            run = await client.start(counter, "look", id=unique("endless"))
            async for event in run.events():
                if event.kind == "result":
                    break
            began_on = await ran_on(run, client)
            await new.make_current()
            outcome = await run.outcome()
            ended_on = await ran_on(run, client)

    assert (outcome.status, outcome.steps) == ("completed", LOOKS + 1)
    assert (began_on, ended_on) == (OLD, NEW)


async def test_without_versions_replaying_names_the_event(client: Client) -> None:
    """The histories that the old build recorded say before a deployment at which event the new one would part."""
    async with Worker(client.temporal, [payer], task_queue=client.task_queue):
        run = await client.start(payer, "pay", id=unique("unversioned"))
        await run.approve(await run.next_request(), by="dana")
        await run.outcome()
    history = await client.temporal.get_workflow_handle(run.id).fetch_history()

    report = await replay(history, workflow_class=PinnedChangedRun, strict=False)

    assert not report.ok
    assert report.event_id is not None
    assert report.event_id < len(history.events)
    assert (await replay(history)).ok


def test_half_a_version_is_refused() -> None:
    """A deployment without a build id would route nowhere: the message says what is missing."""
    with pytest.raises(UsageError, match="needs both a deployment"):
        Worker(None, [payer], deployment="fleet")  # type: ignore[arg-type]  # refused before it is used
    with pytest.raises(UsageError, match="no dot"):
        Worker(None, [payer], deployment="my.fleet", build_id="1")  # type: ignore[arg-type]
