"""Whether two stored values say the same, where a later release has added fields to one of them."""

from __future__ import annotations

import json
from typing import Any

_NOTHING: tuple[Any, ...] = (None, False, 0, "", [], {})
"""The defaults that a field may be added with, so that what was recorded without it means the same."""


def says_the_same(recorded: bytes, today: bytes) -> bool:
    """Whether today's JSON holds what was recorded, and beside it only added fields that say nothing.

    What is no JSON must be equal to the byte.
    """
    if recorded == today:
        return True
    try:
        return _same(json.loads(recorded), json.loads(today))
    except ValueError:
        return False


def _same(recorded: Any, today: Any) -> bool:
    if isinstance(recorded, dict) and isinstance(today, dict):
        added = set(today) - set(recorded)
        return all(key in today and _same(value, today[key]) for key, value in recorded.items()) and all(
            _says_nothing(today[key]) for key in added
        )
    if isinstance(recorded, list) and isinstance(today, list):
        pairs = zip(recorded, today, strict=False)
        return len(recorded) == len(today) and all(_same(old, new) for old, new in pairs)
    return type(recorded) is type(today) and bool(recorded == today)


def _says_nothing(value: Any) -> bool:
    return any(type(value) is type(nothing) and value == nothing for nothing in _NOTHING)
