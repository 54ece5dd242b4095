"""policies/feedback.py: what the model reads of its calls."""

from __future__ import annotations

import json
from typing import Any, get_args

import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.calls import Failure, FailureKind
from holdfast.contracts.requests import Decision
from policies.feedback import (
    ADVICE,
    EMPTY,
    cut,
    edited,
    failed,
    made_before,
    nobody_knows,
    refused,
    rejected,
    render,
    tool_result,
)
from policies.json_safety import safe
from tests.strategies import any_values, json_values


def a_decision(**fields: Any) -> Decision:
    """A decision by Dana."""
    given_fields = {"request": "r", "choice": "reject", "by": "dana", "via": "update", "at": "", **fields}
    return Decision.model_validate(given_fields)


@given(json_values)
def test_results_are_rendered_as_text_that_is_never_empty(value: Any) -> None:
    """Texts are as they are, all else is JSON that reads back equal; the API takes no empty text."""
    text = render(value)
    assert text
    assert text == (value or EMPTY) if isinstance(value, str) else json.loads(text) == value


@given(any_values.map(safe))
def test_worker_and_workflow_render_alike(value: Any) -> None:
    """A result reads the same before and after it went through Temporal, so that a reference may stand for it."""
    assert render(pydantic_core.from_json(pydantic_core.to_json(value))) == render(value)


@given(any_values.map(safe), st.integers(1, 300))
def test_a_cut_result_keeps_its_limit_and_is_cut_once(value: Any, limit: int) -> None:
    """What the worker has cut, the workflow finds short enough: both render the same text."""
    made = cut(value, limit)
    assert len(render(made)) <= max(limit, len(EMPTY))
    assert cut(made, limit) == made
    assert made == value or len(render(value)) > limit


def test_a_short_result_stays_what_it_is() -> None:
    """A result within its limit, up to the last character, is not turned into text."""
    result = {"a": [1, 2]}
    assert cut(result, len(render(result))) == result
    assert isinstance(cut(result, len(render(result)) - 1), str)


@pytest.mark.parametrize(
    "result,text",
    [
        ({"größe": [1, None]}, '{"größe":[1,null]}'),
        ("", EMPTY),
        ("größer", "größer"),
        (None, "null"),
        (0, "0"),
    ],
)
def test_results_read_as_they_are(result: Any, text: str) -> None:
    """Compact JSON in its own letters: an escaped one costs the model more tokens than it has letters."""
    assert render(result) == text


def test_results_name_their_call() -> None:
    """A block holds the id of its call, and is an error only where it is one."""
    assert tool_result("t1", "ok") == {"type": "tool_result", "tool_use_id": "t1", "content": "ok"}
    assert tool_result("t1", "no", is_error=True)["is_error"] is True


@pytest.mark.parametrize("kind", get_args(FailureKind))
def test_each_failure_comes_with_advice(kind: FailureKind) -> None:
    """The model reads what went wrong and whether another try can help."""
    told = failed(Failure(kind=kind, message="the disk is full", error="OSError"))
    assert told == f"Failed ({kind}, OSError): the disk is full {ADVICE[kind]}"


def test_a_long_failure_is_shortened() -> None:
    """A message of a megabyte does not fill the context."""
    assert len(failed(Failure(kind="fatal", message="x" * 1_000_000))) < 2200


@pytest.mark.parametrize(
    "told,words",
    [
        (rejected(a_decision(reason="too dear")), "dana rejected this. Reason: too dear"),
        (rejected(a_decision(note="later")), "Reason: later"),
        (rejected(a_decision()), "no reason was given"),
        (rejected(a_decision(choice="expire", by="nobody")), "nobody approved this in time"),
        (refused("no such region"), "Not done: no such region"),
        (refused("cut off"), "Not done: cut off"),
        (
            edited(a_decision(choice="approve", arguments={"a": "ü"}), "ok"),
            'to {"a": "ü"} before approving. Result: ok',
        ),
        (
            nobody_knows(Failure(kind="transient", message="lost")),
            "Nobody knows whether this happened (lost).",
        ),
        (made_before("1.2", "done", "ok"), "was already done by call 1.2"),
        (made_before("1.2", "unknown", ""), "may already have been done by call 1.2"),
    ],
)
def test_the_model_is_told_in_words(told: str, words: str) -> None:
    """Each way in which a call is not simply done has its own words."""
    assert words in told
