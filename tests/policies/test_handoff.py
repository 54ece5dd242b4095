"""policies/handoff.py: whatever a planner says becomes content that the provider takes back."""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

import pydantic_core
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.contracts.base import JsonObject
from holdfast.contracts.messages import text_block
from policies.handoff import SILENCE, Unparsed, api_name, contain, parse
from policies.json_safety import faults
from tests.strategies import Unwilling, any_values, hostile_texts, json_objects, json_values, texts, worst

LIMIT = 500
"""Bytes of arguments, small enough that examples exceed it."""

LEGAL = re.compile(r"[a-zA-Z0-9_-]{1,128}")

inputs = st.one_of(
    any_values,
    json_objects,
    json_objects.map(lambda value: Unparsed(json.dumps(value))),
    hostile_texts.map(Unparsed),
    st.sampled_from(
        ["", "{", "[1]", '{"a": NaN}', '{"a": "\\ud800"}', '{"a": 1' + "0" * 5000 + "}", "[" * 2000, "null"]
    ).map(Unparsed),
)
ids = st.one_of(any_values, st.sampled_from(["toolu_1", "toolu_2", "call_0", "call_1", "toolu_1_1", "", "ü"]))
names = st.one_of(any_values, st.sampled_from(["look", "files.read", "x" * 300, "ü", ""]))
extras = st.dictionaries(texts.filter(lambda key: key not in ("type", "text")), any_values, max_size=2)

calls = st.fixed_dictionaries({"type": st.just("tool_use"), "id": ids, "name": names, "input": inputs})
spoken = st.builds(
    lambda text, extra: {"type": "text", "text": text, **extra}, hostile_texts | any_values, extras
)
thoughts = st.fixed_dictionaries({"type": st.just("thinking"), "thinking": texts, "signature": texts})
others = st.builds(lambda kind, extra: {"type": kind, **extra}, hostile_texts, extras)
contents = st.lists(st.one_of(calls, spoken, thoughts, others, any_values), max_size=6)


def a_call(**fields: Any) -> JsonObject:
    """A tool_use block that is right but for `fields`."""
    return {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"where": "here"}, **fields}


@given(contents)
@example([a_call(input=Unwilling(a=1))])
def test_content_becomes_legal_whatever_it_is(content: list[Any]) -> None:
    """Contained content is never empty, can be stored, and holds only blocks that the API takes back."""
    legal, defects = contain(content, LIMIT)
    assert legal
    json.dumps(legal, ensure_ascii=False, allow_nan=False).encode("utf-8")
    pydantic_core.to_json(legal)
    assert [block for block in legal if faults(block.get("input") or block)] == []
    calls = [block for block in legal if block["type"] == "tool_use"]
    assert len({call["id"] for call in calls}) == len(calls)
    for call in calls:
        assert LEGAL.fullmatch(call["name"])
        assert re.fullmatch(r"[a-zA-Z0-9_-]+", call["id"])
        assert type(call["input"]) is dict
        assert len(json.dumps(call["input"], ensure_ascii=False).encode()) <= LIMIT
    assert all(block["text"] for block in legal if block["type"] == "text")
    assert all(legal[defect.block]["type"] == "tool_use" and defect.message for defect in defects)


@given(contents)
def test_legal_content_stays_as_it_is(content: list[Any]) -> None:
    """What was contained once is contained: a second look changes nothing and finds no defect."""
    legal, _ = contain(content, LIMIT)
    assert contain(legal, LIMIT) == (legal, [])


@given(
    st.lists(
        thoughts
        | st.builds(
            lambda kind, extra: {**extra, "type": kind},
            st.sampled_from(
                ["redacted_thinking", "server_tool_use", "web_search_tool_result", "from_the_future"]
            ),
            json_objects,
        ),
        min_size=1,
        max_size=4,
    )
)
def test_thinking_and_unknown_blocks_come_back_as_they_were(content: list[Any]) -> None:
    """Thinking, redacted thinking and blocks of unknown types are kept byte for byte."""
    legal, defects = contain(content, LIMIT)
    assert json.dumps(legal) == json.dumps(content)
    assert defects == []


def test_thinking_without_text_is_kept() -> None:
    """A thinking block with an empty text and a signature occurs, and goes back unchanged."""
    block = {"type": "thinking", "thinking": "", "signature": "c2ln"}
    assert contain([block, text_block("so")], LIMIT)[0] == [block, text_block("so")]


@given(json_objects)
def test_sound_calls_are_kept_as_they_are(arguments: JsonObject) -> None:
    """A call that can be carried out has no defect, and keeps its arguments, parsed or not."""
    given = a_call(input=arguments)
    assert contain([given], 100_000) == ([given], [])
    assert contain([a_call(input=Unparsed(json.dumps(arguments)))], 100_000) == ([given], [])


