"""What the cloud cost agent did is taken back, though workers die meanwhile: against boto3 and a real moto server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from examples.cloud_costs import journal as facts
from examples.cloud_costs.aws_client import ec2
from examples.cloud_costs.inventory import load, machines
from examples.cloud_costs.journal import Journal
from examples.cloud_costs.moto_server import MotoServer
from holdfast import Agent, Client, Run
from tests.faults.cloud import by_rules, regretting
from tests.faults.world import World

pytestmark = pytest.mark.slow

EU = "eu-west-1"
SERVED = "tests.faults.cloud"


@pytest.fixture
def journal(faulty: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Journal]:
    """What reaches an account of this test's own, which its workers use too."""
    with MotoServer() as moto:
        for name, value in moto.environment.items():
            monkeypatch.setenv(name, value)
            monkeypatch.setitem(faulty.pool.env, name, value)
        load(machines(0))
        yield Journal(moto.recording)


async def start(world: World, agent: Agent[Any], name: str) -> Run[Any]:
    """A run that acts, and whose expensive stop is approved."""
    client = Client(world.temporal, task_queue=name)
    run = await client.start(agent, "Cut our spend in eu-west-1", id=name, dry_run=False)
    await run.approve(await run.next_request(kind="approval"), by="dana")
    return run


async def stops(run: Run[Any], journal: Journal) -> list[str]:
    """The instances that it stopped, in the order in which the run heard of it: two were being stopped at a time."""
    effects = (await run.inspect()).effects
    stopped = [str(one.arguments["instance_id"]) for one in effects if one.tool == "stop_instance"]
    assert sorted(stopped) == sorted(one.resource for one in journal.writes("StopInstances"))
    assert len(stopped) == 3
    return stopped


async def test_three_stops_are_three_starts_whatever_dies(faulty: World, journal: Journal) -> None:
    """In reverse, each once: a worker is killed after a start that it could not report, and another between two."""
    name = "rollback-by-an-operator"
    worker = await faulty.pool.worker(name, agents=SERVED)
    run = await start(faulty, by_rules, name)
    report = await run.result()
    stopped = await stops(run, journal)
    assert sorted(stopped) == sorted(report.stopped)
    assert [facts.states(EU)[one] for one in stopped] == ["stopped"] * 3

    after_the_first = faulty.journal.hold(f"{name}/undo", "stop_instance:undo:done")
    undoing = asyncio.create_task(run.undo(by="dana", note="the fair is on Monday"))
    await after_the_first.until_reached()
    between = faulty.journal.hold(f"{name}/undo", "stop_instance:undo:taken", visit=2)
    await worker.kill()
    worker = await faulty.pool.worker(name, agents=SERVED)
    await between.until_reached()
    await worker.kill()
    await faulty.pool.worker(name, agents=SERVED)
    outcome = await undoing

    assert [(one.tool, one.outcome) for one in outcome.calls] == [
        *([("stop_instance", "undone")] * 3),
        *([("snapshot_instance", "undone")] * 3),
    ]
    calls = {call.id: call for step in (await run.inspect()).steps for call in step.calls}
    order = [calls[one.call].arguments["instance_id"] for one in outcome.calls]
    assert [one.resource for one in journal.writes("StartInstances")] == order[:3]
    assert order[:3] == stopped[::-1]
    assert sorted(order[3:]) == sorted(stopped)
    assert [facts.states(EU)[one] for one in stopped] == ["running"] * 3
    assert facts.snapshots(EU) == []
    assert facts.stopped_by(EU) == {}


async def test_what_cannot_be_taken_back_is_listed_and_asked_about(faulty: World, journal: Journal) -> None:
    """A failed run takes the others back, asks about the one that is gone, also after a kill, and says what stands."""
    name = "rollback-by-policy"
    worker = await faulty.pool.worker(name, agents=SERVED)
    at_the_end = faulty.journal.hold(name, "stop_instance:undo:taken")
    run = await start(faulty, regretting, name)
    await at_the_end.until_reached()
    stopped = await stops(run, journal)
    gone = stopped[1]
    ec2(EU).terminate_instances(InstanceIds=[gone])
    await worker.kill()
    worker = await faulty.pool.worker(name, agents=SERVED)

    request = await run.next_request(kind="rollback")
    assert f"{gone} does not exist in {EU}, or is terminated" in request.why
    assert "these effects could not be taken back" in request.why
    await worker.kill()
    await faulty.pool.worker(name, agents=SERVED)
    await run.answer(request, "retry", by="dana")
    again = await run.next_request(kind="rollback")
    assert again.id != request.id
    await run.answer(again, "leave", by="dana")

    outcome = await faulty.outcome(run)
    assert outcome.status == "failed"
    assert "the savings are not what was promised" in outcome.reason
    calls = {call.id: call for step in (await run.inspect()).steps for call in step.calls}
    fates = [(one.tool, calls[one.call].arguments["instance_id"], one.outcome) for one in outcome.rolled_back]
    assert fates[:3] == [
        ("stop_instance", one, "failed" if one == gone else "undone") for one in reversed(stopped)
    ]
    assert [fate for _, _, fate in fates[3:]] == ["undone"] * 3
    assert [one.resource for one in journal.writes("StartInstances")] == [stopped[2], stopped[0]]
    assert facts.states(EU)[stopped[0]] == facts.states(EU)[stopped[2]] == "running"
