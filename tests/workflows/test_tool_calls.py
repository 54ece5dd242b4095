"""How often a tool is called, beside what, and on whose behalf: retries, order and keys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from holdfast import (
    Agent,
    Correctable,
    Fatal,
    Retry,
    Tool,
    ToolContext,
    Transient,
    tool,
)
from holdfast.testing import call, calls, say
from tests.stage import CLAUDE, QUICKLY, SetStage


def agent_with(*tools: Tool[..., Any], **options: Any) -> Agent[str]:
    """An agent that may do everything with these tools."""
    options = {"autonomy": "full", **options}
    return Agent(name="worker", instructions="Work.", tools=tools, ladder=[CLAUDE], **options)


async def test_a_read_is_tried_again_and_sees_which_attempt_it_is(stage: SetStage) -> None:
    """A transient error of a read is retried within its bounds; the tool is told the number of the attempt."""
    seen: list[tuple[int, str]] = []

    @tool(effect="read", retry=QUICKLY)
    async def flaky(ctx: ToolContext) -> str:
        """Fail twice."""
        seen.append((ctx.attempt, ctx.idempotency_key))
        if ctx.attempt < 3:
            raise Transient("busy")
        return "at last"

    async with stage(agent_with(flaky), [call("flaky"), say("ok")]) as on:
        run = await on.start()
        await run.result()
        assert on.told() == ["at last"]
    assert seen == [(attempt, f"{run.id}/1.1") for attempt in (1, 2, 3)]


@pytest.mark.parametrize(
    "error, attempts, words",
    [
        (Transient("busy"), 3, "It was tried as often as is allowed"),
        (ConnectionResetError("gone"), 3, "It was tried as often as is allowed"),
        (ValueError("a bug"), 3, "Trying the same again is unlikely to help"),
        (Correctable("no such city"), 1, "Correct the call"),
        (Fatal("never"), 1, "do not try again"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
async def test_each_error_has_one_owner(stage: SetStage, error: Exception, attempts: int, words: str) -> None:
    """The engine retries what may pass, and the model is told of the rest at once; credentials are for a human."""
    tried: list[int] = []

    @tool(effect="read", retry=QUICKLY)
    async def fail() -> str:
        """Fail."""
        tried.append(1)
        raise error

    async with stage(agent_with(fail), [call("fail"), say("I see.")]) as on:
        assert await on.result() == "I see."
        assert words in on.told()[0]
        assert str(error) in on.told()[0]
    assert len(tried) == attempts


async def test_a_tool_may_say_how_long_to_wait(stage: SetStage) -> None:
    """`Transient(retry_after=…)` overrides the tool's own backoff."""

    @tool(effect="read", retry=Retry(attempts=2))
    async def busy(ctx: ToolContext) -> str:
        """Be busy once; the default backoff would be a second."""
        if ctx.attempt == 1:
            raise Transient("busy", retry_after=0.01)
        return "free"

    async with stage(agent_with(busy), [call("busy"), say("ok")], seconds=10) as on:
        await on.result()
        assert on.told() == ["free"]


async def test_calls_of_one_step_run_side_by_side(stage: SetStage) -> None:
    """Two reads of one answer are under way at once: each waits for the other, and both return."""
    here: dict[str, asyncio.Event] = {"a": asyncio.Event(), "b": asyncio.Event()}

    @tool(effect="read")
    async def meet(me: str, other: str) -> str:
        """Wait for the other one."""
        here[me].set()
        await asyncio.wait_for(here[other].wait(), 10)
        return "met"

    plan = calls(("meet", {"me": "a", "other": "b"}), ("meet", {"me": "b", "other": "a"}))
    async with stage(agent_with(meet), [plan, say("ok")]) as on:
        await on.result()
        assert on.told() == ["met", "met"]


async def test_no_call_runs_beside_an_exclusive_one(stage: SetStage) -> None:
    """Where a tool of a step is exclusive, its calls run one after another, in the model's order."""
    story: list[str] = []

    @tool(effect="read", exclusive=True)
    async def alone(name: str) -> str:
        """Be alone."""
        story.append(f"{name} begins")
        await asyncio.sleep(0.05)
        story.append(f"{name} ends")
        return name

    @tool(effect="read")
    async def other(name: str) -> str:
        """Do something."""
        story.append(f"{name} begins")
        await asyncio.sleep(0.05)
        story.append(f"{name} ends")
        return name

    plan = calls(("alone", {"name": "a"}), ("other", {"name": "b"}), ("alone", {"name": "c"}))
    async with stage(agent_with(alone, other), [plan, say("ok")]) as on:
        await on.result()
    assert story == [f"{name} {does}" for name in "abc" for does in ("begins", "ends")]


PAID: list[str] = []


@tool(effect="irreversible", idempotent=True, key="pay/{order}", waiver="a list")
async def pay(order: str, cents: int) -> str:
    """Pay an order."""
    PAID.append(f"{order} {cents}")
    await asyncio.sleep(0.05)
    return f"paid {cents} for {order}"


async def test_the_same_write_is_answered_from_the_record(stage: SetStage) -> None:
    """A write under a key that is spent is not made again: the model gets the result it had."""
    PAID.clear()
    plan = call("pay", order="A-1", cents=5)
    async with stage(agent_with(pay), [plan, plan, say("ok")]) as on:
        run = await on.start()
        await run.result()
        assert "already done by call 1.1" in on.told()[0]
        assert "paid 5 for A-1" in on.told()[0]
        assert (await run.inspect()).steps[1].calls[0].status == "skipped"
    assert PAID == ["A-1 5"]


async def test_the_same_write_twice_in_one_step_is_made_once(stage: SetStage) -> None:
    """The second call waits for the first, and is answered with its result."""
    PAID.clear()
    plan = calls(*[("pay", {"order": "A-1", "cents": 5})] * 2)
    async with stage(agent_with(pay), [plan, say("ok")]) as on:
        await on.result()
        first, second = on.told()
    assert PAID == ["A-1 5"]
    assert first == "paid 5 for A-1"
    assert "already done by call 1.1" in second
    assert "paid 5 for A-1" in second


async def test_a_key_that_is_spent_is_refused_for_other_arguments(stage: SetStage) -> None:
    """The same key with other arguments is a mistake, in a later step or the same one: nothing is done."""
    PAID.clear()
    both = calls(("pay", {"order": "A-1", "cents": 5}), ("pay", {"order": "A-1", "cents": 6}))
    async with stage(agent_with(pay), [both, call("pay", order="A-1", cents=7), say("ok")]) as on:
        await on.result()
        told = on.told(1) + on.told(2)
    assert PAID == ["A-1 5"]
    assert told[0] == "paid 5 for A-1"
    assert all("was used by call 1.1 with other arguments" in text for text in told[1:])


async def test_a_call_whose_twin_failed_is_made_after_all(stage: SetStage) -> None:
    """When the first of two equal calls had no effect, the second is made, not answered from nothing."""
    tried: list[str] = []

    @tool(effect="irreversible", idempotent=True, key="k/{order}", waiver="a list")
    async def charge(ctx: ToolContext, order: str) -> str:
        """Charge."""
        tried.append(ctx.call)
        if len(tried) == 1:
            raise Correctable("not yet")
        return "charged"

    plan = calls(*[("charge", {"order": "A-1"})] * 2)
    async with stage(agent_with(charge), [plan, say("ok")]) as on:
        await on.result()
        assert on.told()[1] == "charged"
    assert tried == ["1.1", "1.2"]
