"""policies/takeover.py: a person's plan is held to the rules of a model's, and told to the person where it breaks them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.messages import Message, user_text
from holdfast.contracts.requests import Decision, DecisionInput
from holdfast.contracts.spec import AgentSpec, HumanRung, ToolSpec
from policies.takeover import outcome_of, problem, told_last

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
SPEC = AgentSpec(
    name="a",
    instructions="",
    tools=(ToolSpec(name="ec2.look", input_schema=SCHEMA, effect="read"),),
    output_schema={"type": "integer"},
    ladder=(HumanRung(kind="human", by="ops"),),
    max_argument_bytes=100,
)
LOOK = {"tool": "ec2.look", "arguments": {"n": 1}}


def said(answer: str, result: Any = None, *, last_turn: bool = False) -> str:
    """What is wrong with an answer; empty when nothing is."""
    return problem(SPEC, DecisionInput(by="dana", answer=answer, result=result), last_turn=last_turn) or ""


@pytest.mark.parametrize(
    "answer,result,why",
    [
        ("plan", [LOOK], ""),
        ("plan", LOOK, ""),
        ("plan", [{"tool": "ec2_look", "arguments": {"n": 1}}, LOOK], ""),
        ("plan", [], "the result holds the calls to make"),
        ("plan", "look", "the result holds the calls to make"),
        ("plan", [{**LOOK, "args": 1}], "the result holds the calls to make"),
        ("plan", [{"tool": "ec2.lok"}], "Did you mean ec2_look?"),
        ("plan", [{"tool": "finish", "arguments": {}}], "There is no tool 'finish'"),
        ("plan", [{"tool": "ec2.look"}], 'ec2.look: "n" is a required property'),
        ("plan", [{"tool": "ec2.look", "arguments": []}], "must be a JSON object"),
        ("plan", [{"tool": "ec2.look", "arguments": {"n": 10**200}}], "ec2.look: its arguments"),
        ("finish", 7, ""),
        ("finish", None, ""),
        ("finish", "seven", 'does not fit the agent\'s output: result: "seven" is not of type'),
        ("pass", None, ""),
        ("pass", 1, "pass takes no result"),
    ],
)
def test_what_a_person_may_answer(answer: str, result: Any, why: str) -> None:
    """Known tools with valid arguments, a result that fits, or nothing: anything else is told with what would do."""
    found = said(answer, result)
    assert (found == "") if not why else (why in found), found


def test_no_calls_are_taken_in_the_last_turn() -> None:
    """At a limit a person may only finish or pass, as a model may only finish."""
    assert "no more calls are made" in said("plan", [LOOK], last_turn=True)
    assert said("finish", 7, last_turn=True) == ""


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c),
    )
)
def test_whatever_is_sent_is_judged(result: Any) -> None:
    """No result raises, and what passes makes legal content without defects."""
    if said("plan", result) == "":
        decision = Decision(
            request="1", choice="answer", by="dana", answer="plan", result=result, via="update", at=""
        )
        assert outcome_of(SPEC, decision, 3).defects == []


def test_a_plan_is_one_of_the_same_form_as_a_models() -> None:
    """Words are the note, ids are the step's, names are spelled as the API has them."""
    decision = Decision(
        request="1",
        choice="answer",
        by="dana",
        answer="plan",
        result=[LOOK],
        note="Look.",
        via="update",
        at="",
    )
    found = outcome_of(SPEC, decision, 3)
    assert found.content == [
        {"type": "text", "text": "Look."},
        {"type": "tool_use", "id": "human_3_1", "name": "ec2_look", "input": {"n": 1}},
    ]
    assert (found.planner, found.kind, found.stop_reason) == ("human dana", "human", "tool_use")


def test_a_person_reads_what_came_since_the_last_plan() -> None:
    """Results and the engine's words, not the whole conversation."""
    messages = [
        user_text("Task"),
        Message(role="assistant", content=[{"type": "text", "text": "Hm."}]),
        Message(role="user", content=[{"type": "tool_result", "tool_use_id": "a", "content": "seen 1"}]),
        user_text("Only eu."),
    ]
    assert told_last(messages) == "seen 1\n\nOnly eu."
    assert told_last(messages[:1]) == "Task"
