"""Nothing that a run holds grows beyond what the server stores: a run with much to show ends like any other."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError

from holdfast import Agent, Approval, DefinitionError, Limits, tool
from holdfast.errors import DecisionRefused
from holdfast.testing import call, calls, say
from tests.stage import CLAUDE, SetStage, unique

WRITTEN: list[str] = []
LARGE = "x" * 60_000


@tool(effect="irreversible", idempotent=True, waiver="a list")
async def write(name: str, body: str) -> str:
    """Write something."""
    WRITTEN.append(name)
    return "written"


@tool(effect="irreversible", approval=Approval(by="desk"))
async def publish(name: str, body: str) -> str:
    """Publish something."""
    WRITTEN.append(f"{name}: {len(body)}")
    return "published"


WRITER = Agent(
    name="writer",
    instructions="Write.",
    tools=[write, publish],
    ladder=[CLAUDE],
    autonomy="full",
    limits=Limits(steps=50, calls=200),
)


async def test_a_run_ends_whatever_its_effects_take_to_list(stage: SetStage) -> None:
    """Three megabytes of arguments in one outcome would never be stored: they are shortened there, and all counted."""
    WRITTEN.clear()
    plans = [calls(*(("write", {"name": f"{at}.{n}", "body": LARGE}) for n in range(10))) for at in range(5)]
    async with stage(WRITER, [*plans, say("ok")]) as on:
        run = await on.start()
        outcome = await run.outcome()
        view = await run.inspect()
    assert len(WRITTEN) == 50
    assert (outcome.status, outcome.total_effects, len(outcome.effects)) == ("completed", 50, 50)
    assert sorted(effect.arguments["name"] for effect in outcome.effects) == sorted(WRITTEN)
    assert len(outcome.effects[-1].arguments["body"]) < 1_000
    assert view.steps[0].calls[0].arguments["body"] == LARGE


async def test_requests_that_do_not_fit_into_one_answer_come_one_after_another(stage: SetStage) -> None:
    """Twenty large requests are open at once; whoever decides those that are shown is shown the others."""
    WRITTEN.clear()
    plan = calls(*(("publish", {"name": str(n), "body": LARGE}) for n in range(20)))
    async with stage(WRITER, [plan, say("ok")]) as on:
        run = await on.start()
        await run.next_request()
        decided = 0
        while decided < 20:
            shown = await run.requests()
            assert shown
            for request in shown:
                assert request.arguments is not None
                await run.approve(request, by="dana", arguments={**request.arguments, "body": "short"})
                decided += 1
        assert await run.result() == "ok"
        assert (await run.inspect()).status == "completed"
    assert sorted(WRITTEN) == sorted(f"{n}: 5" for n in range(20))


async def test_a_decision_has_its_size(stage: SetStage) -> None:
    """What a human hands in is bounded as what a model proposes is, and the refusal says by how much."""
    WRITTEN.clear()
    async with stage(WRITER, [call("publish", name="a", body="b"), say("ok")]) as on:
        run = await on.start()
        request = await run.next_request()
        with pytest.raises(DecisionRefused, match="65,536 is the limit"):
            await run.approve(request, by="dana", arguments={"name": "a", "body": "x" * 100_000})
        with pytest.raises(DecisionRefused, match="262,144 is the limit"):
            await run.reject(request, by="dana", reason="x" * 1_000_000)
        await run.reject(request, by="dana", reason="no")
        assert await run.result() == "ok"
    assert WRITTEN == []


@pytest.mark.parametrize(
    "given,why",
    [
        ({"agent": "writer", "task": "x" * 1_900_000}, "1,000,000 is the limit"),
        ({"agent": "writer", "task": "hi", "k" * 1_900_000: 1}, "Extra inputs are not permitted"),
        ({"agent": "w" * 1_900_000, "task": "hi"}, "agent: String should have at most 1000 characters"),
    ],
    ids=["task", "key", "name"],
)
async def test_a_run_that_megabytes_would_start_fails_at_once(
    stage: SetStage, given: dict[str, Any], why: str
) -> None:
    """By whatever client it comes: the workflow ends, and says in a few words what is wrong."""
    async with stage(WRITER) as on:
        handle = await on.client.temporal.start_workflow(
            "AgentRun", given, id=unique("big"), task_queue=on.client.task_queue
        )
        with pytest.raises(WorkflowFailureError) as failed:
            await handle.result()
    assert why in str(failed.value.cause)
    assert len(str(failed.value.cause)) < 1_000


async def test_a_signal_is_not_repeated_at_length(stage: SetStage) -> None:
    """What is wrong with two megabytes is said in a few words, by signal and by update, and the run can still be looked at."""
    async with stage(WRITER, [call("publish", name="a", body="b"), say("ok")]) as on:
        run = await on.start()
        request = await run.next_request()
        handle = on.client.temporal.get_workflow_handle(run.id)
        odd: list[dict[str, Any]] = [
            {"k" * 1_800_000: 1},
            {"request": "r" * 200_000, "by": "dana"},
            {"by": "d" * 1_800_000},
        ]
        for one in odd:
            await handle.signal("approve", one)
            with pytest.raises(WorkflowUpdateFailedError) as refused:
                await handle.execute_update("decide", {**one, "choice": "approve"})
            assert len(str(refused.value.cause)) < 3_000
        await run.reject(request, by="dana", reason="no")
        assert await run.result() == "ok"
        view = await run.inspect()
    assert len(view.ignored) == len(odd)
    assert all(len(one.why) <= 2_000 for one in view.ignored)


async def test_an_answer_too_large_to_keep_goes_to_the_next_rung(stage: SetStage) -> None:
    """It is not asked for again, and the run neither hangs nor ends with a result that cannot be stored."""
    agent = WRITER.but(ladder=[CLAUDE, CLAUDE])
    async with stage(agent, [say("ü" * 1_000_000), say("In short: ü.")]) as on:
        run = await on.start()
        assert await run.result() == "In short: ü."
        notices = [event.text async for event in run.events() if event.kind == "notice"]
    assert any("1,500,000 is the limit" in text for text in notices)


def test_a_tool_cannot_promise_results_that_no_history_could_hold() -> None:
    """The limit of a result has a limit, which is said where the tool is defined."""
    with pytest.raises(DefinitionError, match="300,000 at most"):

        @tool(effect="read", max_result_chars=5_000_000)
        async def read() -> str:
            """Read."""
            return ""
