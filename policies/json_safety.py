"""Which JSON is safe to store, hash and send on, and how to make any value safe.

A payload converter that refuses a value does so *after* the tool has had its effect, so that a retry would
repeat it (PROVIDER_FACTS, Effects 3). Values are therefore made safe before they leave the activity.
"""

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from holdfast.contracts.base import Json, JsonObject

MAX_DEPTH = 64
"""Nesting beyond this is refused; pydantic and most JSON parsers give up near 200."""

MAX_INTEGER = 2**63 - 1
"""Larger integers lose digits in most languages."""

MAX_VALUES = 200_000
"""What holds more values than this is no result; it may hold itself several times over, and never end."""


def faults(value: Json, depth: int = 0) -> list[str]:
    """What makes a JSON value unsafe, in words for the model; empty when it is safe."""
    if depth >= MAX_DEPTH and isinstance(value, list | dict):
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
        case list() if type(value) is list:
            return _first(faults(item, depth + 1) for item in value)
        case dict() if type(value) is dict:  # a subclass may behave as it likes
            keys = _first(_key_faults(key) for key in value)
            return keys or _first(faults(item, depth + 1) for item in value.values())
        case _:
            return [f"it holds a {type(value).__name__}, which JSON has not"]


def _first(found: Any) -> list[str]:
    return next((fault for fault in found if fault), [])


def _key_faults(key: Any) -> list[str]:
    if not isinstance(key, str):
        return [f"it holds a key that is no text but a {type(key).__name__}"]
    return _text_faults(key)


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
    return _UNSTORABLE.sub("\ufffd", text)


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""Searched for by the compiled engine: a result may have fifty million characters."""


def safe(value: Any) -> Json:
    """A JSON value that every converter takes, as close to `value` as can be. Never raises, and always ends.

    Pydantic models become objects, bytes text, non-finite numbers and huge integers their spelling, and what JSON has not its `str`.
    Left out, with a note in its place, is what is nested beyond `MAX_DEPTH`, what holds itself, and what comes
    after the first `MAX_VALUES` values.
    """
    return _Copy().of(value)


class _Copy:
    """One copy: how many values it has, and which containers it is inside of."""

    def __init__(self) -> None:
        self._values = 0
        self._within: set[int] = set()

    def of(self, value: Any) -> Json:
        """The safe copy of a value."""
        self._values += 1
        if self._values > MAX_VALUES:
            return f"[left out: more than {MAX_VALUES:,} values]"
        if isinstance(value, BaseModel):
            value = _fields(value)
        try:
            return self._container(value) if isinstance(value, _CONTAINERS) else _scalar(value)
        except Exception:  # noqa: BLE001  # whatever a value's own methods do, a copy comes out
            return safe_text(_spelling(value))

    def _container(self, value: Any) -> Json:
        if id(value) in self._within:
            return "[left out: it holds itself]"
        if len(self._within) >= MAX_DEPTH:
            return f"[left out: nested more than {MAX_DEPTH} levels deep]"
        self._within.add(id(value))
        try:
            if isinstance(value, dict):
                return {_key(key): self.of(item) for key, item in self._bounded(value.items())}
            return [self.of(item) for item in self._bounded(value)]
        finally:
            self._within.discard(id(value))

    def _bounded(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            yield item
            if self._values > MAX_VALUES:
                return


def _fields(model: BaseModel) -> Any:
    """A pydantic model as it would be in JSON, or, where it has no JSON form, its fields as they are."""
    try:
        return model.model_dump(mode="json")
    except Exception:  # noqa: BLE001  # bytes that are no text, a broken serializer
        return dict(model)


_CONTAINERS = (dict, list, tuple, set, frozenset)


def _key(key: Any) -> str:
    return safe_text(key if isinstance(key, str) else _spelling(key))


def _scalar(value: Any) -> Json:
    match value:
        case None | bool():
            return value
        case str():
            return safe_text(value)
        case int():
            return int(value) if abs(value) <= MAX_INTEGER else _spelling(value)
        case float():
            return float(value) if math.isfinite(value) else str(value)
        case bytes() | bytearray():
            return safe_text(bytes(value).decode("utf-8", "replace"))
        case _:
            return safe_text(_spelling(value))


def _spelling(value: Any) -> str:
    """`str(value)`, also of what refuses to be spelled."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001  # a broken __str__, or an integer beyond the digit limit
        return hex(value) if isinstance(value, int) else f"[{type(value).__name__}]"


def clip(value: JsonObject, max_chars: int) -> JsonObject:
    """The object, or, when its JSON is longer than that, the beginning of each of its values.

    For records that are shown, so that many of them fit into one answer; what is carried out is never clipped.
    """
    if len(json.dumps(value)) <= max_chars:
        return value
    each = max(20, max_chars // max(1, len(value)))
    clipped = {brief(key, 60): _clipped(item, each) for key, item in list(value.items())[: max_chars // 80]}
    return clipped if len(clipped) == len(value) else {**clipped, "…": f"{len(value):,} values"}


def _clipped(value: Json, max_chars: int) -> Json:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return value if len(text) <= max_chars else brief(text, max_chars)


def shorten(text: str, limit: int) -> str:
    """The text, or its head and tail with a note of what is missing; never more than `limit` characters."""
    if len(text) <= limit:
        return text
    kept = limit - len(_note(len(text), len(text)))
    if kept < _WORTH_A_NOTE:
        return brief(text, limit)
    head = kept * 3 // 4
    return text[:head] + _note(len(text) - kept, len(text)) + text[len(text) - kept + head :]


_WORTH_A_NOTE = 40
"""Fewer characters than this beside the note would tell less than a plain cut."""


def _note(left_out: int, total: int) -> str:
    return f"\n\n[… {left_out} of {total} characters left out …]\n\n"


def brief(text: str, limit: int) -> str:
    """The beginning of a text, with an ellipsis when something is missing; never more than `limit` characters."""
    return text if len(text) <= limit else text[: max(0, limit - 1)] + "…"[:limit]
