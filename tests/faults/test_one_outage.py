"""A vendor's outage stops a hundred runs: they are one group and one alert, and all finish from where they stopped."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from holdfast import Agent, Client, Model, Retry, tool
from holdfast.contracts.messages import text_of
from holdfast.testing import ModelRequest, Step, call, fault, say
from holdfast.worker import AlertSettings, BreakerSettings
from tests.stage import SetStage
from tests.webhook import webhook

RUNS = 100
SOON = BreakerSettings(open_seconds=0.3, trial_seconds=5)
"""Minutes are played as tenths of seconds."""

LONG = timedelta(minutes=4)
"""A hundred at once on a busy machine are silent for long, and a lost worker is another cause."""

PAID: Counter[str] = Counter()
ALL_PAY = asyncio.Event()
"""Every run has got so far: the outage begins for all of them at their second plan."""


@tool(effect="irreversible", waiver="it counts", timeout=LONG, heartbeat=LONG)
async def pay(order: str) -> str:
    """Pay an order."""
    PAID[order] += 1
    if len(PAID) == RUNS:
        ALL_PAY.set()
    await ALL_PAY.wait()
    return f"paid {order}"


QUICKLY = Retry(attempts=2, initial=timedelta(milliseconds=50))
VENDOR = Model("claude-sonnet-5", retry=QUICKLY, heartbeat=LONG)
BUYER = Agent(name="buyer", instructions="Pay.", tools=[pay], ladder=[VENDOR], autonomy="full", budgets=[])


async def parked(client: Client) -> list[str]:
    """The hundred, as soon as the server's index has them all."""
    # The index lags, and nothing tells when it has caught up.
    while len(found := await client.parked(agent=BUYER.name)) < RUNS:  # noqa: ASYNC110
        await asyncio.sleep(0.5)
    return [one.run for one in found]


@pytest.mark.slow
@pytest.mark.timeout(500)
async def test_a_hundred_runs_are_one_group_and_one_alert(stage: SetStage) -> None:
    """Of each run the first plan is paid for once, and its write made once; what a redrive would repeat is named."""
    PAID.clear()
    ALL_PAY.clear()
    alive = False

    def play(request: ModelRequest) -> Step:
        """The vendor: it is down from each run's second plan on, with another message each time."""
        if request.turn == 0:
            return call("pay", order=text_of(request.messages[0]["content"]))
        number = request.number
        return say("Paid.") if alive else fault(529, f"Overloaded (request req_{number}x{number * 7})")

    async with webhook() as hook:
        options = {
            "alerts": AlertSettings(hook.url),
            "breakers": SOON,
            "strict_sandbox": False,
            "concurrency": 2 * RUNS,
        }
        async with stage(BUYER, play, exhausted=False, seconds=400, **options) as on:
            await asyncio.gather(*(on.start(f"order {n}") for n in range(RUNS)))
            runs = await parked(on.client)
            (group,) = await on.client.parked_groups(agent=BUYER.name)
            assert sorted(group.runs) == sorted(runs) == sorted(run.id for run in on.runs)
            assert group.example is not None
            assert group.example.failure.error in ("overloaded_error", "BreakerOpen")

            assert all(one.may_repeat == [] for one in await on.client.rehearse(runs[:3]))
            back = await on.client.rehearse(runs, from_step=1)
            named = [(one.may_repeat[0].tool, one.may_repeat[0].arguments) for one in back]
            assert sorted(named, key=str) == sorted(
                (("pay", {"order": f"order {n}"}) for n in range(RUNS)), key=str
            )

            alive = True
            for one in await on.client.breakers():
                await on.client.reset_breaker(one.dependency, by="dana")
            moved = await on.client.redrive(runs, by="dana", note="the vendor is back")
            assert [one.problem for one in moved] == [None] * RUNS
            assert {await run.result() for run in on.runs} == {"Paid."}
            decision = (await on.runs[0].inspect()).decisions[-1]
            assert (decision.by, decision.note) == ("dana", "the vendor is back")

            name = f"holdfast-alert/{on.client.task_queue}/{group.fingerprint}"
            await on.client.temporal.get_workflow_handle(name).terminate("the test is over")
            del on.runs[3:]  # three histories are replayed
        assert len(hook.posts) == 1
        assert hook.bodies[0]["fingerprint"] == group.fingerprint
    assert {f"order {n}": 1 for n in range(RUNS)} == PAID
    turns = Counter(request.turn for request in on.model.requests)
    assert turns[0] == RUNS
