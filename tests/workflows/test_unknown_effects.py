"""A write whose answer was lost: never a blind retry. Its probe is asked, then a human."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from holdfast import (
    Agent,
    Approval,
    Correctable,
    Fatal,
    PastCall,
    Probed,
    Retry,
    Tool,
    ToolContext,
    Transient,
    tool,
)
from holdfast.errors import DecisionRefused
from holdfast.testing import call, say
from tests.stage import CLAUDE, SetStage

CHARGED: list[str] = []


@pytest.fixture(autouse=True)
def nothing_charged() -> None:
    CHARGED.clear()


def cashier(*tools: Tool[..., Any]) -> Agent[str]:
    """An agent with these writes."""
    return Agent(
        name="cashier",
        instructions="Charge.",
        tools=tools,
        ladder=[CLAUDE],
        autonomy="full",
        approvers="desk",
    )


def charge_that_loses_its_first_answer(**options: Any) -> Tool[..., Any]:
    """A write that is not idempotent: it happens, and its first answer does not arrive."""

    @tool(effect="irreversible", waiver="a list", **options)
    async def charge(ctx: ToolContext, order: str) -> str:
        """Charge an order."""
        CHARGED.append(order)
        if len(CHARGED) == 1:
            raise Transient("the connection was lost")
        return f"charged {order} at try {len(CHARGED)}"

    return charge


CHARGE = call("charge", order="A-1")


async def test_a_human_is_asked_whether_a_lost_write_happened(stage: SetStage) -> None:
    """The write is tried once; the request says what is unknown, about which call, and who is asked."""
    async with stage(cashier(charge_that_loses_its_first_answer()), [CHARGE, say("ok")]) as on:
        run = await on.start()
        request = await run.next_request()
        assert (request.kind, request.call, request.by) == ("unknown_effect", "1.1", "desk")
        assert "charge may or may not have happened: the connection was lost" in request.why
        assert request.arguments == {"order": "A-1"}
        assert CHARGED == ["A-1"]
        with pytest.raises(DecisionRefused, match="must be one of: happened, run, skip"):
            await run.answer(request, "maybe", by="dana")
        with pytest.raises(DecisionRefused, match="takes answer, not approve"):
            await run.approve(request, by="dana")
        await run.answer(request, "happened", by="dana", result={"receipt": 7})
        assert await run.result() == "ok"
        assert on.told() == ['{"receipt":7}']
        effects = (await run.outcome()).effects
    assert CHARGED == ["A-1"]
    assert [(effect.outcome, effect.approved_by) for effect in effects] == [("done", "dana")]


async def test_a_human_may_have_the_call_run_again(stage: SetStage) -> None:
    """`run` says that it did not happen: the call is made once more, under the same key."""
    async with stage(cashier(charge_that_loses_its_first_answer()), [CHARGE, say("ok")]) as on:
        run = await on.start()
        await run.answer(await run.next_request(), "run", by="dana")
        await run.result()
        assert on.told() == ["charged A-1 at try 2"]
        assert [effect.outcome for effect in (await run.outcome()).effects] == ["done"]


async def test_a_human_may_leave_it_unknown(stage: SetStage) -> None:
    """`skip` leaves it: the model is told that nobody knows and not to repeat it, and the record says unknown."""
    async with stage(cashier(charge_that_loses_its_first_answer()), [CHARGE, say("ok")]) as on:
        run = await on.start()
        await run.answer(await run.next_request(), "skip", by="dana")
        await run.result()
        assert "Nobody knows whether this happened" in on.told()[0]
        assert [effect.outcome for effect in (await run.outcome()).effects] == ["unknown"]
    assert CHARGED == ["A-1"]


async def test_a_call_that_is_lost_again_is_asked_about_again(stage: SetStage) -> None:
    """Each lost answer opens a request of its own; nothing is ever run by itself."""

    @tool(effect="irreversible", waiver="a list")
    async def charge(order: str) -> str:
        """Charge an order."""
        CHARGED.append(order)
        raise ConnectionError("gone")

    async with stage(cashier(charge), [CHARGE, say("ok")]) as on:
        run = await on.start()
        first = await run.next_request()
        await run.answer(first, "run", by="dana")
        second = await run.next_request()
        assert first.id != second.id
        await run.answer(second, "skip", by="dana")
        await run.result()
    assert CHARGED == ["A-1", "A-1"]


@pytest.mark.parametrize(
    "finding, charged, told",
    [
        (Probed(finding="happened", result="receipt 7"), 1, "receipt 7"),
        (Probed(finding="did_not_happen"), 2, "charged A-1 at try 2"),
    ],
    ids=["happened", "did not happen"],
)
async def test_a_probe_that_knows_spares_the_human(
    stage: SetStage, finding: Probed, charged: int, told: str
) -> None:
    """The tool's probe finds out; only when it did not happen is the call made again."""
    asked: list[tuple[str, PastCall]] = []

    async def look_it_up(ctx: ToolContext, past: PastCall) -> Probed:
        asked.append((ctx.idempotency_key, past))
        return finding

    agent = cashier(charge_that_loses_its_first_answer(probe=look_it_up))
    async with stage(agent, [CHARGE, say("ok")]) as on:
        run = await on.start()
        assert await run.result() == "ok"
        assert on.told() == [told]
        assert (await run.inspect()).decisions == []
    assert asked == [(f"{run.id}/1.1", PastCall({"order": "A-1"}))]
    assert len(CHARGED) == charged


