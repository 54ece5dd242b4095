"""Which JSON is safe to store, hash and send on, and how to make any value safe.

A payload converter that refuses a value does so *after* the tool has had its effect, so that a retry would
repeat it (PROVIDER_FACTS, Effects 3). Values are therefore made safe before they leave the activity.
"""

import math
from decimal import Decimal
from typing import Any

from holdfast.contracts.base import Json

MAX_DEPTH = 64
"""Nesting beyond this is refused; pydantic and most JSON parsers give up near 200."""

MAX_INTEGER = 2**63 - 1
"""Larger integers lose digits in most languages."""


def faults(value: Json, depth: int = 0) -> list[str]:
    """What makes a JSON value unsafe, in words for the model; empty when it is safe."""
    if depth > MAX_DEPTH:
        return [f"it is nested more than {MAX_DEPTH} levels deep"]
    match value:
        case str():
            return _text_faults(value)
        case bool() | None:
            return []
        case int():
            return [] if abs(value) <= MAX_INTEGER else ["it holds an integer of more than 64 bits"]
        case float():
            return [] if math.isfinite(value) else ["it holds a number that is not finite"]
        case list():
            return _first(faults(item, depth + 1) for item in value)
        case dict():
            keys = _first(_text_faults(key) for key in value)
            return keys or _first(faults(item, depth + 1) for item in value.values())
        case _:
            return [f"it holds a {type(value).__name__}, which JSON has not"]


def _first(found: Any) -> list[str]:
    return next((fault for fault in found if fault), [])


def _text_faults(text: str) -> list[str]:
    if "\x00" in text:
        return ["it holds a NUL character"]
    if any("\ud800" <= ch <= "\udfff" for ch in text):
        return ["it holds half of a surrogate pair, which is not valid Unicode"]
    return []


def safe_text(text: str) -> str:
    """The text with every character that cannot be stored replaced by U+FFFD."""
    if text.isascii():
        return text.replace("\x00", "\ufffd")
    return "".join("\ufffd" if ch == "\x00" or "\ud800" <= ch <= "\udfff" else ch for ch in text)


def safe(value: Any, depth: int = 0) -> Json:
    """A JSON value that every converter takes, as close to `value` as can be. Never raises.

    Bytes become text, non-finite numbers and huge integers their spelling, and what JSON has not its `str`;
    nesting beyond `MAX_DEPTH` becomes a note.
    """
    if depth > MAX_DEPTH:
        return f"[left out: nested more than {MAX_DEPTH} levels deep]"
    match value:
        case None | bool():
            return value
        case str():
            return safe_text(value)
        case int():
            return value if abs(value) <= MAX_INTEGER else _spelling(value)
        case float():
            return value if math.isfinite(value) else str(value)
        case Decimal():
            return str(value)
        case bytes() | bytearray():
            return safe_text(bytes(value).decode("utf-8", "replace"))
        case dict():
            return {safe_text(_spelling(key)): safe(item, depth + 1) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [safe(item, depth + 1) for item in value]
        case _:
            return safe_text(_spelling(value))


def _spelling(value: Any) -> str:
    """`str(value)`, also of what refuses to be spelled."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # a broken __str__, or an integer beyond the digit limit
        return hex(value) if isinstance(value, int) else f"[{type(value).__name__}]"


def shorten(text: str, limit: int) -> str:
    """The head and tail of a text of more than `limit` characters, with a note of what is missing."""
    if len(text) <= limit:
        return text
    head, tail = limit * 3 // 4, limit // 4
    note = f"\n\n[… {len(text) - head - tail} of {len(text)} characters left out …]\n\n"
    return text[:head] + note + text[-tail:]
