"""Taking back what a run did: last call first, each undo tried again, what cannot be undone listed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from holdfast import Agent, PastCall, Retry, Tool, ToolContext, Transient, UsageError, tool
from holdfast.testing import call, calls, finish, say
from tests.stage import CLAUDE, SetStage

WORLD: list[str] = []
UNDONE: list[tuple[str, PastCall]] = []


@pytest.fixture(autouse=True)
def a_fresh_world() -> None:
    WORLD.clear()
    UNDONE.clear()


async def start_again(ctx: ToolContext, past: PastCall) -> str:
    """Undo of `stop`."""
    UNDONE.append((ctx.idempotency_key, past))
    WORLD.remove(past.arguments["machine"])
    return "running"


@tool(effect="reversible", undo=start_again)
async def stop(machine: str, note: str = "") -> dict[str, str]:
    """Stop a machine."""
    WORLD.append(machine)
    return {"was": f"{machine} running"}


@tool(effect="irreversible", waiver="a list")
async def announce(text: str) -> str:
    """Announce something."""
    WORLD.append(text)
    return "announced"


def agent_with(*tools: Tool[..., Any]) -> Agent[str]:
    """An agent that may write what can be undone."""
    return Agent(
        name="operator",
        instructions="Stop what is idle.",
        tools=tools,
        ladder=[CLAUDE],
        autonomy="reversible",
    )


OPERATOR = agent_with(stop, announce)


async def test_what_a_run_did_is_taken_back_last_call_first(stage: SetStage) -> None:
    """Each undo gets the call's arguments and result under its own key; what has no undo is listed as such."""
    plans = [call("stop", machine="a"), call("announce", {"text": "b"}), call("stop", machine="c")]
    async with stage(OPERATOR, [*plans, say("ok")]) as on:
        run = await on.start()
        await run.result()
        assert WORLD == ["a", "b", "c"]
        outcome = await run.undo(by="dana", note="the fair is on Monday")
    assert [(one.call, one.outcome) for one in outcome.calls] == [
        ("3.1", "undone"),
        ("2.1", "irreversible"),
        ("1.1", "undone"),
    ]
    assert WORLD == ["b"]
    assert [past for _, past in UNDONE] == [
        PastCall({"machine": "c"}, {"was": "c running"}),
        PastCall({"machine": "a"}, {"was": "a running"}),
    ]


async def test_some_calls_may_be_taken_back_and_others_left(stage: SetStage) -> None:
    """Named calls only are undone; a call that the run never made is refused with those that it made."""
    plan = calls(("stop", {"machine": "a"}), ("stop", {"machine": "b"}))
    async with stage(OPERATOR, [plan, say("ok")]) as on:
        run = await on.start()
        await run.result()
        with pytest.raises(UsageError, match=r"no effect of call 9\.9; it has those of 1\.1, 1\.2"):
            await run.undo(by="dana", calls=["9.9"])
        outcome = await run.undo(by="dana", calls=["1.1"])
    assert [one.call for one in outcome.calls] == ["1.1"]
    assert WORLD == ["b"]


async def test_undoing_twice_is_undoing_once(stage: SetStage) -> None:
    """Asking again returns what came of it the first time."""
    async with stage(OPERATOR, [call("stop", machine="a"), say("ok")]) as on:
        run = await on.start()
        await run.result()
        first = await run.undo(by="dana")
        assert await run.undo(by="dana") == first
    assert len(UNDONE) == 1


async def test_a_run_that_is_open_or_rehearsed_has_nothing_to_undo(stage: SetStage) -> None:
    """An open run is cancelled first; simulated writes changed nothing."""
    async with stage(OPERATOR, [call("stop", machine="a"), call("ask_human", question="More?")]) as on:
        run = await on.start()
        await run.next_request()
        with pytest.raises(UsageError, match="still open: cancel it first"):
            await run.undo(by="dana")
        await run.cancel()
        await run.outcome()
        assert [one.outcome for one in (await run.undo(by="dana")).calls] == ["undone"]
    async with stage(OPERATOR, [call("stop", machine="b"), say("ok")]) as on:
        rehearsal = await on.start(dry_run=True)
        await rehearsal.result()
        assert (await rehearsal.undo(by="dana")).calls == []
    assert WORLD == []


async def test_an_undo_that_fails_is_tried_again_and_then_listed(stage: SetStage) -> None:
    """A failed undo stops nobody else's: its effect may stand, and the outcome says so."""
    tried: list[str] = []

    async def fragile(ctx: ToolContext, past: PastCall) -> None:
        tried.append(past.arguments["machine"])
        if past.arguments["machine"] == "b" or len(tried) == 1:
            raise Transient("the region is down")

    @tool(
        effect="reversible",
        undo=fragile,
        idempotent=True,
        retry=Retry(attempts=2, initial=timedelta(milliseconds=20)),
    )
    async def halt(machine: str) -> str:
        """Halt a machine."""
        return "halted"

    plans = [call("halt", machine=name) for name in ("a", "b", "c")]
    async with stage(agent_with(halt), [*plans, say("ok")]) as on:
        run = await on.start()
        await run.result()
        outcome = await run.undo(by="dana")
    assert [(one.call, one.outcome) for one in outcome.calls] == [
        ("3.1", "undone"),
        ("2.1", "failed"),
        ("1.1", "undone"),
    ]
    assert outcome.calls[1].failure is not None
    assert outcome.calls[1].failure.message == "the region is down"
    assert tried == ["c", "c", "b", "b", "a"]


