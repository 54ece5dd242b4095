"""Parked runs: what is kept, how they are found together, and the ways in which they are moved on."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import Client as TemporalClient

from holdfast import Agent, Client, Run, tool
from holdfast.errors import DecisionRefused
from holdfast.testing import ModelRequest, Step, call, fault, say
from tests.stage import CLAUDE, SetStage, unique

MADE: list[str] = []


@tool(effect="irreversible", waiver="it writes into a list")
async def pay(order: str) -> str:
    """Pay an order."""
    MADE.append(order)
    return f"paid {order}"


@tool(effect="irreversible", waiver="it writes into a list", key="ship/{order}")
async def ship(order: str) -> str:
    """Ship an order."""
    MADE.append(f"ship {order}")
    return f"shipped {order}"


SHOP = Agent(name="shop", instructions="Pay.", tools=[pay, ship], ladder=[CLAUDE], autonomy="full")
PAY = call("pay", order="A-1")
DOWN = fault(401, "no such key (request req_011CSHoEeqs5C35K2UUqR7Fy)")


@pytest.fixture(autouse=True)
def _nothing_made() -> None:
    MADE.clear()


async def attribute(run: Run[Any], client: Client, name: str) -> str | None:
    """A search attribute of a run, as the server has it."""
    described = await client.temporal.get_workflow_handle(run.id).describe()
    found = described.search_attributes.get(name) or [None]
    return str(found[0]) if found[0] is not None else None


def roles_and_calls(request: ModelRequest) -> list[str]:
    """The messages of a request without the marks of the prompt cache, which wander."""
    plain = [
        [{key: value for key, value in block.items() if key != "cache_control"} for block in one["content"]]
        for one in request.messages
    ]
    return [f"{one['role']}: {content}" for one, content in zip(request.messages, plain, strict=True)]


async def test_what_stopped_a_run_is_kept_and_its_cause_is_found(stage: SetStage) -> None:
    """The failure, where, how often and since when; the fingerprint goes when the run is moved on."""
    async with stage(SHOP, [PAY, fault(529), fault(529), fault(529), say("Paid.")]) as on:
        run = await on.start()
        await run.next_request(kind="parked")
        note = (await run.inspect()).parked
        assert note is not None
        assert (note.where, note.failure.error) == ("planner claude-sonnet-5", "overloaded_error")
        assert (note.attempts, note.redrives, note.redriven_at) == (3, 0, None)
        assert await attribute(run, on.client, "FailureFingerprint") == note.fingerprint
        await run.redrive(by="dana", note="they are back")
        assert await run.result() == "Paid."
        view = await run.inspect()
        assert view.parked is None
        assert view.decisions[-1].note == "they are back"
        assert await attribute(run, on.client, "FailureFingerprint") is None
    assert MADE == ["A-1"]


async def test_a_cause_that_comes_again_is_counted_on(stage: SetStage) -> None:
    """Attempts and redrives of one cause add up, since the first time it stopped the run."""
    async with stage(SHOP, [DOWN, fault(401, "no such key (request req_029)"), say("ok")]) as on:
        run = await on.start()
        await run.next_request(kind="parked")
        first = (await run.inspect()).parked
        request = (await run.requests())[0]
        await run.redrive(by="dana")
        again = await next_parked(run, request.id)
        assert first is not None
        assert (again.fingerprint, again.since) == (first.fingerprint, first.since)
        assert (again.attempts, again.redrives) == (2, 1)
        await run.redrive(by="dana")
        assert await run.result() == "ok"


async def next_parked(run: Run[Any], before: str) -> Any:
    """What stopped the run anew, after the request `before`."""
    async for event in run.events():
        if event.kind == "request" and event.data["kind"] == "parked" and event.data["id"] != before:
            return (await run.inspect()).parked
    raise AssertionError("it has ended")


async def test_going_back_plans_again_and_what_was_done_stands(stage: SetStage) -> None:
    """From step 2: the model sees the transcript before its second plan, and which writes stand since."""
    second = call("pay", order="A-2")
    script: list[Step] = [PAY, second, DOWN, call("pay", order="A-3"), say("Paid otherwise.")]
    async with stage(SHOP, script) as on:
        run = await on.start()
        await run.next_request(kind="parked")
        await run.redrive(by="dana", from_step=2)
        assert await run.result() == "Paid otherwise."
        _, before, _, after, _ = on.model.requests
        assert roles_and_calls(after)[:-1] == roles_and_calls(before)[: len(after.messages) - 1]
        told = str(after.messages[-1])
        assert "back to before step 2" in told
        assert "A-2" in told
        assert "A-2" not in str(after.messages[:-1])
        view = await run.inspect()
        assert [one.id for step in view.steps for one in step.calls] == ["1.1", "2.1", "3.1"]
        keys = [effect.idempotency_key for effect in view.effects]
    assert MADE == ["A-1", "A-2", "A-3"]
    assert len(set(keys)) == 3


async def test_going_back_never_makes_a_write_with_its_own_key_twice(stage: SetStage) -> None:
    """The model asks for the shipment again, and is told that it was made."""
    again = call("ship", order="B-1")
    async with stage(SHOP, [again, DOWN, again, say("Shipped.")]) as on:
        run = await on.start()
        await run.next_request(kind="parked")
        await run.redrive(by="dana", from_step=1)
        assert await run.result() == "Shipped."
        assert "1.1" in on.told()[0]
    assert MADE == ["ship B-1"]


@pytest.mark.parametrize(
    "result,why",
    [
        ({"from_step": 2}, "there is no step 2 to go back to: it has steps 1 to 1"),
        ({"from_step": 0}, "from_step: Input should be greater than or equal to 1"),
        ({"from_step": "1"}, "from_step: Input should be a valid integer"),
        ({"agent": "newest"}, "agent: Input should be 'latest'"),
        ({"step": 1}, "step: Extra inputs are not permitted"),
        ([1], "it: Input should be a valid dictionary"),
    ],
)
async def test_a_redrive_that_cannot_be_is_refused(stage: SetStage, result: Any, why: str) -> None:
    """It is told why, with what would be right, and the run stays parked."""
    async with stage(SHOP, [PAY, DOWN, say("ok")]) as on:
        run = await on.start()
        request = await run.next_request(kind="parked")
        with pytest.raises(DecisionRefused, match=why.replace("(", r"\(")):
            await run.answer(request, "redrive", by="dana", result=result)
        assert (await run.inspect()).status == "parked"
        await run.redrive(by="dana")
        assert await run.result() == "ok"


async def test_only_parked_runs_are_redriven(stage: SetStage) -> None:
    """A run that has ended says that it is not parked."""
    async with stage(SHOP, [say("ok")]) as on:
        run = await on.start()
        await run.result()
        with pytest.raises(DecisionRefused, match="is not parked"):
            await run.redrive(by="dana")


async def test_on_the_latest_agent_a_run_lives_by_what_was_mended(
    stage: SetStage, temporal: TemporalClient
) -> None:
    """A worker with the mended agent takes over: the run plans by it, and shows its version."""
    mended = SHOP.but(instructions="Pay, and be brief.")
    queue = unique("queue")
    async with stage(SHOP, [PAY, DOWN], task_queue=queue, replay=False) as on:
        run = await on.start()
        await run.next_request(kind="parked")
    async with stage(mended, [say("Paid.")], task_queue=queue) as on:
        on.runs.append(run)
        again = on.client.run(run.id)
        await again.redrive(by="dana", agent="latest")
        assert await again.result() == "Paid."
        assert "be brief" in str(on.model.requests[0].body["system"])
        assert (await again.inspect()).digest == mended.digest
        assert await attribute(again, on.client, "AgentDigest") == mended.digest
        notices = [event.text async for event in again.events() if event.kind == "notice"]
    assert any(f"on agent version {mended.digest[:8]} (was {SHOP.digest[:8]})" in text for text in notices)
    assert MADE == ["A-1"]


async def test_an_agent_that_is_gone_leaves_the_run_parked(stage: SetStage) -> None:
    """No worker serves the agent any more: the run says so, and can still be discarded."""
    queue = unique("queue")
    async with stage(SHOP, [DOWN], task_queue=queue, replay=False) as on:
        run = await on.start()
        request = await run.next_request(kind="parked")
    async with stage(SHOP.but(name="another"), [], task_queue=queue) as on:
        on.runs.append(run)
        again = on.client.run(run.id)
        await again.redrive(by="dana", agent="latest")
        await next_parked(again, request.id)
        (asked,) = await again.requests()
        assert "There is no agent 'shop' here" in asked.why
        await again.discard(by="dana", reason="nobody needs it")
        outcome = await again.outcome()
        assert (outcome.status, outcome.reason) == ("failed", "discarded by dana: nobody needs it")
        note = (await again.inspect()).parked
        assert note is not None
        assert await attribute(again, on.client, "FailureFingerprint") == note.fingerprint
