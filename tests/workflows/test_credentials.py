"""Credentials that are refused: renewed once by the tool's own refresh, then by a person, while the run is parked."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from temporalio.client import Client as TemporalClient

from holdfast import Agent, Approval, Run, ToolContext, Unauthorised, tool
from holdfast.context import PastCall
from holdfast.testing import by_conversation, call, calls, say
from tests.stage import CLAUDE, SetStage, Stage, unique

DONE: list[str] = []
VALID = {"bank": False}
NUMBER = itertools.count(1)


def check(what: str) -> None:
    """What the bank does with a request; each refusal has an id of its own, as services give them."""
    DONE.append(what)
    if not VALID["bank"]:
        raise Unauthorised(f"401: the token expired (request req_{next(NUMBER):06d})")


@tool(effect="irreversible", waiver="it writes into a list")
async def pay(order: str) -> str:
    """Pay an order."""
    check(f"pay {order}")
    return f"paid {order}"


@tool(effect="irreversible", approval=Approval(by="finops"))
async def refund(order: str) -> str:
    """Refund an order."""
    check(f"refund {order}")
    return f"refunded {order}"


@tool(effect="irreversible", waiver="it writes into a list", key="ship/{order}")
async def ship(order: str) -> str:
    """Ship an order."""
    check(f"ship {order}")
    return f"shipped {order}"


@tool(effect="irreversible", waiver="it writes into a list")
async def note(text: str) -> str:
    """Write into the order book, which asks for no token."""
    DONE.append(f"note {text}")
    return f"noted {text}"


@tool(effect="read")
async def stock(order: str) -> str:
    """Look at the shelf."""
    DONE.append(f"stock {order}")
    return "3 left"


SHOP = Agent(
    name="bank-shop",
    instructions="Pay.",
    tools=[pay, refund, ship, note, stock],
    ladder=[CLAUDE],
    autonomy="full",
)


@pytest.fixture(autouse=True)
def _an_expired_token() -> Iterator[None]:
    DONE.clear()
    VALID["bank"] = False
    yield
    VALID["bank"] = False


def renew() -> None:
    """What a person does before they redrive."""
    VALID["bank"] = True


async def parked(run: Run[Any]) -> Any:
    """What stopped the run, once something has."""
    await run.next_request(kind="parked")
    return (await run.inspect()).parked


async def one_group(on: Stage, runs: int) -> list[str]:
    """The runs of the only group of parked runs, once the server's index has all of them."""
    own = {run.id for run in on.runs}
    while True:
        groups = [group for group in await on.client.parked_groups(agent=SHOP.name) if own & set(group.runs)]
        if sum(len(own & set(group.runs)) for group in groups) == runs:
            (group,) = groups
            return [one for one in group.runs if one in own]


async def test_a_fleet_is_parked_by_one_cause_and_each_call_is_made_once_more(stage: SetStage) -> None:
    """Two runs, one group, one redrive: only what was refused is made again, and the model sees that it worked."""
    step = calls(("stock", {"order": "A"}), ("pay", {"order": "A"}), ("note", {"text": "A"}))
    async with stage(SHOP, by_conversation([step, say("Paid.")]), seconds=60) as on:
        runs = [await on.start(f"Pay, number {number}") for number in (1, 2)]
        for run in runs:
            found = await parked(run)
            assert (found.where, found.failure.kind, found.failure.category) == (
                "pay",
                "credentials",
                "integration",
            )
            (request,) = await run.requests()
            assert "pay (1.2): 401: the token expired" in request.why
            assert "Renew them, then redrive: this call is made again" in request.why
        assert sorted(DONE) == sorted(2 * ["stock A", "pay A", "note A"])
        group = await one_group(on, 2)
        assert [one.made_again for one in await on.client.rehearse(group)] == [["1.2 pay A"]] * 2
        renew()
        moved = await on.client.redrive(group, by="dana", note="renewed")
        assert [one.problem for one in moved] == [None, None]
        for run in runs:
            assert await run.result() == "Paid."
            view = await run.inspect()
            assert [(one.id, one.status, one.failure) for one in view.steps[0].calls] == [
                ("1.1", "done", None),
                ("1.2", "done", None),
                ("1.3", "done", None),
            ]
            assert sorted((one.call, one.outcome) for one in view.effects) == [
                ("1.2", "done"),
                ("1.3", "done"),
            ]
            assert view.failure_counts == {"integration": 1}
            assert view.parked is None
            results = [event.text async for event in run.events() if event.kind == "result"]
            assert [text for text in results if text.startswith("pay")] == ["pay: failed", "pay: done"]
        assert on.told() == ["3 left", "paid A", "noted A"]
    assert sorted(DONE) == sorted(2 * ["stock A", "pay A", "note A", "pay A"])


