"""A transcript on the screen: who said what, what was called, and what came back."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from holdfast.cli.rendering import words
from holdfast.cli.rendering.screen import line, one_line
from holdfast.contracts.base import JsonObject
from holdfast.contracts.messages import Message

SHOWN = 2000
"""Characters of one block; `--json` has it whole."""


def print_transcript(console: Console, messages: Sequence[Message]) -> None:
    """Each block of each message on a line of its own."""
    for message in messages:
        for block in message.content:
            label = f"  {message.role:<9}  "
            line(console, one_line(_text(block), SHOWN), indent=len(label), label=(label, "dim"))


def _text(block: JsonObject) -> str:
    match block.get("type"):
        case "text":
            return str(block.get("text", ""))
        case "tool_use":
            given = block.get("input")
            return "calls " + words.call(str(block.get("name", "")), given if isinstance(given, dict) else {})
        case "tool_result":
            content = block.get("content", "")
            told = content if isinstance(content, str) else words.as_json(content)
            return ("error: " if block.get("is_error") else "result: ") + told
        case other:
            return f"{other}: {words.as_json({key: one for key, one in block.items() if key != 'type'})}"
