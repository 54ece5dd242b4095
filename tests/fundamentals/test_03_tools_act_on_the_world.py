"""Tools act on the world, and say what they promise: the engine repeats only what may be repeated."""

from __future__ import annotations

from datetime import timedelta

from holdfast import Agent, Retry, ToolContext, Transient, tool
from holdfast.testing import call, finish
from tests.stage import CLAUDE, SetStage

LEDGER: dict[str, int] = {}
"""The world: what was paid, by idempotency key."""


@tool(effect="read", retry=Retry(attempts=3, initial=timedelta(milliseconds=20)))
async def balance(ctx: ToolContext) -> int:
    """The balance in cents. The bank's line is bad: the first attempt always fails."""
    if ctx.attempt == 1:
        raise Transient("the line is busy")
    return 5_000 - sum(LEDGER.values())


@tool(effect="irreversible", waiver="small sums only, and this is a test")
async def pay(ctx: ToolContext, order: str, cents: int) -> str:
    """Pay an order. The bank pays, but its answer about order B-2 never arrives."""
    LEDGER[ctx.idempotency_key] = cents
    if order == "B-2":
        raise Transient("the connection was lost")
    return f"paid {order}"


CASHIER = Agent(
    name="cashier",
    instructions="Pay what is asked for.",
    tools=[balance, pay],
    ladder=[CLAUDE],
    autonomy="full",
)


async def test_a_read_is_retried_by_the_engine(stage: SetStage) -> None:
    """What may pass is tried again within bounds; the model never hears of it."""
    LEDGER.clear()
    async with stage(CASHIER, [call("balance"), finish(result="5000")]) as on:
        assert await on.result("What is left?") == "5000"
        assert on.told() == ["5000"]


async def test_an_invalid_call_is_not_executed(stage: SetStage) -> None:
    """Every call is checked against the tool's schema first; the model is told what is valid, and tries again."""
    LEDGER.clear()
    wrong = call("pay", order="A-1", cents="five")
    async with stage(CASHIER, [wrong, call("pay", order="A-1", cents=5), finish(result="ok")]) as on:
        assert await on.result("Pay A-1") == "ok"
        assert "Valid arguments: order (string, required), cents (integer, required)" in on.told(1)[0]
        assert on.told(2) == ["paid A-1"]
    assert list(LEDGER.values()) == [5]


async def test_a_write_that_may_have_happened_is_never_repeated_by_itself(stage: SetStage) -> None:
    """When the answer of a write is lost nobody knows: a human is asked whether it happened."""
    LEDGER.clear()
    async with stage(CASHIER, [call("pay", order="B-2", cents=7), finish(result="ok")]) as on:
        run = await on.start("Pay B-2")
        request = await run.next_request()
        assert (request.kind, request.why) == (
            "unknown_effect",
            "pay may or may not have happened: the connection was lost.",
        )
        await run.answer(request, "happened", by="dana", result="paid B-2, says the bank")
        assert await run.result() == "ok"
        assert on.told() == ["paid B-2, says the bank"]
    assert list(LEDGER.values()) == [7]


async def test_a_dry_run_changes_nothing(stage: SetStage) -> None:
    """Every write is simulated: the model plans as usual, and the outcome lists what would have been done."""
    LEDGER.clear()
    async with stage(CASHIER, [call("pay", order="A-1", cents=5), finish(result="ok")]) as on:
        run = await on.start("Pay A-1", dry_run=True)
        outcome = await run.outcome()
    assert [(effect.tool, effect.outcome) for effect in outcome.effects] == [("pay", "simulated")]
    assert LEDGER == {}
