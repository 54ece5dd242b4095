"""policies/validation.py: a verdict on any call, for any schema."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import given

from holdfast.contracts.base import JsonObject
from holdfast.contracts.spec import AgentSpec, ModelRung, ToolSpec
from policies.validation import (
    MAX_PROBLEMS,
    argument_problems,
    closed,
    find_tool,
    problems,
    refusal,
    unknown_tool,
)
from tests.strategies import any_values, json_objects, schemas, worst

DRAFT_7 = "http://json-schema.org/draft-07/schema#"


def a_tool(schema: Any, name: str = "look") -> ToolSpec:
    """A tool with this schema, whether or not it is one."""
    return ToolSpec.model_construct(name=name, input_schema=schema)


@given(schemas, any_values)
def test_there_is_a_verdict_on_everything(schema: Any, value: Any) -> None:
    """No schema and no value makes a check raise, and a check of the same gives the same."""
    verdict = problems(schema, value)
    assert all(verdict)
    assert len(verdict) <= MAX_PROBLEMS + 1
    assert problems(schema, value) == verdict


@given(schemas, json_objects)
def test_the_model_is_told_what_is_valid_whatever_the_schema(schema: Any, arguments: JsonObject) -> None:
    """Refused arguments come with words about what would be valid, and never with an error."""
    told = argument_problems(a_tool(schema if isinstance(schema, dict) else {"not": {}}), arguments)
    assert told == "" or told.endswith(".") or "The schema is" in told


@given(schemas, json_objects)
def test_a_refusal_has_a_name_whatever_the_schema(schema: Any, arguments: JsonObject) -> None:
    """What was invented is told from what is not well formed, and nothing raises."""
    tool = a_tool(schema if isinstance(schema, dict) else {"not": {}})
    assert refusal(tool, "look", arguments) in ("UnknownArgument", "InvalidArguments")
    assert refusal(None, "seek", arguments) == "UnknownTool"
    assert refusal(None, "finish", arguments) == "InvalidArguments"


@pytest.mark.parametrize("number", range(len(worst)))
def test_there_is_a_verdict_on_the_worst_values(number: int) -> None:
    """Cycles, huge integers, NaN and objects are refused in words."""
    assert problems({"type": "array"}, worst[number]())


@pytest.mark.parametrize(
    "schema,fits,misfits",
    [
        (True, 5, None),
        ({}, 5, None),
        ({"type": "string", "pattern": r"^\p{L}+$"}, "żółw", "2"),
        ({"$schema": DRAFT_7, "definitions": {"n": {"type": "integer"}}, "$ref": "#/definitions/n"}, 5, "5"),
        ({"$schema": DRAFT_7, "items": [{"type": "integer"}], "additionalItems": False}, [1], [1, 2]),
        ({"$defs": {"n": {"type": "integer"}}, "$ref": "#/$defs/n"}, 5, 5.5),
        (
            {
                "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
                "$ref": "#/$defs/tree",
            },
            [[], [[]]],
            [[], [[1]]],
        ),
        ({"anyOf": [{"type": "null"}, {"const": 7}]}, 7, 8),
        ({"type": ["integer", "null"]}, None, "none"),
        ({"type": "integer"}, 2**60, True),
        ({"enum": ["a", 1]}, 1, "1"),
        (False, None, 5),
    ],
)
def test_schemas_of_every_draft_are_understood(schema: Any, fits: Any, misfits: Any) -> None:
    """References, recursion, both drafts, Unicode patterns, type lists and boolean schemas are judged."""
    if schema is not False:
        assert problems(schema, fits) == []
    if schema not in (True, {}):
        assert problems(schema, misfits)


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "file:///etc/hostname"},
        {"$schema": "http://127.0.0.1:9/meta.json", "type": "integer"},
    ],
)
def test_nothing_is_fetched(schema: JsonObject, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a schema refers to elsewhere is refused, and nobody is asked for it."""

    def refuse(*_: Any) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    (problem,) = problems(schema, 5)
    assert "cannot be checked against its schema" in problem