async def test_an_approval_holds_for_the_call_that_is_made_again(stage: SetStage) -> None:
    """Nobody is asked twice about the same arguments, also where they were changed, and a key is used once."""
    step = calls(("refund", {"order": "A"}), ("ship", {"order": "B"}), ("ship", {"order": "B"}))
    async with stage(SHOP, [step, say("Done.")]) as on:
        run = await on.start()
        asked = await run.next_request(kind="approval")
        await run.approve(asked, by="dana", arguments={"order": "A-2"})
        found = await parked(run)
        assert found.where == "refund"
        (request,) = await run.requests()
        assert "ship (1.2): 401" in request.why
        assert "ship (1.3): 401" in request.why
        renew()
        await run.redrive(by="dana")
        assert await run.result() == "Done."
        view = await run.inspect()
        assert [one.approved_by for one in view.steps[0].calls] == ["dana", None, None]
        assert [one.choice for one in view.decisions] == ["approve", "answer"]
        refunded, shipped, again = on.told()
        assert "dana changed the arguments" in refunded
        assert "refunded A-2" in refunded
        assert shipped == "shipped B"
        assert "already done by call 1.2" in again
    assert sorted(DONE[:3]) == ["refund A-2", "ship B", "ship B"]
    assert sorted(DONE[3:]) == ["refund A-2", "ship B"]


async def test_it_can_be_taken_back_or_discarded_instead(stage: SetStage) -> None:
    """From an earlier step it plans again, told what stands; discarded it ends, with all results on record."""
    first, second = call("note", text="1"), calls(("note", {"text": "2"}), ("pay", {"order": "A"}))
    script = [first, second, second, say("unused")]
    async with stage(SHOP, script, exhausted=False) as on:
        run = await on.start()
        await parked(run)
        rehearsed = await run.rehearse(from_step=2)
        assert [one.call for one in rehearsed.may_repeat] == ["2.1"]
        assert rehearsed.made_again == []
        await run.redrive(by="dana", from_step=2)
        again = await parked_again(run)
        assert (again.redrives, again.attempts) == (1, 2)
        assert "back to before step 2" in on.said()
        assert "Do not make them again" in on.said()
        await run.discard(by="dana", reason="the bank is gone")
        outcome = await run.outcome()
        assert (outcome.status, outcome.reason) == ("failed", "discarded by dana: the bank is gone")
        last = (await run.transcript())[-1]
        assert [block["type"] for block in last.content] == ["tool_result", "tool_result"]
        assert "noted 2" in str(last.content[0])
        assert "the token expired" in str(last.content[1])
    assert DONE.count("pay A") == 2


async def parked_again(run: Run[Any]) -> Any:
    """What stopped the run the second time."""
    asked = [event async for event in _until(run, 2)]
    assert len(asked) == 2
    return (await run.inspect()).parked


async def _until(run: Run[Any], number: int) -> Any:
    async for event in run.events():
        if event.kind == "request" and event.data["kind"] == "parked":
            number -= 1
            yield event
        if not number:
            return


async def test_paused_and_cancelled_it_stays_whole(stage: SetStage) -> None:
    """A pause holds the call that is to be made again; a cancelled run answers every call in its transcript."""
    async with stage(SHOP, [calls(("pay", {"order": "A"}), ("stock", {"order": "A"}))]) as on:
        run = await on.start()
        await parked(run)
        await run.pause(by="dana", reason="wait")
        await run.redrive(by="dana")
        assert (await run.inspect()).status == "paused"
        assert DONE.count("pay A") == 1
        await run.resume(by="dana")
        again = await parked_again(run)
        assert again.redrives == 1
        assert DONE.count("pay A") == 2
        await run.cancel()
        outcome = await run.outcome()
        assert outcome.status == "cancelled"
        assert outcome.effects == []
        told = [str(block["content"]) for block in (await run.transcript())[-1].content]
        assert "the token expired" in told[0]
        assert told[1] == "3 left"
        events = [event.text async for event in run.events()]
        assert not [text for text in events if "engine bug" in text]