def test_what_a_provider_adds_to_a_call_is_kept() -> None:
    """Fields of a tool_use block that nobody knows yet go back with it, made fit to be stored."""
    legal, defects = contain([a_call(caller={"type": "direct"}, score=float("nan"))], LIMIT)
    assert (legal, defects) == ([a_call(caller={"type": "direct"}, score="nan")], [])


@pytest.mark.parametrize(
    "fields,problem",
    [
        ({"id": None}, "no valid id"),
        ({"id": "with space"}, "no valid id"),
        ({"id": "line\n"}, "no valid id"),
        ({"name": ""}, "names no tool"),
        ({"name": 7}, "names no tool"),
        ({"input": None}, "must be a JSON object, not null"),
        ({"input": [1]}, "must be a JSON object, not an array"),
        ({"input": "text"}, "must be a JSON object, not a string"),
        ({"input": Unparsed("5")}, "must be a JSON object, not a number"),
        ({"input": Unparsed('{"where": "he')}, "not valid JSON"),
        ({"input": Unparsed('{"where": NaN}')}, "NaN is not JSON"),
        ({"input": Unparsed("[" * 100_000)}, "limit"),
        ({"input": Unparsed("[" * 450)}, "not valid JSON"),
        ({"input": Unparsed('{"a":' * 70 + "1" + "}" * 70)}, "nested more than 64"),
        ({"input": Unparsed('{"where": "\\ud800"}')}, "surrogate"),
        ({"input": {"where": "\x00"}}, "NUL"),
        ({"input": {"where": "x" * LIMIT}}, "500 is the limit"),
        ({"input": {"where": "\x00" * LIMIT}}, "500 is the limit"),
        ({"input": {1: 2}}, "a key that is no text"),
    ],
)
def test_defects_are_named(fields: JsonObject, problem: str) -> None:
    """What keeps a call from being carried out is said, once, at the index of its block."""
    _, defects = contain([text_block("look:"), a_call(**fields)], LIMIT)
    (defect,) = defects
    assert problem in defect.message
    assert defect.block == 1


def test_an_input_without_text_is_an_empty_object() -> None:
    """A call without arguments streams no input at all."""
    assert contain([a_call(input=Unparsed(""))], LIMIT) == ([a_call(input={})], [])


def test_calls_that_share_an_id_are_not_made() -> None:
    """Nobody could tell whose result is whose: both are refused, and told apart."""
    legal, defects = contain([a_call(), a_call(input={})], LIMIT)
    assert len({block["id"] for block in legal}) == 2
    assert [defect.block for defect in defects] == [0, 1]


def test_a_made_up_id_takes_nobody_elses() -> None:
    """The id given to a call that has none does not collide with one that the model chose."""
    legal, defects = contain([a_call(id=None), a_call(id="call_0")], LIMIT)
    assert len({block["id"] for block in legal}) == 2
    assert [defect.block for defect in defects] == [0]


@pytest.mark.parametrize("content", [[], [text_block("")], [None, 5, "text"], [{"type": None}], [{}]])
def test_an_answer_without_content_is_a_silence(content: list[Any]) -> None:
    """The API takes no empty message back, so that silence is spelled."""
    assert contain(content, LIMIT) == ([text_block(SILENCE)], [])


def test_blank_text_is_kept() -> None:
    """Only an empty text is refused by the API; one of spaces is not."""
    assert contain([text_block(" \n")], LIMIT)[0] == [text_block(" \n")]


@pytest.mark.parametrize("number", range(len(worst)))
def test_blocks_of_the_worst_values_are_contained(number: int) -> None:
    """Whatever stands in a field of a block, the block can be stored."""
    value = worst[number]()
    content = [
        {"type": "text", "text": "cited", "citations": value},
        {"type": "new", "data": value},
        a_call(input=value, caller=value, id=value, name=value),
        value,
    ]
    legal, _ = contain(content, LIMIT)
    assert [block for block in legal if faults(block.get("input") or block)] == []
    assert [block["type"] for block in legal] == ["text", "new", "tool_use"]


@pytest.mark.parametrize(
    "tool,spelled",
    [
        ("look", "look"),
        ("files.read-all", "files_read-all"),
        ("ü", "_"),
        ("", "unnamed"),
        ("x" * 200, "x" * 128),
    ],
)
def test_tools_are_spelled_as_the_api_takes_them(tool: str, spelled: str) -> None:
    """Dots and other illegal characters of a tool's name become underscores."""
    assert api_name(tool) == spelled
    assert api_name(spelled) == spelled


@given(json_values)
def test_parse_reads_what_json_writes(value: Any) -> None:
    """Strict parsing gives back what was written."""
    assert json.dumps(parse(json.dumps(value))) == json.dumps(value)


@given(hostile_texts | st.sampled_from(["[" * 100_000, "NaN", "-Infinity", "1" * 5000]))
def test_parse_raises_nothing_but_value_errors(text: str) -> None:
    """Broken, endless and constant JSON is refused in one way."""
    with contextlib.suppress(ValueError):
        json.dumps(parse(text), allow_nan=False)