@pytest.mark.parametrize(
    "schema", [{"type": "unheard-of"}, {"pattern": "("}, {"$ref": "#/$defs/no"}, {1, 2}, 5]
)
def test_what_is_no_schema_refuses(schema: Any) -> None:
    """Where nothing can be checked, nothing is let through."""
    assert problems(schema, 5)


@pytest.mark.timeout(20)
def test_no_pattern_takes_for_ever() -> None:
    """Patterns that explode in other engines are judged, or given up, at once."""
    for pattern in (r"^(a+)+$", r"^(a|a)*$", r"^(a+)+\1$", r"^(?=(a+)+b)"):
        problems({"type": "string", "pattern": pattern}, "a" * 64 + "!")


def test_nothing_is_coerced() -> None:
    """`"5"` is no integer: what is approved, hashed and executed is exactly what was proposed."""
    for value in ("5", 5.5, True, None):
        assert problems({"type": "integer"}, value)


def test_many_problems_are_counted() -> None:
    """The first five are listed, the rest counted."""
    found = problems({"items": {"type": "integer"}}, ["x"] * 12)
    assert len(found) == 6
    assert found[-1] == "and 7 more problems"


def test_a_refusal_says_what_would_be_valid() -> None:
    """The model reads what is wrong, where, and which arguments there are with their types."""
    schema = {
        "type": "object",
        "properties": {
            "region": {"enum": ["eu", "us"]},
            "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "kind": {"const": "small"},
            "tags": {"type": ["array", "null"]},
            "owner": {"$ref": "#/$defs/owner"},
            "extra": True,
        },
        "required": ["region"],
        "$defs": {"owner": {"type": "object"}},
    }
    told = argument_problems(a_tool(schema), {"limit": "ten"})
    assert "region" in told
    assert "limit: " in told
    assert told.endswith(
        'Valid arguments: region (one of "eu", "us", required), limit (integer or null), kind ("small"), '
        "tags (array or null), owner (object), extra (any)."
    )
    assert argument_problems(a_tool(schema), {"region": "eu"}) == ""
    assert argument_problems(a_tool({"properties": {}}), {"a": 1}).endswith("It takes no arguments.")


@pytest.mark.parametrize(
    "schema,refused",
    [
        ({"properties": {"a": {}}}, True),
        ({"properties": {"a": {}}, "additionalProperties": True}, False),
        ({"properties": {"a": {}}, "patternProperties": {"^x": {}}}, False),
        ({"properties": {"a": {}}, "allOf": [{"properties": {"b": {}}}]}, True),
        ({"$schema": DRAFT_7, "properties": {"a": {}}, "allOf": [{}]}, False),
        ({"type": "object"}, False),
    ],
)
def test_unknown_arguments_are_refused_unless_the_schema_takes_them(
    schema: JsonObject, *, refused: bool
) -> None:
    """A misspelled argument must not be dropped silently."""
    assert bool(problems(closed(schema), {"a": 1, "unknown": 2})) is refused
    assert problems(closed(schema), {"a": 1}) == []


def test_combined_schemas_know_the_arguments_of_their_parts() -> None:
    """An argument that stands in a part of an allOf is not unknown."""
    schema = {"properties": {"a": {}}, "allOf": [{"properties": {"b": {"type": "integer"}}}]}
    assert problems(closed(schema), {"a": 1, "b": 2}) == []


def test_tools_are_found_in_both_spellings() -> None:
    """A tool with a dot is found by its own name and by the one that the API takes."""
    rung = ModelRung(kind="model", model="m")
    tool = ToolSpec(name="files.read", input_schema={})
    spec = AgentSpec(name="a", instructions="", tools=(tool,), ladder=(rung,))
    assert find_tool(spec, "files.read") == find_tool(spec, "files_read") == tool
    assert find_tool(spec, "files") is None
    told = unknown_tool(spec, "file_read", ["finish"])
    assert told == "There is no tool 'file_read'. Did you mean files_read? The tools are: files_read, finish."
