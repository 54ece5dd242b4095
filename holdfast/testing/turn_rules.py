"""The rules of the Messages API about turns: who speaks when, and that every tool call has its result.

Consecutive messages of one role are one turn. A turn with tool calls is followed by a user turn that *begins* with
exactly their results.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from holdfast.testing.answers import Block
from holdfast.testing.model_request import blocks_of


@dataclass(slots=True)
class Turn:
    """Consecutive messages of one role."""

    role: str
    """user, assistant or system."""
    last_message: int
    """The index of its last message."""
    blocks: list[tuple[str, Block]] = field(default_factory=list)
    """Its content blocks, each with its place, such as `messages.1.content.0`."""


def turns_of(messages: list[dict[str, Any]]) -> list[Turn]:
    """The turns of a transcript."""
    turns: list[Turn] = []
    for at, message in enumerate(messages):
        if not turns or turns[-1].role != message["role"]:
            turns.append(Turn(message["role"], at))
        turns[-1].last_message = at
        turns[-1].blocks += [
            (f"messages.{at}.content.{n}", block) for n, block in enumerate(blocks_of(message))
        ]
    return turns


def turn_objections(turns: list[Turn]) -> Iterator[str]:
    """What the API would say against the order of the turns and the pairs of calls and results."""
    if turns[0].role != "user":
        yield 'messages: first message must use the "user" role'
    before: Turn | None = None
    for at, turn in enumerate(turns):
        yield from _misplaced(turn)
        if turn.role == "assistant":
            after = turns[at + 1] if at + 1 < len(turns) else None
            yield from _calls_without_results(turn, after)
            yield from _server_results_without_calls(turn)
        elif turn.role == "user":
            yield from _results_without_calls(turn, before)
        before = turn


def _misplaced(turn: Turn) -> Iterator[str]:
    for at, block in turn.blocks:
        kind = block["type"]
        message = at.partition(".content")[0]
        if kind in ("tool_use", "thinking", "redacted_thinking") and turn.role != "assistant":
            yield f"{message}: `{kind}` blocks can only be in `assistant` messages"
        if kind == "tool_result" and turn.role != "user":
            yield f"{message}: `tool_result` blocks can only be in `user` messages"


def _calls_without_results(turn: Turn, after: Turn | None) -> Iterator[str]:
    asked: list[str] = []
    for at, block in turn.blocks:
        if block["type"] == "tool_use":
            if block["id"] in asked:
                yield f"{at}: `tool_use` ids must be unique"
            asked.append(block["id"])
    answered: set[str] = set()
    for _, block in after.blocks if after is not None and after.role == "user" else ():
        if block["type"] != "tool_result":
            break  # results come first: what stands behind something else does not count
        answered.add(block["tool_use_id"])
    missing = [call for call in asked if call not in answered]
    if missing:
        yield (
            f"messages.{turn.last_message}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(missing)}. Each `tool_use` block must have a corresponding `tool_result` block in the next "
            "message."
        )


def _results_without_calls(turn: Turn, before: Turn | None) -> Iterator[str]:
    asked = (
        {block["id"] for _, block in before.blocks if block["type"] == "tool_use"}
        if before is not None
        else set()
    )
    seen: set[str] = set()
    for at, block in turn.blocks:
        if block["type"] != "tool_result":
            continue
        call = block["tool_use_id"]
        if call not in asked:
            yield (
                f"{at}: unexpected `tool_use_id` found in `tool_result` blocks: {call}. Each `tool_result` block must "
                "have a corresponding `tool_use` block in the previous message."
            )
        if call in seen:
            yield f"{at}: each tool_use must have a single result. Found multiple `tool_result` blocks with id: {call}"
        seen.add(call)


def _server_results_without_calls(turn: Turn) -> Iterator[str]:
    asked: set[Any] = set()
    for at, block in turn.blocks:
        kind = str(block["type"])
        if kind == "server_tool_use":
            asked.add(block.get("id"))
        elif kind.endswith("_tool_result") and "tool_use_id" in block and block["tool_use_id"] not in asked:
            yield (
                f"{at}: unexpected `tool_use_id` found in `{kind}` blocks: {block['tool_use_id']}. Each `{kind}` block "
                "must have a corresponding `server_tool_use` block before it."
            )
