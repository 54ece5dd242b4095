"""Fifty runs at once share a dollar: they never spend more, whoever is killed meanwhile, and none is lost."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from typing import Any

import pytest

from holdfast import Client, Run
from holdfast.contracts.accounts import AccountView, SetLimit
from holdfast.contracts.names import ACCOUNT_PREFIX
from holdfast.testing import DevServer, ModelRequest, Step, answer, finish, slow
from tests.faults.agents import spender
from tests.faults.processes import Mother
from tests.faults.world import World, task_of, world

pytestmark = pytest.mark.slow

RUNS = 50
USER = "fifty-runs"
QUEUE = "spenders"
PATIENCE = 120.0
"""Seconds for all of them, killed workers and their fifty watchers included."""
KILLED_AT = [2, 4, 40]
"""The requests during which a worker is killed: two while there is the first dollar, one later."""


def spend(request: ModelRequest) -> Step:
    """Finish, for $0.05 to $0.30; what a run costs is always the same, and takes a moment."""
    cents = random.Random(request.conversation).randint(5, 30)  # a price, not a secret
    said = finish(result="spent")
    usage = {"input_tokens": 100, "output_tokens": cents * 10_000}
    content = [dict(block) for block in said.content]
    return slow(answer(content, stop_reason=said.stop_reason or "tool_use", usage=usage), delay=0.3)


@pytest.mark.timeout(2 * PATIENCE + 60)
async def test_fifty_runs_never_spend_more_than_their_users_dollar(
    temporal_server: DevServer, mother: Mother, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Counted where the model is: at most $1.00. The others ask, and go on by themselves when the limit is raised."""
    async with world(temporal_server, mother, tmp_path_factory.mktemp("spenders"), spend) as spenders:
        client = Client(spenders.temporal, task_queue=QUEUE)
        workers = [await spenders.pool.worker(QUEUE, points=False) for _ in range(2)]
        killer = asyncio.create_task(_kill_at_random(spenders, workers))
        names = [f"spender-{number}" for number in range(RUNS)]
        runs = [await client.start(spender, task_of(name), id=name, user=USER) for name in names]
        try:
            done = await asyncio.gather(*map(_ended_or_asks, runs))
            account = spenders.temporal.get_workflow_handle(f"{ACCOUNT_PREFIX}user/{USER}")
            first: AccountView = await account.query("show", result_type=AccountView)
            print(f"{sum(done)} done for ${dollars(spenders)}; {first}")
            assert dollars(spenders) <= 1
            assert dollars(spenders) <= first.spent_usd <= 1
            assert first.reserved_usd == 0
            assert sum(done) < RUNS
            assert len(first.waiting) <= RUNS - sum(done)  # one may just be telling the account

            await account.execute_update("set_limit", SetLimit(by="dana", daily_usd=Decimal(40)))
            outcomes = await asyncio.gather(*(spenders.outcome(run, PATIENCE) for run in runs))
            assert {(outcome.status, outcome.output) for outcome in outcomes} == {("completed", "spent")}
            last: AccountView = await account.query("show", result_type=AccountView)
            print(f"all done for ${dollars(spenders)}; {last}")
            assert dollars(spenders) <= last.spent_usd <= 40
            assert last.reserved_usd == 0
            assert sum(outcome.usage.cost_usd for outcome in outcomes) <= dollars(spenders)
            await asyncio.wait_for(killer, 10)
        finally:
            killer.cancel()


async def _kill_at_random(spenders: World, workers: list[Any]) -> None:
    chance = random.Random(7)  # a dice
    for number in KILLED_AT:
        await spenders.model.wait_for_request(number, timeout=2 * PATIENCE)
        at = chance.randrange(len(workers))
        await workers[at].kill()
        workers[at] = await spenders.pool.worker(QUEUE, points=False)


async def _ended_or_asks(run: Run[Any]) -> bool:
    """Wait until a run has ended, or asks for more money; whether it has ended."""
    ended = asyncio.create_task(run.outcome())
    asks = asyncio.create_task(run.next_request(kind="limit"))
    some, _ = await asyncio.wait([ended, asks], return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
    finished = ended.done()
    for task in (ended, asks):
        task.cancel()
    await asyncio.gather(ended, asks, return_exceptions=True)
    assert some, f"{run.id} neither ends nor asks: {await run.inspect()}"
    return finished


def dollars(spenders: World) -> Decimal:
    """What the model's own count comes to."""
    spent = spenders.model.spent_tokens
    return (Decimal(spent.output) + Decimal(spent.input) / 10_000) / 1_000_000


@pytest.mark.parametrize("point,presumed", [("plan:taken", "0"), ("model 1", "0.30")])
async def test_a_killed_worker_is_charged_only_for_what_may_have_been_sent(
    temporal_server: DevServer,
    mother: Mother,
    tmp_path_factory: pytest.TempPathFactory,
    point: str,
    presumed: str,
) -> None:
    """Killed before anything was reserved, a call costs nothing; killed while the model thinks, it counts at its most."""
    async with world(temporal_server, mother, tmp_path_factory.mktemp("killed"), spend) as spenders:
        name = f"killed-at-{point.replace(' ', '-').replace(':', '-')}"
        hold = spenders.journal.hold(name, point)
        worker = await spenders.pool.worker(name)
        run = await Client(spenders.temporal, task_queue=name).start(
            spender, task_of(name), id=name, user=name
        )
        await hold.until_reached()
        await worker.kill()
        hold.released.set()
        await spenders.pool.worker(name)
        assert (await spenders.outcome(run)).status == "completed"
        account = spenders.temporal.get_workflow_handle(f"{ACCOUNT_PREFIX}user/{name}")
        view: AccountView = await account.query("show", result_type=AccountView)
        assert round(view.presumed_usd, 2) == Decimal(presumed)
        assert view.reserved_usd == 0
