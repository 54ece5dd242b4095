"""Who may do what unasked: guards, autonomy, and runs that only rehearse."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast import (
    Agent,
    Approval,
    Fatal,
    PastCall,
    ProposedCall,
    Tool,
    ToolContext,
    Verdict,
    arg,
    tool,
)
from holdfast.testing import call, calls, say
from tests.stage import CLAUDE, SetStage

PAID: list[str] = []


@tool(effect="irreversible", idempotent=True, waiver="a list")
async def pay(order: str, cents: int) -> str:
    """Pay an order."""
    PAID.append(f"{order} {cents}")
    return f"paid {cents} for {order}"


def agent_with(*tools: Tool[..., Any], **options: Any) -> Agent[str]:
    """An agent that may do everything with these tools."""
    options = {"autonomy": "full", **options}
    return Agent(name="worker", instructions="Work.", tools=tools, ladder=[CLAUDE], **options)


def guarded(verdicts: dict[str, Verdict], asked: list[ProposedCall]) -> Any:
    """A guard that answers by the order's name."""

    async def by_order(proposed: ProposedCall) -> Verdict:
        asked.append(proposed)
        return verdicts[proposed.arguments["order"]]

    return by_order


async def test_guards_allow_refuse_and_ask(stage: SetStage) -> None:
    """A guard's word stands above everything: refused is refused, and what it asks about waits for a human."""
    PAID.clear()
    asked: list[ProposedCall] = []
    verdicts = {
        "good": Verdict.allow(),
        "bad": Verdict.refuse("it is on the list"),
        "odd": Verdict.ask("it looks odd", by="fraud"),
    }
    agent = agent_with(pay, guards=[guarded(verdicts, asked)])
    plan = calls(*(("pay", {"order": order, "cents": 1}) for order in verdicts))
    async with stage(agent, [plan, say("ok")]) as on:
        run = await on.start(user="ana")
        request = await run.next_request()
        assert (request.call, request.by, request.why) == ("1.3", "fraud", "it looks odd")
        await run.approve(request, by="dana")
        await run.result()
        assert on.told() == ["paid 1 for good", "Not done: it is on the list", "paid 1 for odd"]
    assert sorted(PAID) == ["good 1", "odd 1"]
    assert [(one.user, one.agent, one.effect) for one in asked] == [("ana", "worker", "irreversible")] * 3


async def test_a_guard_that_cannot_be_asked_has_not_allowed_anything(stage: SetStage) -> None:
    """A guard that raises, or answers with something else than a verdict, refuses the call."""
    PAID.clear()

    async def broken(proposed: ProposedCall) -> Verdict:
        raise Fatal("the policy server is gone")

    async def careless(proposed: ProposedCall) -> Verdict:
        return True  # type: ignore[return-value]  # the point

    plan = call("pay", order="A-1", cents=1)
    for guard, words in ((broken, "the policy server is gone"), (careless, "it must return a Verdict")):
        async with stage(agent_with(pay, guards=[guard]), [plan, say("ok")]) as on:
            await on.result()
            assert "the guards could not be asked" in on.told()[0]
            assert words in on.told()[0]
    assert PAID == []


async def test_a_guard_that_is_gone_from_the_code_still_guards_the_runs_that_began_with_it(
    stage: SetStage,
) -> None:
    """A run lives by the guards it recorded: a worker of a newer release, without one of them, refuses the call."""
    PAID.clear()

    def careful(proposed: ProposedCall) -> Verdict:
        return Verdict.refuse("never")

    question, plan = call("ask_human", question="Go on?"), call("pay", order="A-1", cents=1)
    async with stage(agent_with(pay, guards=[careful]), [question]) as on:
        run = await on.start()
        await run.next_request()
    async with stage(agent_with(pay), [plan, say("ok")], task_queue=on.client.task_queue) as on:
        [request] = await run.requests()
        await run.answer(request, "yes", by="dana")
        assert await run.result() == "ok"
        assert "this worker has no guard careful" in on.told()[0]
    assert PAID == []