async def test_on_another_version_of_the_agent_it_is_approved_anew(
    stage: SetStage, temporal: TemporalClient
) -> None:
    """An approval is of one version: on the latest agent the call is validated and asked about again."""
    queue = unique("queue")
    async with stage(SHOP, [call("refund", order="A")], task_queue=queue, replay=False) as on:
        run = await on.start()
        await run.approve(await run.next_request(kind="approval"), by="dana")
        await parked(run)
    renew()
    mended = SHOP.but(instructions="Pay, and be brief.")
    async with stage(mended, [say("Refunded.")], task_queue=queue) as on:
        on.runs.append(run)
        again = on.client.run(run.id)
        await again.redrive(by="dana", agent="latest")
        asked = await again.next_request(kind="approval")
        assert asked.digest == mended.digest
        assert DONE == ["refund A"]
        await again.approve(asked, by="finn")
        assert await again.result() == "Refunded."
        assert on.told() == ["refunded A"]
        assert (await again.inspect()).steps[0].calls[0].approved_by == "finn"
    assert DONE == ["refund A", "refund A"]


RENEWED: list[str] = []


def renew_token(ctx: ToolContext) -> None:
    """Renews the bank's token."""
    RENEWED.append(ctx.call)
    VALID["bank"] = True


async def take_back(ctx: ToolContext, past: PastCall) -> None:
    """Takes an order back."""
    check(f"take back {past.arguments['order']}")


@tool(effect="reversible", undo=take_back, refresh=renew_token)
async def order(ctx: ToolContext, order: str) -> str:
    """Order, with a token that its tool can renew."""
    check(f"order {order}")
    return f"ordered {order} at attempt {ctx.attempt}"


async def cannot_renew() -> None:
    """Has no way to a new token."""
    raise ConnectionError("no route to the vault")


@tool(effect="read", refresh=cannot_renew)
async def balance() -> str:
    """Ask for the balance, with a token whose vault is down."""
    check("balance")
    return "7"


@tool(effect="read", refresh=lambda: None)
async def owner() -> str:
    """Ask for the owner, with a token that a refresh does not mend."""
    check("owner")
    return "ana"


REFRESHING = Agent(
    name="refreshing", instructions="Go.", tools=[order, balance, owner], ladder=[CLAUDE], autonomy="full"
)


async def test_a_tool_that_can_refresh_needs_nobody(stage: SetStage) -> None:
    """Refused, refreshed and made once more is one attempt, of the call and of its undo; who shares it waits for one."""
    RENEWED.clear()
    step = calls(("order", {"order": "A"}), ("order", {"order": "B"}))
    async with stage(REFRESHING, [step, say("Ordered.")]) as on:
        run = await on.start()
        assert await run.result() == "Ordered."
        assert on.told() == ["ordered A at attempt 1", "ordered B at attempt 1"]
        assert (await run.inspect()).failure_counts == {}
        assert len(RENEWED) == 1
        VALID["bank"] = False
        undone = await run.undo(by="dana")
        assert [one.outcome for one in undone.calls] == ["undone", "undone"]
    assert len([one for one in DONE if one.startswith("take back")]) == 3


@pytest.mark.parametrize(
    "name,why",
    [
        (
            "balance",
            "could not be refreshed (ConnectionError): no route to the vault",
        ),
        ("owner", "The credentials had been refreshed once"),
    ],
)
async def test_what_a_refresh_does_not_mend_is_for_a_person(stage: SetStage, name: str, why: str) -> None:
    """One refresh, and the run is parked with what came of it."""
    async with stage(REFRESHING, [call(name), say("ok")]) as on:
        run = await on.start()
        found = await parked(run)
        assert (found.where, found.failure.kind) == (name, "credentials")
        assert "the token expired" in found.why
        assert why in found.why
        assert len(DONE) == (2 if name == "owner" else 1)
        renew()
        await run.redrive(by="dana")
        assert await run.result() == "ok"
