"""Whatever a model proposes: what is not a valid call is never executed, and the model hears what would be valid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client as TemporalClient

from holdfast import Agent, tool
from holdfast.testing import (
    Answer,
    answer,
    by_conversation,
    calls,
    finish,
    raw_tool_call,
    truncated_tool_call,
)
from tests.stage import CLAUDE, SetStage, setting

EXECUTED: list[str] = []
"""Every execution of a tool, noted by the tool itself."""


@tool(effect="irreversible", idempotent=True, waiver="it writes into a list")
async def refund(order: str, cents: int, note: str = "") -> str:
    """Refund an order."""
    EXECUTED.append(f"refund {order} {cents}")
    return "refunded"


@tool(name="crm.look_up", effect="read")
async def look_up(customer: str) -> str:
    """Look up a customer."""
    EXECUTED.append(f"look_up {customer}")
    return "found"


@tool(effect="read")
async def store(anything: dict[str, object]) -> str:
    """Take any object at all."""
    EXECUTED.append("store")
    return "stored"


AGENT = Agent(
    name="cashier",
    instructions="Refund what is asked for.",
    tools=[refund, look_up, store],
    ladder=[CLAUDE],
    autonomy="full",
)


@dataclass(frozen=True)
class Bad:
    """A plan, and words that the model must be told about it; `words[i]` concerns the i-th call."""

    plan: Answer
    words: tuple[str, ...]
    kept_calls: int = 1
    """How many tool_use blocks of it go back to the model."""


def ids(*names: object) -> Answer:
    """Calls whose ids are exactly these."""
    blocks = [
        {"type": "tool_use", "id": name, "name": "refund", "input": {"order": "A-1", "cents": at}}
        for at, name in enumerate(names)
    ]
    return answer(blocks, stop_reason="tool_use")


def named(name: object) -> Answer:
    """A valid call but for its tool's name."""
    block = {"type": "tool_use", "id": "toolu_a", "name": name, "input": {"order": "A-1", "cents": 5}}
    return answer([block], stop_reason="tool_use")


VALID = "order (string, required), cents (integer, required), note (string)"
GOOD = '{"order": "A-1", "cents": 5}'

BAD_PLANS = {
    "unknown tool": Bad(named("refnd"), ("refund, crm_look_up, store, ask_human, finish",)),
    "missing argument": Bad(calls(("refund", {"order": "A-1"})), (VALID,)),
    "unknown argument": Bad(calls(("refund", {"order": "A-1", "cents": 5, "to": "me"})), (VALID,)),
    "text for a number": Bad(
        calls(("refund", {"order": "A-1", "cents": "5"})), ('"5" is not of type "integer"',)
    ),
    "fraction for an integer": Bad(calls(("refund", {"order": "A-1", "cents": 5.5})), (VALID,)),
    "boolean for an integer": Bad(calls(("refund", {"order": "A-1", "cents": True})), (VALID,)),
    "megabyte of arguments": Bad(
        calls(("refund", {"order": "A-1", "cents": 5, "note": "x" * 1_000_000})), ("65,536 is the limit",)
    ),
    "NUL": Bad(raw_tool_call("refund", r'{"order": "A\u0000", "cents": 5}'), ("NUL",)),
    "NUL in a key": Bad(raw_tool_call("store", r'{"anything": {"a\u0000": 1}}'), ("NUL",)),
    "lone surrogate": Bad(raw_tool_call("refund", r'{"order": "A\ud800", "cents": 5}'), ("surrogate",)),
    "nested too deep": Bad(
        raw_tool_call("store", '{"anything": {"a": ' + "[" * 100 + "]" * 100 + "}}"), ("64 levels",)
    ),
    "nested beyond parsing": Bad(
        raw_tool_call("store", '{"anything": {"a": ' + "[" * 20_000 + "]" * 20_000 + "}}"), ("nested",)
    ),
    "list for an object": Bad(raw_tool_call("refund", '["A-1", 5]'), ("a JSON object, not an array",)),
    "null input": Bad(raw_tool_call("refund", "null"), ("a JSON object, not null",)),
    "number for an object": Bad(raw_tool_call("refund", "5"), ("a JSON object, not a number",)),
    "NaN": Bad(raw_tool_call("refund", '{"order": "A-1", "cents": NaN}'), ("NaN is not JSON",)),
    "Infinity": Bad(
        raw_tool_call("refund", '{"order": "A-1", "cents": -Infinity}'), ("Infinity is not JSON",)
    ),
    "number out of range": Bad(raw_tool_call("refund", '{"order": "A-1", "cents": 1e999}'), ("finite",)),
    "huge integer": Bad(
        raw_tool_call("refund", '{"order": "A-1", "cents": ' + "9" * 100 + "}"), ("more than 64 bits",)
    ),
    "integer beyond parsing": Bad(
        raw_tool_call("refund", '{"order": "A-1", "cents": ' + "9" * 5_000 + "}"), ("not valid JSON",)
    ),
    "broken JSON": Bad(raw_tool_call("refund", '{"order": "A-1", "cents"'), ("not valid JSON",)),
    "JSON and more": Bad(raw_tool_call("refund", GOOD + GOOD), ("not valid JSON",)),
    "no arguments at all": Bad(raw_tool_call("refund", ""), (VALID,)),
    "two calls with one id": Bad(ids("toolu_a", "toolu_a"), ("toolu_a", "toolu_a"), kept_calls=2),
    "no id": Bad(ids(["toolu_a"]), ("no valid id",)),
    "empty id": Bad(ids(""), ("no valid id",)),
    "illegal id": Bad(ids("toolu a/1"), ("no valid id",)),
    "number as an id": Bad(ids(7), ("no valid id",)),
    "illegal name": Bad(named("re fund!"), ("refund, crm_look_up",)),
    "empty name": Bad(named(""), ("names no tool",)),
    "no name": Bad(named(None), ("names no tool",)),
    "a path for a name": Bad(named("../refund"), ("refund, crm_look_up",)),
    "an engine's own activity": Bad(named("plan"), ("There is no tool 'plan'",)),
    "finish beside another call": Bad(
        calls(("finish", {"status": "completed", "result": "x"}), ("refund", {"order": 1, "cents": 5})),
        ("call finish alone", VALID),
        kept_calls=2,
    ),
    "a question without words": Bad(calls(("ask_human", {})), ('"question" is a required property',)),
    "cut off in a call": Bad(truncated_tool_call("refund", '{"order": "A-1", "cents": 5'), ("cut off",)),
    "cut off behind a call that looks whole": Bad(
        answer(
            [{"type": "tool_use", "id": "toolu_a", "name": "refund", "input": {"order": "A-1", "cents": 5}}],
            stop_reason="max_tokens",
        ),
        ("cut off",),
    ),
    "a call, and a reason to stop that nobody knows": Bad(
        answer(
            [{"type": "tool_use", "id": "toolu_a", "name": "refund", "input": {"order": "A-1", "cents": 5}}],
            stop_reason="daydreaming",
        ),
        ("unknown reason (daydreaming)",),
    ),
}