async def test_an_agents_guards_see_writes_and_a_tools_guards_see_its_reads(stage: SetStage) -> None:
    """Reads pass by the agent's guards; a tool that wants its reads vetted has guards of its own."""
    seen: list[str] = []

    def for_writes(proposed: ProposedCall) -> Verdict:
        seen.append(f"agent: {proposed.tool}")
        return Verdict.allow()

    def for_this_read(proposed: ProposedCall) -> Verdict:
        seen.append(f"tool: {proposed.tool}")
        return Verdict.refuse("private")

    @tool(effect="read")
    async def public() -> str:
        """Read what is public."""
        return "public"

    @tool(effect="read", guards=[for_this_read])
    async def private() -> str:
        """Read what is private."""
        return "private"

    plan = calls(("public", {}), ("private", {}), ("pay", {"order": "B-1", "cents": 1}))
    async with stage(agent_with(public, private, pay, guards=[for_writes]), [plan, say("ok")]) as on:
        await on.result()
        assert on.told() == ["public", "Not done: private", "paid 1 for B-1"]
    assert sorted(seen) == ["agent: pay", "tool: private"]


WORLD: list[str] = []


async def take_back(ctx: ToolContext, past: PastCall) -> None:
    WORLD.append("undo")


@tool(effect="read")
async def read() -> str:
    """Read."""
    WORLD.append("read")
    return "read"


@tool(effect="reversible", undo=take_back, idempotent=True)
async def move() -> str:
    """Move."""
    WORLD.append("move")
    return "moved"


@tool(effect="irreversible", approval=Approval(by="finops", when=arg("cents") > 100))
async def spend(cents: int) -> str:
    """Spend."""
    WORLD.append("spend")
    return "spent"


@tool(effect="irreversible", waiver="it only writes a log")
async def note() -> str:
    """Note."""
    WORLD.append("note")
    return "noted"


PROPOSED = calls(("read", {}), ("move", {}), ("spend", {"cents": 5}), ("spend", {"cents": 500}), ("note", {}))


@pytest.mark.parametrize(
    "autonomy, done, asked",
    [
        ("observe", ["read"], []),
        ("reversible", ["read", "move", "note"], ["1.3", "1.4"]),
        ("supervised", ["read"], ["1.2", "1.3", "1.4", "1.5"]),
        ("full", ["read", "move", "spend", "note"], ["1.4"]),
    ],
)
async def test_autonomy_says_what_is_done_asked_about_and_simulated(
    stage: SetStage, autonomy: str, done: list[str], asked: list[str]
) -> None:
    """The table of `policies/approval.py`, end to end: what runs unasked, and which calls a human is asked about."""
    WORLD.clear()
    agent = agent_with(read, move, spend, note, autonomy=autonomy)
    async with stage(agent, [PROPOSED, say("ok")]) as on:
        run = await on.start()
        requests = []
        for _ in asked:
            requests.append(await run.next_request())
            await run.reject(requests[-1], by="dana", reason="no")
        await run.outcome()
        simulated = [effect.outcome for effect in (await run.outcome()).effects]
    assert sorted(WORLD) == sorted(done)
    assert sorted(str(request.call) for request in requests) == asked
    assert set(simulated) == (
        {"simulated"} if autonomy == "observe" else {"done"} if len(done) > 1 else set()
    )


async def test_a_simulated_write_says_what_it_would_do(stage: SetStage) -> None:
    """In a dry run the tool's own `dry_run` function answers, or a stated "would do"; nothing is changed."""
    WORLD.clear()

    async def rehearse(ctx: ToolContext, size: int) -> str:
        return f"would make {size}, dry run {ctx.dry_run}"

    @tool(effect="irreversible", waiver="a list", dry_run=rehearse)
    async def make(size: int) -> str:
        """Make."""
        WORLD.append("make")
        return "made"

    agent = agent_with(make, note)
    async with stage(agent, [calls(("make", {"size": 3}), ("note", {})), say("ok")]) as on:
        run = await on.start(dry_run=True)
        await run.result()
        own, stated = on.told()
        outcome = await run.outcome()
    assert own == "would make 3, dry run True"
    assert '"would_call":"note"' in stated
    assert "nothing was changed" in stated
    assert [effect.outcome for effect in outcome.effects] == ["simulated", "simulated"]
    assert WORLD == []


async def test_a_run_says_whether_it_is_a_dry_run(stage: SetStage) -> None:
    """An agent that is dry by default writes when its run is started with `dry_run=False`."""
    WORLD.clear()
    agent = agent_with(note, dry_run=True)
    async with stage(agent, [call("note"), say("ok"), call("note"), say("ok")]) as on:
        dry, wet = await on.start(), None
        await dry.result()
        wet = await on.start(dry_run=False)
        await wet.result()
        assert [(await run.inspect()).dry_run for run in (dry, wet)] == [True, False]
    assert WORLD == ["note"]
