"""What a run did before it was rewound still stands, and can still be taken back."""

from __future__ import annotations

import pytest

from holdfast import Agent, PastCall, ToolContext, forked, tool
from holdfast.testing import call, finish, say
from tests.stage import CLAUDE, SetStage

WORLD: list[str] = []
TAKEN_BACK: list[str] = []


@pytest.fixture(autouse=True)
def a_fresh_world() -> None:
    WORLD.clear()
    TAKEN_BACK.clear()


async def unwrite(ctx: ToolContext, past: PastCall) -> None:
    """Undo of `write`."""
    TAKEN_BACK.append(past.arguments["line"])
    WORLD.remove(past.arguments["line"])


@tool(effect="reversible", undo=unwrite)
async def write(line: str) -> str:
    """Write a line."""
    WORLD.append(line)
    return f"wrote {line}"


WRITER = Agent(name="writer", instructions="Write.", tools=[write], ladder=[CLAUDE], autonomy="reversible")


async def test_what_a_run_went_back_behind_is_taken_back_last_call_first(stage: SetStage) -> None:
    """Alone, or with all else that it did; each once, and calls that share an id are told apart."""
    first = [call("write", line=line) for line in "abc"]
    async with stage(WRITER, [*first, say("one"), call("write", line="d"), say("two")], seconds=90) as on:
        run = await on.start()
        await run.result()
        made = await run.rewind(to=1, by="dana")
        assert [one.call for one in made] == ["2.1", "3.1"]
        assert await run.result() == "two"
        assert [one.call for one in (await run.inspect()).effects] == ["1.1", "2.1"]
        assert await run.made_since(1) == [*made, (await run.made_since(1))[-1]]

        undone = await run.undo(by="dana", forgotten=True)
        assert [(one.call, one.outcome, one.forgotten) for one in undone.calls] == [
            ("3.1", "undone", True),
            ("2.1", "undone", True),
        ]
        assert WORLD == ["a", "d"]
        assert await run.undo(by="dana", forgotten=True) == undone
        assert [one.shown for one in await run.made_since(1)] == ['{"line": "d"}']

        everything = await run.undo(by="dana")
        assert [one.call for one in everything.calls] == ["2.1", "3.1", "2.1", "1.1"]
    assert TAKEN_BACK == ["c", "b", "d", "a"]
    assert WORLD == []


async def test_a_failed_run_takes_back_what_it_did_before_it_was_rewound(
    stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From an open run, back to its very beginning and twice to the same step, told in as many signals as that takes."""
    monkeypatch.setattr(forked, "MAX_SIGNAL_BYTES", 1)
    agent = WRITER.but(on_failure="rollback")
    plans = [
        call("write", line="a"),
        call("write", line="b"),
        call("ask_human", question="More?"),
        call("write", line="c"),
        call("ask_human", question="More?"),
        call("write", line="d"),
        finish(status="failed", reason="No."),
    ]
    async with stage(agent, plans, seconds=90) as on:
        run = await on.start()
        await run.next_request()
        assert [one.call for one in await run.rewind(to=0, by="dana")] == ["1.1", "2.1"]
        await run.next_request()
        assert WORLD == ["a", "b", "c"]
        assert [one.call for one in await run.rewind(to=0, by="dana")] == ["1.1", "2.1", "1.1"]
        outcome, view = await run.outcome(), await run.inspect()
    assert [(one.call, one.forgotten, one.outcome) for one in outcome.rolled_back] == [
        ("1.1", False, "undone"),
        ("1.1", True, "undone"),
        ("2.1", True, "undone"),
        ("1.1", True, "undone"),
    ]
    assert [one.undone for one in view.effects] == [True]
    assert TAKEN_BACK == ["d", "c", "b", "a"]
    assert outcome.effects[0].idempotency_key.startswith(f"{run.id}~")
    assert outcome.effects[0].idempotency_key.startswith(f"{run.id}~")
    assert WORLD == []
