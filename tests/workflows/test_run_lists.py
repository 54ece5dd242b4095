"""Lists of runs by status say what runs are now: also of those that were ended from outside, rewound, or not begun."""

from __future__ import annotations

import asyncio

from temporalio.client import Client as TemporalClient

from holdfast import Agent, Approval, Client, tool
from holdfast.testing import call, say
from tests.stage import CLAUDE, SetStage, unique


@tool(effect="irreversible", approval=Approval(by="finops"))
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


PAYER = Agent(name="payer", instructions="Pay.", tools=[pay], ladder=[CLAUDE], autonomy="full")


async def are_listed(client: Client, user: str, status: str, expected: list[str]) -> None:
    """The list becomes this within 20 s: the server's index lags."""
    async with asyncio.timeout(20):
        while True:
            if [one.run for one in await client.runs(user=user, status=status)] == expected:
                return
            await asyncio.sleep(0.05)


async def test_a_terminated_run_is_cancelled_and_waits_no_more(stage: SetStage) -> None:
    """Though it still tells of itself that it waits."""
    user = unique("terminated")
    async with stage(PAYER, [call("pay", amount=5)], replay=False) as on:
        run = await on.start(user=user)
        await run.next_request()
        await are_listed(on.client, user, "waiting", [run.id])
        await on.client.temporal.get_workflow_handle(run.id).terminate()
        await are_listed(on.client, user, "waiting", [])
        await are_listed(on.client, user, "cancelled", [run.id])


async def test_a_run_that_was_rewound_is_listed_as_it_is_now(stage: SetStage) -> None:
    """It has been completed, and waits again: the end that it went back behind is not found any more."""
    user = unique("rewound")
    script = [say("one"), call("pay", amount=5), say("two")]
    async with stage(PAYER, script, seconds=90) as on:
        run = await on.start(user=user)
        assert await run.result() == "one"
        await are_listed(on.client, user, "completed", [run.id])
        await run.rewind(to=0, by="dana")
        request = await run.next_request()
        await are_listed(on.client, user, "waiting", [run.id])
        await are_listed(on.client, user, "completed", [])
        await run.approve(request, by="finops")
        assert await run.result() == "two"
        await are_listed(on.client, user, "completed", [run.id])


async def test_a_run_that_no_worker_has_begun_is_running(temporal: TemporalClient) -> None:
    """It tells no status yet, and is found all the same."""
    client = Client(temporal, task_queue=unique("nobody"))
    run = await client.start(PAYER, "Pay.", id=unique("not-begun"))
    async with asyncio.timeout(20):
        while True:
            if run.id in [one.run for one in await client.runs(status="running", limit=1000)]:
                break
            await asyncio.sleep(0.05)
    await temporal.get_workflow_handle(run.id).terminate()
