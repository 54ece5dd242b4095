"""The rules by which the real Messages API refuses a request, in its own words.

A scripted model that accepts everything proves nothing: an agent would pass its tests and be refused in production.
So every request is checked before it is answered. `RequestRules` holds what concerns fields and
blocks; the rules of turns and tool calls are in `turn_rules`, those of tools in `tool_rules`, and those of thinking
in `thinking_rules`.

Where the API is lenient this is too: consecutive messages of one role are joined, a tool_use id may come back in a
later turn, a text may be only white space, block types and fields that this server sent itself may come back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from holdfast.testing.answers import Block
from holdfast.testing.model_request import ModelRequest, blocks_of
from holdfast.testing.thinking_rules import ThinkingRules
from holdfast.testing.tool_rules import NAME_PATTERN, tool_objections
from holdfast.testing.turn_rules import Turn, turn_objections, turns_of

_MOST_BREAKPOINTS = 4
_ID_PATTERN = re.compile(r"^[a-zA-Z0-9_-]+$")
_BLOCK_FIELDS: Mapping[str, frozenset[str]] = {
    "text": frozenset({"type", "text", "cache_control", "citations"}),
    "tool_use": frozenset({"type", "id", "name", "input", "cache_control", "caller", "toolset_name"}),
    "tool_result": frozenset({"type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"}),
    "thinking": frozenset({"type", "thinking", "signature"}),
    "redacted_thinking": frozenset({"type", "data"}),
}
"""The fields of the blocks whose fields are checked; a further one is a 400, as with the real API."""
_FURTHER_TYPES = frozenset(
    {
        "bash_code_execution_tool_result",
        "code_execution_tool_result",
        "container_upload",
        "document",
        "image",
        "search_result",
        "server_tool_use",
        "text_editor_code_execution_tool_result",
        "tool_search_tool_result",
        "web_fetch_tool_result",
        "web_search_tool_result",
    }
)
_RESULT_TYPES = frozenset({"text", "image", "document", "search_result", "tool_reference", "browser_state"})


class RequestRules:
    """Judges requests, and remembers what was answered so as to notice when it comes back altered."""

    def __init__(self, *, accept_foreign_thinking: bool = False) -> None:
        """Rules without a memory yet.

        Args:
            accept_foreign_thinking: Accept thinking blocks that this server never sent, as when a transcript
                was begun with another one.
        """
        self._thinking = ThinkingRules(accept_foreign=accept_foreign_thinking)
        self._paused: set[tuple[str, int]] = set()
        self._sent_types: set[str] = set()
        self._sent_fields: set[tuple[str, str]] = set()

    def objection(self, request: ModelRequest) -> str | None:
        """What the API would say against the request; None when it is legal."""
        return next(self._objections(request), None)

    def remember(self, request: ModelRequest, message: Mapping[str, Any]) -> None:
        """Notes what was answered to a request."""
        self._thinking.remember(request, message)
        for block in message["content"]:
            kind = str(block.get("type"))
            self._sent_types.add(kind)
            self._sent_fields.update((kind, name) for name in block)
        if message.get("stop_reason") == "pause_turn":
            self._paused.add((request.conversation, request.turn))

    def _objections(self, request: ModelRequest) -> Iterator[str]:
        body = request.body
        yield from _field_objections(body)
        yield from tool_objections(body)
        for at, message in enumerate(body["messages"]):
            yield from self._message_objections(f"messages.{at}", message)
        yield from _empty_objections(body["messages"])
        turns = turns_of(body["messages"])
        yield from turn_objections(turns)
        yield from self._ending_objections(request, turns)
        yield from self._thinking.objections(request, turns)
        yield from _cache_objections(body)

    def _message_objections(self, at: str, message: Any) -> Iterator[str]:
        if not isinstance(message, dict):
            yield f"{at}: Input should be a valid dictionary"
            return
        role, content = message.get("role"), message.get("content")
        if role not in ("user", "assistant", "system"):
            yield f"{at}.role: Input should be 'user', 'assistant' or 'system'"
        if "content" not in message:
            yield f"{at}.content: Field required"
        elif not isinstance(content, str | list):
            yield f"{at}.content: Input should be a valid list"
        for index, block in enumerate(content if isinstance(content, list) else ()):
            yield from self._block_objections(f"{at}.content.{index}", block)

    def _block_objections(self, at: str, block: Any) -> Iterator[str]:
        if not isinstance(block, dict):
            yield f"{at}: Input should be a valid dictionary"
            return
        kind = block.get("type")
        if not isinstance(kind, str):
            yield f"{at}.type: Field required"
            return
        if kind not in _BLOCK_FIELDS and kind not in _FURTHER_TYPES and kind not in self._sent_types:
            tags = ", ".join(f"'{tag}'" for tag in sorted(_FURTHER_TYPES | _BLOCK_FIELDS.keys()))
            yield f"{at}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {tags}"
        for name in block:
            if name not in _BLOCK_FIELDS.get(kind, block) and (kind, name) not in self._sent_fields:
                yield f"{at}.{kind}.{name}: Extra inputs are not permitted"
        if kind == "text" and not isinstance(block.get("text"), str):
            yield f"{at}.text.text: Input should be a valid string"
        elif kind == "tool_use":
            yield from _tool_use_objections(f"{at}.tool_use", block)
        elif kind == "tool_result":
            yield from _tool_result_objections(f"{at}.tool_result", block)

    def _ending_objections(self, request: ModelRequest, turns: list[Turn]) -> Iterator[str]:
        """Models of today take no prefill; only a turn that the API itself paused may stand at the end."""
        if turns[-1].role == "assistant" and (request.conversation, request.turn - 1) not in self._paused:
            yield (
                "This model does not support assistant message prefill. The conversation must end with a user message."
            )


def _field_objections(body: Mapping[str, Any]) -> Iterator[str]:
    for name in ("model", "max_tokens", "messages"):
        if name not in body:
            yield f"{name}: Field required"
    if not isinstance(body["model"], str) or not body["model"]:
        yield "model: Input should be a valid string"
    limit = body["max_tokens"]
    if not isinstance(limit, int) or isinstance(limit, bool):
        yield "max_tokens: Input should be a valid integer"
    elif limit < 0:
        yield "max_tokens: Input should be greater than or equal to 0"
    if not isinstance(body["messages"], list):
        yield "messages: Input should be a valid list"
    elif not body["messages"]:
        yield "messages: at least one message is required"
    thinking = body.get("thinking") or {}
    if not isinstance(thinking, dict):
        yield "thinking: Input should be a valid dictionary"
    elif thinking.get("type") == "enabled" and limit <= (thinking.get("budget_tokens") or 0):
        yield "`max_tokens` must be greater than `thinking.budget_tokens`."


def _tool_use_objections(at: str, block: Block) -> Iterator[str]:
    if not isinstance(block.get("id"), str) or not _ID_PATTERN.fullmatch(block["id"]):
        yield f"{at}.id: String should match pattern '{_ID_PATTERN.pattern}'"
    if not isinstance(block.get("name"), str) or not NAME_PATTERN.fullmatch(block["name"]):
        yield f"{at}.name: String should match pattern '{NAME_PATTERN.pattern}'"
    if "input" not in block:
        yield f"{at}.input: Field required"
    elif not isinstance(block["input"], dict):
        yield f"{at}.input: Input should be a valid dictionary"


def _tool_result_objections(at: str, block: Block) -> Iterator[str]:
    if not isinstance(block.get("tool_use_id"), str):
        yield f"{at}.tool_use_id: Field required"
    if not isinstance(block.get("is_error", False), bool):
        yield f"{at}.is_error: Input should be a valid boolean"
    content = block.get("content", "")
    if not isinstance(content, str | list):
        yield f"{at}.content: Input should be a valid list"
    for index, part in enumerate(content if isinstance(content, list) else ()):
        if not isinstance(part, dict) or part.get("type") not in _RESULT_TYPES:
            yield f"{at}.content.{index}: Input should be a block of type {', '.join(sorted(_RESULT_TYPES))}"
        elif part["type"] == "text" and part.get("text") == "":
            yield "messages: text content blocks must be non-empty"


def _empty_objections(messages: list[dict[str, Any]]) -> Iterator[str]:
    for at, message in enumerate(messages):
        if not message["content"]:
            if message["role"] != "assistant":
                yield f"messages.{at}: {message['role']} messages must have non-empty content"
            elif at < len(messages) - 1:
                yield f"messages.{at}: all messages must have non-empty content except for the optional final assistant message"
        if any(
            block.get("type") == "text" and block["text"] == ""
            for block in blocks_of(message)
            if message["content"]
        ):
            yield "messages: text content blocks must be non-empty"


def _cache_objections(body: Mapping[str, Any]) -> Iterator[str]:
    system = blocks_of({"content": body.get("system") or []})
    if any(block.get("type") == "text" and block.get("text") == "" for block in system):
        yield "system: text content blocks must be non-empty"
    holders: list[Mapping[str, Any]] = [*(body.get("tools") or ()), *system]
    for message in body["messages"]:
        for block in blocks_of(message):
            nested = block.get("content") if block["type"] == "tool_result" else None
            holders += [*blocks_of({"content": nested}), block]
    controls = [
        holder["cache_control"] for holder in [*holders, body] if holder.get("cache_control") is not None
    ]
    if len(controls) > _MOST_BREAKPOINTS:
        yield f"A maximum of {_MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {len(controls)}."
    short = False
    for control in controls:
        if not isinstance(control, dict) or control.get("type") != "ephemeral":
            yield "cache_control.type: Input should be 'ephemeral'"
        elif control.get("ttl", "5m") not in ("5m", "1h"):
            yield "cache_control.ephemeral.ttl: Input should be '5m' or '1h'"
        elif control.get("ttl") == "1h" and short:
            yield (
                "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks "
                "are processed in the following order: `tools`, `system`, `messages`."
            )
        else:
            short = short or control.get("ttl", "5m") == "5m"
