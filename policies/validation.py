"""The handoff from the model, second half: does a call fit its tool's schema?

Strict: nothing is coerced, so `"5"` for an integer is refused, and the model told what is valid. What is
approved, hashed and executed is then exactly what was proposed (docs/decisions/0004-strict-arguments.md).
A verdict is given for every schema and every value; nothing here raises.
"""

import difflib
import functools
import json
from typing import Any

import jsonschema_rs

from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.names import BUILT_IN_CALLS
from holdfast.contracts.spec import AgentSpec, ToolSpec
from policies.failures import INVALID_ARGUMENTS, UNKNOWN_ARGUMENT, UNKNOWN_TOOL
from policies.handoff import api_name
from policies.json_safety import faults, shorten

MAX_PROBLEMS = 5
"""More than this many problems of one call are counted, not listed."""


def find_tool(spec: AgentSpec, name: str) -> ToolSpec | None:
    """The tool that the model means by a name, in the API's spelling or the author's."""
    return next((tool for tool in spec.tools if name in (tool.name, api_name(tool.name))), None)


def unknown_tool(spec: AgentSpec, name: str, built_ins: list[str]) -> str:
    """What the model is told that calls a tool which is not there."""
    valid = [api_name(tool.name) for tool in spec.tools] + built_ins
    near = difflib.get_close_matches(name, valid, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"There is no tool {name[:80]!r}.{hint} The tools are: {', '.join(valid)}."


def refusal(tool: ToolSpec | None, name: str, arguments: JsonObject) -> str:
    """What is wrong with a call that is refused, in a word: something was invented, or it is not well formed."""
    if tool is None:
        return INVALID_ARGUMENTS if name in BUILT_IN_CALLS else UNKNOWN_TOOL
    known = closed(tool.input_schema)
    closes = known.get("additionalProperties") is False and isinstance(known.get("properties"), dict)
    return UNKNOWN_ARGUMENT if closes and set(arguments) - set(known["properties"]) else INVALID_ARGUMENTS


def problems(schema: JsonObject, value: Json) -> list[str]:
    """Why a value does not fit a schema; empty when it does."""
    if found := faults(value):
        return found
    try:
        validator = _validator(json.dumps(schema, sort_keys=True))
        errors = [_describe(error) for error in validator.iter_errors(value)]
    except BaseException as error:  # a panic in the validator is no Exception
        if isinstance(error, KeyboardInterrupt | SystemExit):
            raise
        return [f"it cannot be checked against its schema ({type(error).__name__}: {str(error)[:200]})"]
    more = len(errors) - MAX_PROBLEMS
    return errors[:MAX_PROBLEMS] + ([f"and {more} more problems"] if more > 0 else [])


def argument_problems(tool: ToolSpec, arguments: JsonObject) -> str:
    """Why a call's arguments are refused and what is valid, for the model; empty when they are valid."""
    found = problems(closed(tool.input_schema), arguments)
    if not found:
        return ""
    return f"{'; '.join(found)}. {valid_arguments(tool.input_schema)}"


def closed(schema: JsonObject) -> JsonObject:
    """The schema with unknown arguments refused, unless it says itself what becomes of them."""
    says = {"additionalProperties", "unevaluatedProperties", "patternProperties"}
    if "properties" not in schema or says & set(schema):
        return schema
    combined = {"$ref", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"} & set(schema)
    if not combined:
        return {**schema, "additionalProperties": False}
    if "draft-0" in str(schema.get("$schema", "")):
        return schema  # the old drafts cannot say it of combined schemas
    return {**schema, "unevaluatedProperties": False}


@functools.lru_cache(maxsize=1024)
def _validator(schema: str) -> Any:
    """Compiled once for each schema. Remote references are refused: a policy does no I/O."""

    def refuse(uri: str) -> Any:
        raise ValueError(f"{uri} is remote")

    return jsonschema_rs.validator_for(json.loads(schema), retriever=refuse)


def _describe(error: Any) -> str:
    path = ".".join(str(part) for part in error.instance_path)
    message = shorten(str(error.message), 300)
    return f"{path}: {message}" if path else message


def valid_arguments(schema: JsonObject) -> str:
    """The arguments that a tool takes, in a sentence."""
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict):
        return f"The schema is {shorten(json.dumps(schema, ensure_ascii=False), 1500)}"
    if not properties:
        return "It takes no arguments."
    listed = [
        f"{name} ({_type_name(part)}{', required' if isinstance(required, list) and name in required else ''})"
        for name, part in properties.items()
    ]
    return f"Valid arguments: {', '.join(listed)}."


def _type_name(schema: Any) -> str:
    if not isinstance(schema, dict):
        return "any"
    if isinstance(schema.get("enum"), list):
        return "one of " + ", ".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"][:20])
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    if "type" in schema:
        found = schema["type"]
        return " or ".join(map(str, found)) if isinstance(found, list) else str(found)
    parts = schema.get("anyOf") or schema.get("oneOf")
    if isinstance(parts, list):
        return " or ".join(dict.fromkeys(_type_name(part) for part in parts))
    return "object" if "$ref" in schema else "any"
