"""policies/finishing.py: a run ends with a result of the agent's type, whatever that type is."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import jsonschema_rs
import pytest
from hypothesis import given
from pydantic import BaseModel

from holdfast import Agent, Model
from holdfast.contracts.spec import AgentSpec
from policies.finishing import (
    ASK_SCHEMA,
    built_in_tools,
    finish_schema,
    output_of,
    result_problems,
    text_is_answer,
)
from tests.strategies import any_values


class Item(BaseModel):
    """One thing of a report."""

    name: str
    price: Decimal


class Report(BaseModel):
    """A result with definitions."""

    items: list[Item]
    verdict: Literal["good", "bad"]


class Node(BaseModel):
    """A result that holds results of its own type."""

    name: str
    children: list[Node] = []


def returning(output: Any) -> AgentSpec:
    """The spec of an agent with this output type."""
    return Agent(name="a", instructions="", ladder=[Model("m")], output=output).spec


REPORT = {"items": [{"name": "disk", "price": "1.50"}], "verdict": "good"}
TREE = {"name": "root", "children": [{"name": "leaf", "children": []}]}

TYPES: list[tuple[Any, Any, Any]] = [
    (str, "done", 5),
    (Report, REPORT, {"items": [{"name": "disk"}], "verdict": "good"}),
    (Node, TREE, {"name": "root", "children": [{"nom": "leaf"}]}),
    (list[Node], [TREE], [{"name": 1}]),
    (Node | None, None, {"children": []}),
    (dict[str, int], {"a": 1}, {"a": "1"}),
    (bool, False, 0),
    (Decimal, "1.50", []),
]


@pytest.mark.parametrize("output,fits,misfits", TYPES)
def test_a_completed_result_has_the_agents_type(output: Any, fits: Any, misfits: Any) -> None:
    """What fits is taken, what does not is sent back, also through definitions and recursion."""
    spec = returning(output)
    assert result_problems(spec, {"status": "completed", "result": fits}) == []
    (problem,) = result_problems(spec, {"status": "completed", "result": misfits})
    assert problem.startswith("result")


@pytest.mark.parametrize("output,fits,misfits", TYPES)
def test_the_schema_of_finish_stands_alone(output: Any, fits: Any, misfits: Any) -> None:
    """A provider that compiles the schema judges as Holdfast does: every reference leads somewhere."""
    validator = jsonschema_rs.validator_for(finish_schema(returning(output)))
    assert validator.is_valid({"status": "completed", "result": fits})
    assert not validator.is_valid({"status": "completed", "result": misfits})


@pytest.mark.parametrize("status", ["partial", "failed"])
@pytest.mark.parametrize("output,fits,misfits", TYPES)
def test_half_a_result_is_better_than_none(status: str, output: Any, fits: Any, misfits: Any) -> None:
    """Only a completed result must fit; without one, or with a reason, a run may end all the same."""
    spec = returning(output)
    for result in (fits, misfits):
        assert result_problems(spec, {"status": status, "result": result, "reason": "the disk is full"}) == []
    assert result_problems(spec, {"status": status}) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"status": "done", "result": "x"},
        {"status": "completed"},
        {"status": "completed", "result": "x", "unknown": 1},
        {"status": "partial", "reason": 5},
        {"status": ["completed"], "result": "x"},
    ],
)
def test_a_finish_that_says_nothing_is_sent_back(arguments: dict[str, Any]) -> None:
    """A status that there is not, a completed run without a result, an unknown argument."""
    assert result_problems(returning(str), arguments)


@pytest.mark.parametrize("output", [str, Report, Node])
@given(given_arguments=any_values)
def test_there_is_a_verdict_on_every_result(output: Any, given_arguments: Any) -> None:
    """Nothing that a planner hands in makes the check raise."""
    spec = returning(output)
    for status in ("completed", "partial", None):
        arguments = {"status": status, "result": given_arguments, "reason": ""}
        assert all(isinstance(problem, str) for problem in result_problems(spec, arguments))
        assert output_of(arguments) is given_arguments


def test_every_agent_can_finish_and_ask() -> None:
    """`finish` and `ask_human` are always offered, and on the last turn only `finish`."""
    spec = returning(Report)
    assert [tool["name"] for tool in built_in_tools(spec, last_turn=False)] == ["finish", "ask_human"]
    with_artifacts = built_in_tools(spec, last_turn=False, has_artifacts=True)
    assert [tool["name"] for tool in with_artifacts] == ["finish", "ask_human", "read_artifact"]
    (last,) = built_in_tools(spec, last_turn=True)
    assert last["name"] == "finish"
    assert last["input_schema"] == finish_schema(spec)
    assert jsonschema_rs.is_valid(ASK_SCHEMA, {"question": "Which?"})
    assert not jsonschema_rs.is_valid(ASK_SCHEMA, {"question": ""})


def test_only_text_may_be_said_instead_of_handed_in() -> None:
    """An agent whose output has a type must call `finish`; one whose output is text may just say it."""
    assert text_is_answer(returning(str))
    assert not text_is_answer(returning(Report))
