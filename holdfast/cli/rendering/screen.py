"""The screen: two consoles without surprises, and text from runs made safe to show.

Colours only on a terminal. Commands that a person may copy are never wrapped. Piped output is not cut to
a width that nobody sees.
"""

from __future__ import annotations

import os
import sys
from typing import IO

from rich.console import Console
from rich.text import Text

from holdfast.contracts.user_metadata import visible

PIPED_WIDTH = 400
Part = str | tuple[str, str]


def out() -> Console:
    """The console of stdout."""
    return _console(sys.stdout)


def err() -> Console:
    """The console of stderr."""
    return _console(sys.stderr)


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """The reader, such as `head`, has what it wanted: the command ends, and well."""
        raise BrokenPipeError


def _console(stream: IO[str]) -> Console:
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH
    return _Console(file=stream, highlight=False, markup=False, emoji=False, width=width)


def safe(text: str) -> str:
    """Text of a run as a terminal may show it: models and tools write it, and it could rewrite the screen."""
    return visible(text)


def one_line(text: str, limit: int | None = None) -> str:
    """Safe text with its white space made single spaces, cut to a number of characters."""
    flat = " ".join(safe(text).split())
    return flat if limit is None or len(flat) <= limit else flat[: max(0, limit - 1)] + "…"


def text_of(*parts: Part) -> Text:
    """Text of plain strings and `(string, style)` pairs, all made safe."""
    whole = Text()
    for part in parts:
        words, style = part if isinstance(part, tuple) else (part, "")
        whole.append(safe(words), style=style)
    return whole


def line(console: Console, *parts: Part, indent: int = 0, label: Part | list[Part] = "") -> None:
    """Prints a paragraph, wrapped at the screen's width with every line indented alike.

    A `label` stands before the first line, in the indent of all.
    """
    before = text_of(*label) if isinstance(label, list) else text_of(label)
    before.pad_right(max(0, indent - before.cell_len))
    for wrapped in text_of(*parts).wrap(console, max(20, console.width - indent)):
        wrapped.rstrip()
        console.print(before + wrapped, soft_wrap=True)
        before = Text(" " * indent)


def unwrapped(console: Console, *parts: Part) -> None:
    """Prints one line as it is, however long: what a person may copy."""
    console.print(text_of(*parts), soft_wrap=True)
