"""Digests that must not move: a run that waits for a month is judged by them when it wakes."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from pydantic import BaseModel

from holdfast import (
    Agent,
    Approval,
    Finish,
    Limits,
    Model,
    PastCall,
    PlanView,
    Retry,
    Rules,
    ToolContext,
    arg,
    tool,
)
from holdfast.contracts.base import Json
from holdfast.contracts.digests import EMPTY_CHAIN, canonical, chain, digest
from holdfast.contracts.messages import user_text
from holdfast.contracts.run import RunInput
from holdfast.contracts.spec import AgentSpec, ToolSpec
from tests.contracts.examples import AGENT
from tests.strategies import json_values


class Saving(BaseModel):
    """One thing that was stopped."""

    instance: str
    monthly_usd: Decimal


class Report(BaseModel):
    """What the agent hands in."""

    stopped: list[Saving]
    verdict: Literal["done", "nothing to do"] = "done"


@tool(effect="read", timeout=timedelta(seconds=10))
def look(region: str, limit: int = 10) -> list[str]:
    """List instances."""
    return [region][:limit]


def start(ctx: ToolContext, call: PastCall) -> None:
    """Undo of `stop`."""


@tool(
    effect="reversible",
    undo=start,
    idempotent=True,
    retry=Retry(attempts=3),
    key="stop/{instance}",
    approval=Approval(
        by="finops", when=(arg("cost") > 100) | (arg("region") == "eu"), expires_in=timedelta(days=1)
    ),
)
def stop(ctx: ToolContext, instance: str, cost: Decimal, region: str | None = None) -> str:
    """Stop an instance."""
    return instance


def plan(view: PlanView) -> Finish:
    """Rules."""
    return Finish(view.task)


SMALL = Agent(name="small", instructions="Say hello.", ladder=[Model("claude-haiku-4-5")])
TYPED = Agent(
    name="typed", instructions="Look.", tools=[look], output=Report, ladder=[Model("claude-sonnet-4-5")]
)
LARGE = Agent(
    name="large",
    instructions="Cut costs.",
    tools=[look, stop],
    output=list[Saving],
    ladder=[Model("claude-sonnet-4-5", thinking={"type": "enabled", "budget_tokens": 2048}), Rules(plan)],
    limits=Limits(steps=30, cost_usd="1.50", wall_clock=timedelta(hours=2)),
    autonomy="reversible",
    approvers="ops",
)


@pytest.mark.parametrize(
    "agent,expected",
    [
        (SMALL, "2b67d77230c8e9fb00fddd11554da07b"),
        (TYPED, "612d7ab867f5c4c8c585a3b850b577da"),
        (LARGE, "c4a5912fb1778586f0c16e9b529f0b95"),
    ],
    ids=["small", "typed", "large"],
)
def test_the_version_of_an_agent_does_not_move(agent: Agent[object], expected: str) -> None:
    """The same definition has the same digest in every release, process and Python."""
    assert agent.digest == expected


@pytest.mark.parametrize(
    "version,expected",
    [("v1", "92d0a933a192368ba62cc24db02e5402"), ("v2", "7b17833182c1ed3a9fb9793139b4e16a")],
)
def test_the_version_of_a_recorded_spec_does_not_move(version: str, expected: str) -> None:
    """A spec with every field set has the digest that it had when it was recorded."""
    recorded = (Path(__file__).parent / version / "AgentSpec.json").read_text(encoding="utf-8")
    assert AgentSpec.model_validate_json(recorded).digest == expected


def test_a_new_field_does_not_move_the_version() -> None:
    """A release that adds fields with defaults leaves the digest of every agent as it was."""

    class LaterTool(ToolSpec):
        quick: bool = False
        depends_on: tuple[str, ...] = ()

    class LaterSpec(AgentSpec):
        tools: tuple[LaterTool, ...] = ()
        later: dict[str, int] = {"at_percent": 80}

    later = LaterSpec.model_validate_json(AGENT.model_dump_json())
    assert later.digest == AGENT.digest
    quick = later.model_copy(update={"tools": (LaterTool(**AGENT.tools[0].model_dump(), quick=True),)})
    assert quick.digest != AGENT.digest


def test_a_new_field_does_not_move_the_mark_of_a_run() -> None:
    """A run that was started by an older release is found again: a field that is added later counts where it is set."""

    class LaterInput(RunInput):
        parent: str | None = None

    asked: Any = {"agent": "a", "task": "t", "user": "ana"}
    assert RunInput(**asked).mark == LaterInput(**asked).mark == "b4f68ebbc15b6840cd969e920354975a"
    assert LaterInput(**asked, parent="run-1").mark != RunInput(**asked).mark
    assert RunInput(**asked, dry_run=False).mark != RunInput(**asked).mark


@pytest.mark.parametrize(
    "value,spelled",
    [
        ({"b": 1, "a": [True, None, 1.5]}, b'{"a":[true,null,1.5],"b":1}'),
        ("ü😀\u2028\ud800", b'"\\u00fc\\ud83d\\ude00\\u2028\\ud800"'),
        ([1, 1.0, 1e100, -0.0], b"[1,1.0,1e+100,-0.0]"),
        ({}, b"{}"),
    ],
)
def test_json_has_one_spelling(value: Json, spelled: bytes) -> None:
    """Sorted keys, no spaces, ASCII."""
    assert canonical(value) == spelled


@given(json_values)
def test_the_order_of_keys_does_not_matter(value: Json) -> None:
    """Equal JSON has equal digests, however it was put together."""

    def turned(part: Json) -> Json:
        if isinstance(part, dict):
            return {key: turned(part[key]) for key in reversed(part)}
        return [turned(item) for item in part] if isinstance(part, list) else part

    assert digest(turned(value)) == digest(value)


def test_digests_do_not_move() -> None:
    """The first 128 bits of the SHA-256 of the canonical spelling, and of the chain."""
    assert digest({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad808"
    first = chain(EMPTY_CHAIN, user_text("Look.").model_dump(mode="json"))
    assert first == "e268a1ea38830742d7d6e272bbdf0470"
    assert chain(first, {"role": "assistant", "content": []}) == "fb2ddc6d313fe0b527e47408ae54233f"


@given(json_values, json_values)
def test_a_chain_tells_where_a_message_stands(first: Json, second: Json) -> None:
    """The same messages in another order, or one of them alone, have other digests."""
    both = chain(chain(EMPTY_CHAIN, first), second)
    assert both not in (chain(EMPTY_CHAIN, first), chain(EMPTY_CHAIN, second))
    if canonical(first) != canonical(second):
        assert both != chain(chain(EMPTY_CHAIN, second), first)
