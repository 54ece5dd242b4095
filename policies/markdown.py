"""Text of others within Markdown: what a model, a tool or a user wrote is shown as it was written, and says no more."""

import re
from decimal import Decimal

from holdfast.contracts import user_metadata
from holdfast.contracts.user_metadata import visible
from policies.json_safety import brief
from policies.limits import money

_BACKTICKS = re.compile("`+")


def quoted(text: str, limit: int) -> str:
    """The beginning of a text on one line, to be read as it was written: none of it is taken for Markdown."""
    return user_metadata.escaped(brief(" ".join(visible(text).split()), limit))


def span(text: str) -> str:
    """A text as code within a line, whatever backticks it holds."""
    line = visible(text).replace("\n", " ")
    if "`" not in line:
        return f"`{line}`"
    fence = "`" * (1 + max(map(len, _BACKTICKS.findall(line))))
    return f"{fence} {line} {fence}"


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
