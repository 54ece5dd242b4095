"""The transcript: messages of content blocks, in the Messages API's own JSON.

Blocks stay plain JSON objects. Providers add fields and block types, and thinking blocks must go back byte
for byte, so a typed model of a block would lose something sooner or later.
"""

from typing import Literal

from holdfast.contracts.archive import ArchivedPart
from holdfast.contracts.base import Contract, JsonObject


class Message(Contract):
    """One turn of the conversation."""

    role: Literal["user", "assistant"]
    content: list[JsonObject]


def text_block(text: str) -> JsonObject:
    """A text block."""
    return {"type": "text", "text": text}


def user_text(*texts: str) -> Message:
    """A user message of these texts."""
    return Message(role="user", content=[text_block(text) for text in texts])


def text_of(content: list[JsonObject]) -> str:
    """The texts of a message, joined by blank lines; empty when it has none."""
    texts = [block["text"] for block in content if block.get("type") == "text"]
    return "\n\n".join(text for text in texts if isinstance(text, str) and text.strip())


REFERENCE = "holdfast_reference"
"""Type of a stand-in for a tool result that is not sent to the plan activity again.

`{"type": REFERENCE, "tool_use_id": …, "is_error": …, "call": "3.1"}`: the worker puts in the text of that
call's result from its cache, or asks the workflow for the message. It never reaches a provider.
"""

REFERENCE_MIN_CHARS = 512
"""A shorter tool result is sent along: a reference would hardly be smaller, and may cost a query."""


class Page(Contract):
    """A part of the transcript, as the `transcript` query answers it.

    `position` is that of the first message; `total` counts the messages there are.
    """

    position: int
    total: int
    messages: list[Message]
    archived: ArchivedPart | None = None
    """Where the messages from `position` on are, when the run has laid them aside; `messages` is then empty."""


class PageRequest(Contract):
    """Asks for the messages in `[start, stop)`, as many of them as fit in `max_bytes` (at least one)."""

    start: int
    stop: int
    max_bytes: int = 1_000_000
    opening: bool = False
    """Ask instead for the one message that a compacted transcript begins with: the task with the summary."""
