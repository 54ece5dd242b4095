"""The whole cloud cost agent: a real Temporal server, a real worker, and boto3 against a real moto server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from examples.cloud_costs import journal as facts
from examples.cloud_costs.agent import MODEL, cloud_costs, plan_by_rules, start_instance, undo_snapshot
from examples.cloud_costs.inventory import Inventory, load, machines
from examples.cloud_costs.journal import Journal
from examples.cloud_costs.moto_server import MotoServer
from holdfast import Model, PastCall, Rules, ToolContext
from holdfast.client import Client
from holdfast.testing import MessagesServer, calls, finish
from holdfast.testing.dev_server import dev_server
from holdfast.worker import Worker

EU = "eu-west-1"
QUEUE = "cloud-costs-tests"
TASK = "Cut our spend in eu-west-1"


@pytest.fixture(scope="module")
def own_moto() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


@pytest.fixture
def fresh_account(own_moto: MotoServer, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    """An account of the forgotten machines only, as if no test had run."""
    for name, value in own_moto.environment.items():
        monkeypatch.setenv(name, value)
    own_moto.reset()
    return load(machines(0))


@pytest.fixture
def journal(own_moto: MotoServer, fresh_account: Inventory) -> Journal:
    """The writing requests after the account is loaded."""
    return Journal(own_moto.recording)


@pytest.fixture
async def served(fresh_account: Inventory, tmp_path: Path) -> AsyncIterator[Client]:
    """A client of a server with one worker that serves the agent, planning on its rules."""
    by_rules = cloud_costs.but(ladder=[Rules(plan_by_rules)])
    async with dev_server(tmp_path) as server:
        client = await server.connect()
        async with Worker(client, agents=[by_rules], task_queue=QUEUE, strict_sandbox=True):
            yield Client(client, task_queue=QUEUE)


async def test_the_rules_cut_costs_and_ask_once(
    served: Client, fresh_account: Inventory, journal: Journal
) -> None:
    """The most expensive machine waits for finops, two cheap ones are stopped meanwhile; each has its snapshot."""
    run = await served.start(cloud_costs, TASK, dry_run=False)
    request = await run.next_request()
    (expensive,) = fresh_account.ids(name="ml-notebook-jo")
    cheap = [*fresh_account.ids(name="dev-ana"), *fresh_account.ids(name="ci-runner-old")]
    assert (request.by, request.tool) == ("finops", "stop_instance")
    assert request.arguments == {"region": EU, "instance_id": expensive, "monthly_cost_usd": 428.51}
    assert facts.states(EU)[expensive] == "running"

    await run.approve(request, by="dana")
    report = await run.result()
    assert set(report.stopped) == {expensive, *cheap}
    assert report.monthly_savings_usd == Decimal("428.51") + Decimal("78.11") + Decimal("70.08")
    assert sorted(one.resource for one in journal.writes("StopInstances")) == sorted(report.stopped)
    assert {one.instance_id for one in facts.snapshots(EU)} == set(report.stopped)
    assert {key for key, state in facts.states(EU).items() if state == "stopped"} == set(report.stopped)
    view = await run.inspect()
    stops = {
        call.arguments["instance_id"]: call
        for step in view.steps
        for call in step.calls
        if call.tool == "stop_instance"
    }
    assert {key: call.approved_by for key, call in stops.items()} == {
        expensive: "dana",
        **dict.fromkeys(cheap),
    }
    assert facts.stopped_by(EU) == {key: call.idempotency_key for key, call in stops.items()}


async def test_a_run_is_dry_unless_it_is_allowed_to_act(
    served: Client, fresh_account: Inventory, journal: Journal
) -> None:
    """Without `dry_run: false` the run rehearses, the approval included, and AWS gets no writing request."""
    run = await served.start(cloud_costs, TASK)
    request = await run.next_request()
    assert request.dry_run
    await run.approve(request, by="dana")
    report = await run.result()
    assert report.stopped == []
    assert report.monthly_savings_usd == 0
    assert {one.name for one in report.proposed} == {"ml-notebook-jo", "dev-ana", "ci-runner-old"}
    assert journal.writes() == []


async def test_a_rejected_machine_stays_up(served: Client, fresh_account: Inventory) -> None:
    """The human's no is final for this run, stands in the report, and the rest is done."""
    run = await served.start(cloud_costs, TASK, dry_run=False)
    request = await run.next_request()
    await run.reject(request, by="dana", reason="jo is back on Monday")
    report = await run.result()
    (expensive,) = fresh_account.ids(name="ml-notebook-jo")
    assert len(report.stopped) == 2
    assert facts.states(EU)[expensive] == "running"
    assert "jo is back on Monday" in next(
        one.reason for one in report.skipped if one.instance_id == expensive
    )


async def test_undo_starts_what_the_run_stopped(served: Client, fresh_account: Inventory) -> None:
    """Each stop can be taken back from what the run recorded of it; then its snapshots can go too."""
    run = await served.start(cloud_costs, TASK, dry_run=False)
    await run.approve(await run.next_request(), by="dana")
    outcome, report = await run.outcome(), await run.result()
    context = ToolContext(run=run.id, call="undo", agent="cloud-costs", idempotency_key="another key")
    view = await run.inspect()
    assert len(outcome.effects) == 6
    keys = {call.id: call.idempotency_key for step in view.steps for call in step.calls}
    for effect in reversed(outcome.effects):
        undo = {"stop_instance": start_instance, "snapshot_instance": undo_snapshot}[effect.tool]
        await undo(context, PastCall(effect.arguments, {"key": keys[effect.call]}))
    assert {facts.states(EU)[key] for key in report.stopped} == {"running"}
    assert facts.snapshots(EU) == []


async def test_a_model_cannot_reach_production_nor_lower_a_price(
    fresh_account: Inventory, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that insists is refused by the guard, and told the real price; AWS gets no writing request."""
    (production,) = fresh_account.ids(name="payments-db-standby")
    (critical,) = fresh_account.ids(name="ledger")
    (expensive,) = fresh_account.ids(name="ml-notebook-jo")
    report = {"stopped": [], "monthly_savings_usd": 0, "summary": "nothing could be stopped"}
    script = [
        calls(
            ("stop_instance", {"region": EU, "instance_id": production, "monthly_cost_usd": 823.44}),
            ("snapshot_instance", {"region": EU, "instance_id": critical}),
            ("stop_instance", {"region": EU, "instance_id": expensive, "monthly_cost_usd": 99}),
        ),
        finish(result=report, status="completed"),
    ]
    async with MessagesServer(script) as model, dev_server(tmp_path) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "test")
        client = await server.connect()
        agent = cloud_costs.but(ladder=[Model(MODEL)])
        async with Worker(client, agents=[agent], task_queue=QUEUE, strict_sandbox=True):
            run = await Client(client, task_queue=QUEUE).start(cloud_costs, TASK, dry_run=False)
            await run.result()
            view = await run.inspect()
    first, second, third = view.steps[0].calls
    assert (first.status, second.status, third.status) == ("refused", "refused", "failed")
    assert "Env=Prod" in first.why
    assert "Critical=TRUE" in second.why
    assert third.failure is not None
    assert "428.51" in third.failure.message
    assert journal.writes() == []
