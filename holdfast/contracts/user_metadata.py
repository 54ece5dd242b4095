"""What Temporal keeps of a text that people read in its UI, and how a text is made to fit.

The server may be set to refuse what is longer, and a refused command leaves a run stuck.
"""

import json
import re

PARENT_MEMO = "holdfast_parent"
"""Memo field that names the run that this one was forked from."""

OPENED_AT_MEMO = "holdfast_opened_at"
"""Memo field of a run that goes on in another execution: when the first one began."""

SUMMARY_BYTES = 400
"""Temporal's default for a summary, which is one line: of a run, an activity or a timer."""

MOST_BYTES = 6
"""What a character takes at the most, in JSON."""

DETAILS_BYTES = 20_000
"""Temporal's default for details, which are Markdown."""


_SPEAKING = re.compile(r"[\\`*\[\]<>|~&#$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|^[-+=](?=\s|$|[-+=])")
"""What Markdown would take for more than a character. Between two dollar signs the UI sees a formula."""

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def summary(text: str) -> str:
    """The text on one line, as much of it as a summary may hold."""
    return _fitting(" ".join(text.split()), SUMMARY_BYTES)


def details(text: str) -> str:
    """As much of the text as details may hold."""
    return _fitting(text, DETAILS_BYTES)


def visible(text: str) -> str:
    """The text with all that is not seen spelled out.

    Control characters could rewrite a screen. Marks that reorder or hide letters could make an approval look like
    another one.
    """
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def escaped(text: str) -> str:
    """A line as Markdown that shows it as it was written."""
    return _SPEAKING.sub(r"\\\g<0>", text)


def as_written(text: str) -> str:
    """A text as Markdown that shows it as it was written, line by line."""
    lines = [escaped(" ".join(visible(line).split())) for line in text.splitlines()]
    return "\n".join(
        f"{line}\\" if line and after else line for line, after in zip(lines, [*lines[1:], ""], strict=True)
    )


def _fitting(text: str, limit: int) -> str:
    """The text, or its beginning and an ellipsis, in at most `limit` bytes of JSON."""
    if len(text) <= (limit - 2) // MOST_BYTES or _size(text) <= limit:
        return text
    low, high = 0, min(len(text), limit)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _size(text[:middle] + "…") <= limit else (low, middle - 1)
    return text[:low] + "…"


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))