async def test_a_write_that_never_happens_is_not_tried_for_ever(stage: SetStage) -> None:
    """Where the probe says each time that nothing happened, three tries are made; then the model is told."""

    async def not_there(ctx: ToolContext, past: PastCall) -> Probed:
        return Probed(finding="did_not_happen")

    @tool(effect="irreversible", waiver="a list", probe=not_there)
    async def charge(order: str) -> str:
        """Charge an order."""
        CHARGED.append(order)
        raise Transient("the bank is closed")

    async with stage(cashier(charge), [CHARGE, say("ok")]) as on:
        assert await on.result() == "ok"
        assert CHARGED == ["A-1"] * 3
        assert "the bank is closed" in on.told()[0]
        assert (await on.runs[0].inspect()).effects == []


@pytest.mark.parametrize("broken", [False, True], ids=["unsure", "raises"])
async def test_a_probe_that_does_not_know_leads_to_a_human(stage: SetStage, broken: bool) -> None:
    """Unsure, or unable to look: the human is told what the probe said."""

    def look_it_up(ctx: ToolContext, past: PastCall) -> Probed:
        if broken:
            raise Fatal("no such page")
        return Probed(finding="unsure", note="two charges look alike")

    agent = cashier(charge_that_loses_its_first_answer(probe=look_it_up))
    async with stage(agent, [CHARGE, say("ok")]) as on:
        run = await on.start()
        request = await run.next_request()
        assert ("no such page" if broken else "two charges look alike") in request.why
        await run.answer(request, "skip", by="dana")
        await run.result()


async def test_a_write_that_takes_too_long_is_unknown(stage: SetStage) -> None:
    """A timeout of a write says nothing about its effect."""

    @tool(effect="irreversible", waiver="a list", timeout=timedelta(milliseconds=300))
    async def charge(order: str) -> str:
        """Charge an order."""
        CHARGED.append(order)
        await asyncio.sleep(30)
        return "charged"

    async with stage(cashier(charge), [CHARGE, say("ok")]) as on:
        run = await on.start()
        request = await run.next_request()
        assert request.kind == "unknown_effect"
        assert "longer than its timeout" in request.why
        await run.answer(request, "happened", by="dana")
        await run.result()
        assert (await run.inspect()).effects[0].outcome == "done"
    assert CHARGED == ["A-1"]


async def test_an_error_that_says_nothing_happened_is_not_unknown(stage: SetStage) -> None:
    """Correctable and Fatal promise that there was no effect: the model is told, nobody is asked."""

    @tool(effect="irreversible", waiver="a list")
    async def charge(order: str) -> str:
        """Charge an order."""
        raise Correctable("no such order")

    async with stage(cashier(charge), [CHARGE, say("ok")]) as on:
        run = await on.start()
        await run.result()
        assert "no such order" in on.told()[0]
        outcome = await run.outcome()
    assert outcome.effects == []


async def test_an_idempotent_write_is_tried_again_under_one_key(stage: SetStage) -> None:
    """Where repeating is harmless the engine retries, and every attempt carries the same key."""
    keys: list[str] = []

    @tool(
        effect="irreversible",
        idempotent=True,
        waiver="a list",
        key="charge/{order}",
        retry=Retry(attempts=3, initial=timedelta(milliseconds=20)),
    )
    async def charge(ctx: ToolContext, order: str) -> str:
        """Charge an order."""
        keys.append(ctx.idempotency_key)
        if ctx.attempt < 3:
            raise Transient("lost")
        return "charged once"

    async with stage(cashier(charge), [CHARGE, say("ok")]) as on:
        await on.result()
        assert on.told() == ["charged once"]
    assert keys == ["charge/A-1"] * 3


async def test_an_idempotent_write_that_stays_lost_is_unknown(stage: SetStage) -> None:
    """When the attempts are used up nobody knows what came of the last one: a human is asked, its approver first."""

    @tool(
        effect="irreversible",
        idempotent=True,
        approval=Approval(by="finops"),
        retry=Retry(attempts=2, initial=timedelta(milliseconds=20)),
    )
    async def charge(order: str) -> str:
        """Charge an order."""
        CHARGED.append(order)
        raise Transient("lost")

    async with stage(cashier(charge), [CHARGE, say("ok")]) as on:
        run = await on.start()
        await run.approve(await run.next_request(), by="dana")
        request = await run.next_request(kind="unknown_effect")
        assert request.by == "finops"
        await run.answer(request, "skip", by="dana")
        await run.result()
    assert CHARGED == ["A-1", "A-1"]


async def test_a_simulated_write_that_fails_is_nobodys_question(stage: SetStage) -> None:
    """A rehearsal changes nothing, so a lost answer of it is a plain failure."""

    async def rehearse(ctx: ToolContext, order: str) -> str:
        raise Transient("the test system is down")

    agent = cashier(charge_that_loses_its_first_answer(dry_run=rehearse))
    async with stage(agent, [CHARGE, say("ok")]) as on:
        run = await on.start(dry_run=True)
        await run.result()
        assert "the test system is down" in on.told()[0]
    assert CHARGED == []
