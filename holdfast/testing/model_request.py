"""The record of one request that reached the scripted model, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from holdfast.testing.answers import Block


@dataclass(frozen=True, slots=True)
class PlayedCall:
    """One tool call that the scripted model asked for."""

    id: str
    """Its `tool_use` id."""
    name: str
    """The tool."""
    arguments: Any
    """The arguments: a value, or a `RawJson` for a raw call."""
    request: int
    """The number of the request that it answered, counted from 1."""


@dataclass(slots=True)
class ModelRequest:
    """One request as it arrived. Equal parts of two transcripts are one object here: read it, do not change it."""

    number: int
    """Counted from 1, in order of arrival."""
    headers: Mapping[str, str]
    """Request headers, names in lower case; without the key, so that no test report shows it."""
    api_key: str = field(repr=False)
    """The key that was sent, as `x-api-key` or as a bearer token; empty when there was none."""
    body: dict[str, Any]
    """The JSON body; empty when there was none that could be read."""
    size: int
    """Bytes of the body."""
    received_at: float
    """Seconds on the monotonic clock: the difference of two of them is the time between."""
    status: int | None = None
    """The HTTP status that was answered; None while it is open, and when nothing was sent."""
    answered_with: str = "nothing yet"
    """One line saying what was answered."""
    refusal: str | None = None
    """Why the request was refused as the real API would refuse it; None for a legal one."""
    message: dict[str, Any] | None = None
    """The message that was answered, if any."""
    usage: Mapping[str, Any] = field(default_factory=dict)
    """The token counts that were answered."""
    client_gone: bool = False
    """Whether the client closed the connection before the answer was out."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The transcript that was sent."""
        found = self.body.get("messages")
        return found if isinstance(found, list) else []

    @property
    def model(self) -> str:
        """The model that was asked."""
        return str(self.body.get("model", ""))

    @property
    def stream(self) -> bool:
        """Whether an event stream was asked for."""
        return bool(self.body.get("stream"))

    @property
    def turn(self) -> int:
        """How many assistant messages the transcript holds: the position in the conversation, from 0."""
        return sum(1 for message in self.messages if message.get("role") == "assistant")

    @property
    def conversation(self) -> str:
        """The text of the first user message: what tells one conversation from another."""
        first = next((message for message in self.messages if message.get("role") == "user"), {})
        return "\n".join(
            str(block.get("text", "")) for block in blocks_of(first) if block.get("type") == "text"
        )

    @property
    def tool_results(self) -> list[Block]:
        """The `tool_result` blocks of the last message."""
        last = self.messages[-1] if self.messages else {}
        return [block for block in blocks_of(last) if block.get("type") == "tool_result"]

    @property
    def tool_names(self) -> list[str]:
        """The names of the tools that were offered."""
        return [str(tool.get("name")) for tool in self.body.get("tools") or ()]


def blocks_of(message: Mapping[str, Any]) -> list[Block]:
    """The content of a message as a list of blocks; a plain string is one text block."""
    content = message.get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