async def test_a_run_with_much_to_undo_is_undone(stage: SetStage) -> None:
    """What takes megabytes to list does not fit into one answer, and is asked for in pages."""
    plans = [
        calls(*(("stop", {"machine": f"{at}.{n}", "note": "x" * 60_000}) for n in range(9)))
        for at in range(5)
    ]
    async with stage(OPERATOR, [*plans, say("ok")]) as on:
        run = await on.start()
        await run.result()
        assert len(WORLD) == 45
        outcome = await run.undo(by="dana")
    assert [one.outcome for one in outcome.calls] == ["undone"] * 45
    assert WORLD == []


async def test_what_was_done_after_a_step_is_taken_back_alone_and_never_twice(stage: SetStage) -> None:
    """An undo to a step leaves what came before it; a later undo of all does not repeat the first."""
    plans = [call("stop", machine=name) for name in ("a", "b", "c")]
    async with stage(OPERATOR, [*plans, say("ok")]) as on:
        run = await on.start()
        await run.result()
        late = await run.undo(by="dana", to_step=1)
        assert WORLD == ["a"]
        everything = await run.undo(by="dana")
    assert [one.call for one in late.calls] == ["3.1", "2.1"]
    assert [(one.call, one.outcome) for one in everything.calls] == [
        ("3.1", "undone"),
        ("2.1", "undone"),
        ("1.1", "undone"),
    ]
    assert [past.arguments["machine"] for _, past in UNDONE] == ["c", "b", "a"]
    assert WORLD == []


async def test_asking_again_repeats_only_the_undos_that_failed(stage: SetStage) -> None:
    """What was taken back is left alone, also after an undo that was refused in between."""
    region: list[str] = ["down"]
    tried: list[str] = []

    async def fragile(ctx: ToolContext, past: PastCall) -> None:
        tried.append(past.arguments["machine"])
        if past.arguments["machine"] == "a" and region == ["down"]:
            raise Transient("the region is down")

    @tool(effect="reversible", undo=fragile, retry=Retry(attempts=1))
    async def halt(machine: str) -> str:
        """Halt a machine."""
        return "halted"

    plans = [call("halt", machine=name) for name in ("a", "b")]
    async with stage(agent_with(halt), [*plans, say("ok")]) as on:
        run = await on.start()
        await run.result()
        first = await run.undo(by="dana")
        assert [one.outcome for one in first.calls] == ["undone", "failed"]
        with pytest.raises(UsageError, match="no effect of call"):
            await run.undo(by="dana", calls=["7.7"])
        region.clear()
        second = await run.undo(by="dana")
    assert [one.outcome for one in second.calls] == ["undone", "undone"]
    assert tried == ["b", "a", "a"]


async def test_a_failed_run_takes_back_what_it_did_when_its_agent_says_so(stage: SetStage) -> None:
    """Last call first, before the run ends; what cannot be taken back is named in the outcome."""
    agent = OPERATOR.but(on_failure="rollback")
    plans = [call("stop", machine="a"), call("announce", {"text": "b"}), call("stop", machine="c")]
    async with stage(agent, [*plans, finish(status="failed", reason="It is too hard.")]) as on:
        run = await on.start()
        outcome = await run.outcome()
        assert (await run.undo(by="dana", calls=["3.1"])).calls[0].outcome == "undone"
    assert outcome.status == "failed"
    assert [(one.call, one.outcome) for one in outcome.rolled_back] == [
        ("3.1", "undone"),
        ("2.1", "irreversible"),
        ("1.1", "undone"),
    ]
    assert outcome.reason == (
        "It is too hard.; 2 effects were taken back; not 2.1 announce: nothing can take it back"
    )
    assert WORLD == ["b"]
    assert [past.arguments["machine"] for _, past in UNDONE] == ["c", "a"]


async def test_a_rollback_that_fails_asks_a_human(stage: SetStage) -> None:
    """`retry` tries only what failed again; the run ends once nothing fails or a human says `leave`."""
    tried: list[str] = []

    async def fragile(ctx: ToolContext, past: PastCall) -> None:
        tried.append(past.arguments["machine"])
        if past.arguments["machine"] == "b":
            raise Transient("the region is down")

    @tool(effect="reversible", undo=fragile, retry=Retry(attempts=1))
    async def halt(machine: str) -> str:
        """Halt a machine."""
        return "halted"

    agent = agent_with(halt).but(on_failure="rollback")
    plans = [call("halt", machine=name) for name in ("a", "b", "c")]
    async with stage(agent, [*plans, finish(status="failed", reason="No.")]) as on:
        run = await on.start()
        first = await run.next_request(kind="rollback")
        assert "2.1 halt: the region is down" in first.why
        await run.answer(first, "retry", by="dana")
        async for event in run.events():
            if event.kind == "request" and event.data["id"] != first.id:
                break
        [second] = await run.requests()
        await run.answer(second, "leave", by="dana")
        outcome = await run.outcome()
    assert tried == ["c", "b", "a", "b"]
    assert [(one.call, one.outcome) for one in outcome.rolled_back] == [
        ("3.1", "undone"),
        ("2.1", "failed"),
        ("1.1", "undone"),
    ]
