"""The handoff from the model, first half: make what it said legal to keep, and find what must not run.

Whatever the provider sends, the transcript that results is one that the provider takes back: every tool_use
has a unique id, a legal name and an object as input, and no text is empty. What had to be changed for that
is a defect: its call is refused, and the model is told why. Thinking blocks and blocks of unknown types are
kept as they are.
"""

import json
import re
from typing import Any, NoReturn

from holdfast.contracts.base import JsonObject
from holdfast.contracts.messages import text_block
from holdfast.contracts.plans import Defect
from policies.json_safety import faults, safe

SILENCE = "(nothing was said)"
"""Stands for an answer without content: the API takes no empty message back."""

_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]")
_ILLEGAL_ID = re.compile(r"[^a-zA-Z0-9_-]")
_MAX_NAME = 128


class Unparsed(str):
    """The input of a tool_use as the provider sent it: JSON text, perhaps cut off or broken."""

    __slots__ = ()


def api_name(tool: str) -> str:
    """A tool's name as the API takes it: dots are illegal there and become underscores."""
    return _ILLEGAL.sub("_", tool)[:_MAX_NAME] or "unnamed"


def contain(content: list[Any], max_argument_bytes: int) -> tuple[list[JsonObject], list[Defect]]:
    """Legal content, and the defects of its calls.

    A tool_use block's `input` may be `Unparsed`. Never raises, whatever the content is.
    """
    legal: list[JsonObject] = []
    defects: list[Defect] = []
    seen: set[str] = set()
    repeated = _repeated_ids(content)
    for block in content:
        if not isinstance(block, dict) or not isinstance(block.get("type"), str):
            continue
        if block["type"] == "tool_use":
            call, problems = _contain_call(block, len(legal), seen, repeated, max_argument_bytes)
            legal.append(call)
            defects += [Defect(block=len(legal) - 1, message=problem) for problem in problems[:1]]
        elif block["type"] == "text":
            if isinstance(block.get("text"), str) and block["text"]:
                legal.append(_clean(block))
        else:
            legal.append(_clean(block))
    return legal or [text_block(SILENCE)], defects


def _clean(block: JsonObject) -> JsonObject:
    """The block as it is, unless it could not be stored as it is."""
    if not faults(block):
        return block
    cleaned: JsonObject = safe(block)
    return cleaned


def _repeated_ids(content: list[Any]) -> set[str]:
    ids = [b.get("id") for b in content if isinstance(b, dict) and b.get("type") == "tool_use"]
    return {i for i in ids if isinstance(i, str) and ids.count(i) > 1}


def _contain_call(
    block: JsonObject, index: int, seen: set[str], repeated: set[str], max_argument_bytes: int
) -> tuple[JsonObject, list[str]]:
    problems: list[str] = []
    identity, name = block.get("id"), block.get("name")
    if not isinstance(identity, str) or not identity or _ILLEGAL_ID.search(identity):
        problems.append("the call has no valid id")
        identity = f"call_{index}"
    elif identity in repeated:
        problems.append(f"two calls of one answer have the id {identity!r}, so neither was made")
        identity = identity if identity not in seen else f"{identity}_{index}"
    while identity in seen:
        identity += "_"
    seen.add(identity)
    if not isinstance(name, str) or not name:
        problems.append("the call names no tool")
        name = "unnamed"
    arguments, problem = _arguments(block.get("input"), max_argument_bytes)
    problems += problem
    extra = safe({k: v for k, v in block.items() if k not in ("type", "id", "name", "input")})
    return {**extra, "type": "tool_use", "id": identity, "name": api_name(name), "input": arguments}, problems


def _arguments(given: Any, max_bytes: int) -> tuple[JsonObject, list[str]]:
    """The arguments as an object that is safe to keep, and what was wrong with them."""
    if isinstance(given, Unparsed):
        if len(given) > max_bytes:
            return {}, [_too_large(len(given), max_bytes)]
        try:
            given = parse(given) if given.strip() else {}
        except ValueError as error:
            return {}, [f"its arguments are not valid JSON: {error}"]
    if not isinstance(given, dict):
        return {}, [f"its arguments must be a JSON object, not {_json_type(given)}"]
    found = faults(given)
    kept = safe(given) if found else given
    if not isinstance(kept, dict):  # it refuses to be read
        return {}, [f"its arguments cannot be used: {found[0]}"]
    size = len(json.dumps(kept, ensure_ascii=False).encode())
    if size > max_bytes:
        return {}, [_too_large(size, max_bytes)]
    return kept, [f"its arguments cannot be used: {found[0]}"] if found else []


def parse(text: str) -> Any:
    """Parse JSON strictly. Raises ValueError, also for NaN and for nesting that Python cannot follow."""

    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _too_large(size: int, limit: int) -> str:
    return f"its arguments are {size:,} bytes, and {limit:,} is the limit: send less, or in several calls"


def _json_type(value: Any) -> str:
    names = {str: "a string", list: "an array", bool: "a boolean", int: "a number", float: "a number"}
    return "null" if value is None else names.get(type(value), type(value).__name__)
