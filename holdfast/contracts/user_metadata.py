"""What Temporal keeps of a text that people read in its UI, and how a text is made to fit.

The server may be set to refuse what is longer, and a refused command leaves a run stuck.
"""

import json

PARENT_MEMO = "holdfast_parent"
"""Memo field that names the run that this one was forked from."""

OPENED_AT_MEMO = "holdfast_opened_at"
"""Memo field of a run that goes on in another execution: when the first one began."""

SUMMARY_BYTES = 400
"""Temporal's default for a summary, which is one line: of a run, an activity or a timer."""

DETAILS_BYTES = 20_000
"""Temporal's default for details, which are Markdown."""


def summary(text: str) -> str:
    """The text on one line, as much of it as a summary may hold."""
    return _fitting(" ".join(text.split()), SUMMARY_BYTES)


def details(text: str) -> str:
    """As much of the text as details may hold."""
    return _fitting(text, DETAILS_BYTES)


def _fitting(text: str, limit: int) -> str:
    """The text, or its beginning and an ellipsis, in at most `limit` bytes of JSON."""
    if _size(text) <= limit:
        return text
    low, high = 0, min(len(text), limit)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        low, high = (middle, high) if _size(text[:middle] + "…") <= limit else (low, middle - 1)
    return text[:low] + "…"


def _size(text: str) -> int:
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "replace"))
