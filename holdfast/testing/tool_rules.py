"""The rules of the Messages API about the tools that a request offers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

NAME_PATTERN = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")
"""What a tool may be called."""
_PROPERTY_PATTERN = re.compile(r"^[a-zA-Z0-9_.-]{1,64}$")


def tool_objections(body: Mapping[str, Any]) -> Iterator[str]:
    """What the API would say against the tools, the choice of tools, and tool calls without tools."""
    tools = body.get("tools") or []
    if not isinstance(tools, list):
        yield "tools: Input should be a valid list"
        return
    for at, tool in enumerate(tools):
        yield from _one_tool(f"tools.{at}", tool)
    names = [tool.get("name") for tool in tools]
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique."
    yield from _choice(body, names)
    if not tools and any(_is_tool_block(block) for block in _blocks(body["messages"])):
        yield "Requests which include `tool_use` or `tool_result` blocks must define tools"


def _one_tool(at: str, tool: Any) -> Iterator[str]:
    if not isinstance(tool, dict):
        yield f"{at}: Input should be a valid dictionary"
        return
    if tool.get("type", "custom") not in ("custom", None):
        return  # a tool of the API itself: its fields are its own
    name, schema = tool.get("name"), tool.get("input_schema")
    if not isinstance(name, str) or not NAME_PATTERN.fullmatch(name):
        yield f"{at}.custom.name: String should match pattern '{NAME_PATTERN.pattern}'"
    if "input_schema" not in tool:
        yield f"{at}.custom.input_schema: Field required"
    elif not isinstance(schema, dict):
        yield f"{at}.custom.input_schema: Input should be a valid dictionary"
    elif "type" not in schema:
        yield f"{at}.custom.input_schema.type: Field required"
    elif schema["type"] != "object":
        yield f"{at}.custom.input_schema.type: Input should be 'object'"
    elif any(word in schema for word in ("oneOf", "allOf", "anyOf")):
        yield f"{at}.custom.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
    elif not all(_PROPERTY_PATTERN.fullmatch(name) for name in schema.get("properties") or {}):
        yield (
            f"{at}.custom.input_schema.properties: Property keys should match pattern '{_PROPERTY_PATTERN.pattern}'"
        )


def _choice(body: Mapping[str, Any], names: list[Any]) -> Iterator[str]:
    choice = body.get("tool_choice")
    if choice is None:
        return
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in ("auto", "any", "tool", "none"):
        yield "tool_choice: Input tag should be one of 'auto', 'any', 'tool', 'none'"
    if not names:
        yield "tool_choice: tool_choice may only be specified while providing tools"
    if kind == "tool" and choice.get("name") not in names:
        yield f"Tool '{choice.get('name')}' not found in provided tools"
    thinking = (body.get("thinking") or {}).get("type")
    if kind in ("any", "tool") and thinking in ("enabled", "adaptive"):
        yield "Thinking may not be enabled when tool_choice forces tool use."


def _blocks(messages: list[Any]) -> Iterator[Any]:
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        yield from content if isinstance(content, list) else ()


def _is_tool_block(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") in ("tool_use", "tool_result")