@dataclass(frozen=True)
class Played:
    """A run that began with a bad plan."""

    result: str
    executed: list[str]
    statuses: list[str]
    asked: list[dict[str, Any]]
    answered: list[dict[str, Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def played(temporal: TemporalClient) -> dict[str, Played]:
    """A run for each bad plan, all at once on one worker."""
    EXECUTED.clear()
    script = by_conversation(
        {name: [bad.plan, finish(result="understood")] for name, bad in BAD_PLANS.items()}
    )
    with pytest.MonkeyPatch.context() as patch:
        async with setting(temporal, patch)(AGENT, script, seconds=90) as on:
            runs = {name: await on.start(name) for name in BAD_PLANS}
            results = {name: await run.result() for name, run in runs.items()}
            views = {name: await run.inspect() for name, run in runs.items()}
    second = {request.conversation: request.messages for request in on.model.requests if request.turn == 1}
    return {
        name: Played(
            result=results[name],
            executed=list(EXECUTED),
            statuses=[call.status for step in views[name].steps for call in step.calls],
            asked=[block for block in second[name][-2]["content"] if block["type"] == "tool_use"],
            answered=[block for block in second[name][-1]["content"] if block["type"] == "tool_result"],
        )
        for name in BAD_PLANS
    }


@pytest.mark.parametrize("name", BAD_PLANS)
async def test_a_bad_plan_is_not_executed_and_is_answered_with_what_is_valid(
    played: dict[str, Played], name: str
) -> None:
    """None of its calls runs, each is answered in its place, the transcript stays legal, and the run goes on."""
    bad, run = BAD_PLANS[name], played[name]
    assert run.result == "understood"
    assert run.executed == []
    assert set(run.statuses) <= {"refused"}
    assert len(run.asked) == bad.kept_calls
    assert [block["tool_use_id"] for block in run.answered] == [block["id"] for block in run.asked]
    assert all(block["is_error"] for block in run.answered)
    for block, words in zip(run.answered, bad.words, strict=True):
        assert words in block["content"]
        assert len(block["content"]) < 5_000


async def test_a_good_call_beside_a_bad_one_is_carried_out(stage: SetStage) -> None:
    """A refused call spoils nobody else's: the valid ones of the same answer run."""
    EXECUTED.clear()
    plan = calls(("refund", {"order": "A-1"}), ("refund", {"order": "A-2", "cents": 7}))
    async with stage(AGENT, [plan, finish(result="half")]) as on:
        assert await on.result() == "half"
        assert [VALID in on.told()[0], on.told()[1]] == [True, "refunded"]
    assert EXECUTED == ["refund A-2 7"]


async def test_a_tool_with_dots_in_its_name_is_called_by_its_legal_spelling(stage: SetStage) -> None:
    """Dots are illegal in the API: the model sees underscores, and either spelling is understood."""
    EXECUTED.clear()
    dotted = answer(
        [{"type": "tool_use", "id": "toolu_b", "name": "crm.look_up", "input": {"customer": "b"}}],
        stop_reason="tool_use",
    )
    async with stage(AGENT, [calls(("crm_look_up", {"customer": "a"})), dotted, finish(result="ok")]) as on:
        run = await on.start()
        assert await run.result() == "ok"
        assert "crm_look_up" in on.model.requests[0].tool_names
        assert [step.calls[0].tool for step in (await run.inspect()).steps[:2]] == ["crm.look_up"] * 2
    assert EXECUTED == ["look_up a", "look_up b"]


async def test_an_id_that_was_used_in_an_earlier_step_is_no_reason_to_refuse(stage: SetStage) -> None:
    """Models reuse ids from turn to turn, so an id identifies a call within its own answer only."""
    EXECUTED.clear()
    again = [calls(("refund", {"order": order, "cents": 1}, "toolu_same")) for order in ("A-1", "A-2")]
    async with stage(AGENT, [*again, finish(result="both")]) as on:
        assert await on.result() == "both"
    assert EXECUTED == ["refund A-1 1", "refund A-2 1"]
