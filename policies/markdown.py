"""Text of others within Markdown: what a model, a tool or a user wrote is shown as it was written, and says no more."""

import re
from decimal import Decimal

from policies.json_safety import brief
from policies.limits import money

_SPEAKING = re.compile(r"[\\`*\[\]<>|~&#$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[-+=](?=\s|$|[-+=])")
"""What Markdown would take for more than a character. Between two dollar signs the UI sees a formula."""

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)

_BACKTICKS = re.compile("`+")


def visible(text: str) -> str:
    """The text with all that is not seen spelled out.

    Control characters could rewrite a screen. Marks that reorder or hide letters could make an approval look like
    another one.
    """
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def quoted(text: str, limit: int) -> str:
    """The beginning of a text on one line, to be read as it was written: none of it is taken for Markdown."""
    return _SPEAKING.sub(r"\\\g<0>", brief(" ".join(visible(text).split()), limit))


def span(text: str) -> str:
    """A text as code within a line, whatever backticks it holds."""
    line = visible(text).replace("\n", " ")
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
    """A text as a block of code, whatever fences it holds. The UI cuts long lines of it off."""
    text = visible(text)
    fence = "`" * (1 + max([2, *map(len, _BACKTICKS.findall(text))]))
    return [fence, text, fence]


def dollars(usd: Decimal) -> str:
    """USD as people read it."""
    return f"\\{money(usd)}"


def moment(at: str) -> str:
    """A moment of ISO 8601 in UTC, as people read it."""
    return f"{at[:16].replace('T', ' ')} UTC"
