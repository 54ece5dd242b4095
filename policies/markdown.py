"""Text of others within Markdown: what a model, a tool or a user wrote is shown as it was written, and says no more."""

import re

from policies.json_safety import brief

_SPEAKING = re.compile(r"[\\`*\[\]<>|~&#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[-+=](?=\s|$|[-+=])")
"""What Markdown would take for more than a character."""

_BACKTICKS = re.compile("`+")


def quoted(text: str, limit: int) -> str:
    """The beginning of a text on one line, to be read as it was written: none of it is taken for Markdown."""
    return _SPEAKING.sub(r"\\\g<0>", brief(" ".join(text.split()), limit))


def span(text: str) -> str:
    """A text as code within a line, whatever backticks it holds."""
    line = text.replace("\n", " ").replace("\r", " ")
    if "`" not in line:
        return f"`{line}`"
    fence = "`" * (1 + max(map(len, _BACKTICKS.findall(line))))
    return f"{fence} {line} {fence}"


def paragraph(text: str) -> list[str]:
    """A text whose lines stay lines, to be read as it was written."""
    lines = [quoted(line, len(line)) for line in text.splitlines()]
    return [
        f"{line}\\" if line and after else line for line, after in zip(lines, [*lines[1:], ""], strict=True)
    ]


def block(text: str) -> list[str]:
    """A text as a block of code, whatever fences it holds."""
    fence = "`" * (1 + max([2, *map(len, _BACKTICKS.findall(text))]))
    return [fence, text, fence]


def moment(at: str) -> str:
    """A moment of ISO 8601 in UTC, as people read it."""
    return f"{at[:16].replace('T', ' ')} UTC"
