"""The check of everything, on the real server with faults put into it; by hand and on a schedule."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity
from temporalio.client import Client as TemporalClient
from temporalio.client import ScheduleActionExecutionStartWorkflow
from temporalio.worker import Worker as TemporalWorker

from activities.health import look
from holdfast import Agent, Call, Client, Finish, PlanView, Rules, Worker, remote_tool, tool
from holdfast.contracts import names
from holdfast.contracts.health import Finding, HealthReport, HealthSettings
from holdfast.worker import AlertSettings
from tests.changed_run import ChangedRun
from tests.stage import unique
from tests.webhook import webhook
from workers.dev_config import packaged_dev_config
from workers.health_schedule import schedule_check, schedule_id, unschedule_check

SETTINGS = HealthSettings(no_progress_seconds=0.4, silent_seconds=0.3)


@tool(effect="read")
async def take_a_while(seconds: float) -> str:
    """Take a while."""
    await asyncio.sleep(seconds)
    return "done"


def far(queue: str) -> Agent[Any]:
    """An agent whose one tool is served elsewhere."""
    there = remote_tool(
        "geo.locate",
        task_queue=queue,
        description="Locate.",
        input_schema={"type": "object", "properties": {}},
        effect="read",
    )
    return Agent(name="traveller", instructions="Travel.", tools=[there], ladder=[Rules(locate_once)])


def locate_once(view: PlanView) -> list[Call] | Finish:
    """Ask where it is, once."""
    return Finish("there") if view.calls else [Call("geo.locate")]


def sleep_once(view: PlanView) -> list[Call] | Finish:
    """Take as long as the task says, once."""
    return Finish("slept") if view.calls else [Call("take_a_while", seconds=float(view.task))]


sleeper = Agent(
    name="sleeper", instructions="Sleep.", tools=[take_a_while], ladder=[Rules(sleep_once)], output=str
)


async def found(client: Client, subject: str, kind: str) -> Finding:
    """What is found of one subject, as soon as it is found."""
    settings = SETTINGS.model_copy(update={"task_queue": client.task_queue})
    attributes = packaged_dev_config().search_attributes
    while True:
        report = await look(client.temporal, settings, attributes, writing=False)
        for one in report.findings:
            if (one.subject, one.kind) == (subject, kind):
                return one
        await asyncio.sleep(0.1)  # the server's index lags by a moment


@pytest.fixture
def client(temporal: TemporalClient) -> Client:
    """A client with a task queue of its own."""
    return Client(temporal, task_queue=unique("queue"))


async def test_a_queue_that_nobody_serves_is_a_finding(client: Client) -> None:
    """A run waits for a worker: the finding names the task queue and how to start one, and goes with the worker."""
    run = await client.start("sleeper", "0", id=unique("unserved"))
    async with asyncio.timeout(20):
        told = await found(client, client.task_queue, "no_worker")
    assert told.severity == "problem"
    assert "1 open run waits for one" in told.text
    assert told.command == f"holdfast worker MODULE --task-queue {client.task_queue}"
    async with Worker(client.temporal, [sleeper], task_queue=client.task_queue):
        assert await run.result() == "slept"


async def test_calls_that_nobody_takes_or_finishes_are_findings(client: Client) -> None:
    """A remote tool's queue without a worker, and then a worker that takes the call and does nothing more."""
    queue = unique("far")
    told_to = asyncio.Event()

    @activity.defn(name="geo.locate")
    async def locate(call: dict[str, Any]) -> str:
        await told_to.wait()
        return "here"

    agent = far(queue)
    async with asyncio.timeout(40), Worker(client.temporal, [agent], task_queue=client.task_queue):
        run = await client.start(agent, "go", id=unique("far"))
        told = await found(client, queue, "no_worker")
        assert told.severity == "problem"
        async with TemporalWorker(client.temporal, task_queue=queue, activities=[locate]):
            told = await found(client, run.id, "no_progress")
            assert "geo.locate is under way and has given no sign of life" in told.text
            assert told.command == f"holdfast show {run.id}"
            told_to.set()
            assert (await run.outcome()).status == "completed"


async def test_a_run_stuck_on_failing_workflow_tasks_is_found_by_the_schedule(
    client: Client,
) -> None:
    """The run's history and today's code disagree: a check says which run and what shows where. All checks: one alert."""
    short = timedelta(milliseconds=100)
    settings = SETTINGS.model_copy(update={"task_queue": client.task_queue})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workers.plugin.AgentRun", ChangedRun)
        changed = Worker(
            client.temporal, [sleeper], task_queue=client.task_queue, graceful_shutdown_timeout=short
        )
    async with asyncio.timeout(60), webhook() as hook:
        alerts = AlertSettings(hook.url)
        run = await client.start(sleeper, "1", id=unique("stuck"))
        async with changed:
            while not await begun(run.id, client):  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.05)
        async with Worker(client.temporal, [sleeper], task_queue=client.task_queue, alerts=alerts):
            assert await schedule_check(client.temporal, timedelta(seconds=1), settings)
            assert not await schedule_check(client.temporal, timedelta(seconds=1), settings)
            told = await told_by_schedule(client, run.id, "task_failures")
            await told_by_schedule(client, run.id, "task_failures", checks=2)
            assert await unschedule_check(client.temporal, client.task_queue)
            assert not await unschedule_check(client.temporal, client.task_queue)
    assert told.severity == "problem"
    assert "decides otherwise than the run's history says" in told.text
    assert told.command == f"holdfast replay {run.id}"
    (alert,) = [one for one in hook.bodies if one["kind"] == "task_failures"]
    assert (alert["event"], alert["run"], alert["commands"][0]) == ("finding", run.id, told.command)
    id_ = f"{names.ALERT_PREFIX}{client.task_queue}/{alert['fingerprint']}"
    await client.temporal.get_workflow_handle(id_).terminate("the test is over")
    await client.temporal.get_workflow_handle(run.id).terminate()


async def begun(run: str, client: Client) -> bool:
    """Whether a call of the run is under way."""
    described = await client.temporal.get_workflow_handle(run).describe()
    return any(
        one.activity_type.name == "take_a_while" for one in described.raw_description.pending_activities
    )


async def told_by_schedule(client: Client, subject: str, kind: str, *, checks: int = 1) -> Finding:
    """What a check of the schedule tells of the subject, as soon as so many have found it."""
    handle = client.temporal.get_schedule_handle(schedule_id(client.task_queue))
    while True:
        described = await handle.describe()
        found: list[Finding] = []
        for action in described.info.recent_actions:
            assert isinstance(action.action, ScheduleActionExecutionStartWorkflow)
            check = client.temporal.get_workflow_handle(action.action.workflow_id, result_type=HealthReport)
            report: HealthReport = await check.result()
            found += [one for one in report.findings if (one.subject, one.kind) == (subject, kind)]
        if len(found) >= checks:
            return found[-1]
        await asyncio.sleep(0.2)
