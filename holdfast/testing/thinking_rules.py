"""The rule of the Messages API that thinking comes back as it was sent, to the byte."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from holdfast.testing.answers import Block
from holdfast.testing.model_request import ModelRequest
from holdfast.testing.turn_rules import Turn

_CHANGED = (
    "`thinking` or `redacted_thinking` blocks in the latest assistant message cannot be modified. "
    "These blocks must remain as they were in the original response."
)


class ThinkingRules:
    """Remembers the thinking that was sent, and notices when it comes back altered, invented or left out."""

    def __init__(self, *, accept_foreign: bool) -> None:
        """Nothing was sent yet. `accept_foreign` lets thinking pass that was never sent."""
        self._accept_foreign = accept_foreign
        self._texts: dict[str, set[str]] = {}
        self._redacted: set[str] = set()
        self._before_call: dict[tuple[str, str], list[list[Block]]] = {}

    def remember(self, request: ModelRequest, message: Mapping[str, Any]) -> None:
        """Notes the thinking of a message that answers a request."""
        thoughts = [block for block in message["content"] if is_thinking(block)]
        for block in thoughts:
            if block["type"] == "thinking":
                self._texts.setdefault(str(block.get("signature")), set()).add(str(block.get("thinking")))
            else:
                self._redacted.add(str(block.get("data")))
        for block in message["content"] if thoughts else ():
            if block.get("type") == "tool_use":
                known = self._before_call.setdefault((request.conversation, str(block.get("id"))), [])
                if thoughts not in known:
                    known.append(thoughts)

    def objections(self, request: ModelRequest, turns: list[Turn]) -> Iterator[str]:
        """What the API would say against the thinking in a request."""
        assistant = [turn for turn in turns if turn.role == "assistant"]
        for turn in assistant:
            for at, block in turn.blocks:
                yield from self._one_block(at, block)
        if assistant:
            yield from self._latest_turn(request, assistant[-1])

    def _one_block(self, at: str, block: Block) -> Iterator[str]:
        if block["type"] == "thinking":
            texts = self._texts.get(str(block.get("signature")))
            if texts is None and not self._accept_foreign:
                yield f"{at}: Invalid `signature` in `thinking` block"
            elif texts is not None and block.get("thinking") not in texts:
                yield f"{at}: {_CHANGED}"
        elif block["type"] == "redacted_thinking":
            known = str(block.get("data")) in self._redacted
            if not known and not self._accept_foreign:
                yield f"{at}: Invalid `data` in `redacted_thinking` block"

    def _latest_turn(self, request: ModelRequest, turn: Turn) -> Iterator[str]:
        """The latest turn must hold all thinking that led to its calls, and begin with it where that is enabled."""
        thoughts = [block for _, block in turn.blocks if is_thinking(block)]
        calls = [str(block.get("id")) for _, block in turn.blocks if block["type"] == "tool_use"]
        place = f"messages.{turn.last_message}.content.0"
        for call in calls:
            sent = self._before_call.get((request.conversation, call))
            if sent is not None and not any(_ends_with(thoughts, option) for option in sent):
                yield f"{place}: {_CHANGED}"
        first = turn.blocks[0][1] if turn.blocks else {}
        enabled = (request.body.get("thinking") or {}).get("type") == "enabled"
        if enabled and calls and not is_thinking(first):
            yield (
                f"{place}.type: Expected `thinking` or `redacted_thinking`, but found `{first['type']}`. When "
                "`thinking` is enabled, a final `assistant` message must start with a thinking block."
            )


def is_thinking(block: Mapping[str, Any]) -> bool:
    """Whether a block is thinking, open or redacted."""
    return block.get("type") in ("thinking", "redacted_thinking")


def _ends_with(blocks: list[Block], end: list[Block]) -> bool:
    return len(blocks) >= len(end) and blocks[len(blocks) - len(end) :] == end
