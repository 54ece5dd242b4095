"""What properties are tried with: JSON, near-JSON, Python's worst, and JSON Schemas as real tools have them."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

# Machines that run the tests are shared and slow at times: an example is judged by what it shows, not by its time.
settings.register_profile(
    "holdfast", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("holdfast")

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
"""Texts that can be stored."""

hostile_texts = st.one_of(
    texts, st.text(max_size=20), st.sampled_from(["", " ", "\x00", "\ud800", "a\udfffb", "\u2028", "😀" * 9])
)
"""Texts as they may come: with NUL, lone surrogates, nothing at all."""

numbers = st.one_of(st.integers(-(2**63) + 1, 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False))

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)
"""JSON that is safe to store."""

json_objects = st.dictionaries(texts, json_values, max_size=4)


class Unspeakable:
    """Refuses to be spelled."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class Unwilling(dict[Any, Any]):
    """Refuses to be read."""

    def items(self) -> Any:
        raise RuntimeError("no")


def _cycle() -> Any:
    cycle: list[Any] = []
    cycle.extend([cycle, {"again": cycle}, cycle])
    return cycle


def _doubled(levels: int) -> Any:
    value: Any = "leaf"
    for _ in range(levels):
        value = [value, value]
    return value


def _deep(levels: int) -> Any:
    value: Any = "leaf"
    for _ in range(levels):
        value = {"in": [value]}
    return value


worst: list[Callable[[], Any]] = [
    _cycle,
    lambda: _deep(900),
    lambda: 10**5000,
    lambda: -(2**63),
    lambda: 2**63,
    lambda: math.nan,
    lambda: -math.inf,
    lambda: b"\xff\x00",
    lambda: bytearray(b"ok"),
    lambda: Decimal("sNaN"),
    lambda: {1, "a", None},
    lambda: (1, 2),
    lambda: 1j,
    object,
    Unspeakable,
    lambda: Unwilling(a=1),
    lambda: {Unspeakable(): Unspeakable()},
    lambda: {1: 2, None: 3, (4, 5): 6, math.nan: 7, b"8": 9},
    lambda: {"\ud800": "\udc00"},
]
"""Makers of what no converter takes, each once; `doubled` is apart, for it takes seconds to walk."""

doubled = _doubled
"""A value that holds itself twice at each level: 40 levels spell a terabyte."""

any_values: st.SearchStrategy[Any] = st.recursive(
    json_values | hostile_texts | st.sampled_from(worst).map(lambda make: make()),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(hostile_texts | st.integers() | st.none(), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)
"""Anything that a tool may return or a provider may send."""

_types = ["string", "integer", "number", "boolean", "null", "array", "object"]

_leaf_schemas: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.just({}),
    st.sampled_from(_types).map(lambda kind: {"type": kind}),
    st.lists(st.sampled_from(_types), min_size=1, max_size=3, unique=True).map(lambda kinds: {"type": kinds}),
    st.lists(json_values, min_size=1, max_size=3).map(lambda values: {"enum": values}),
    json_values.map(lambda value: {"const": value}),
    st.sampled_from(
        [
            {"type": "string", "pattern": r"^\p{L}+$"},
            {"type": "string", "pattern": r"(?<=a)b\1"},
            {"type": "string", "pattern": "("},
            {"type": "string", "format": "date-time"},
            {"type": "integer", "minimum": 1, "maximum": 10},
            {"type": "string", "minLength": 2, "maxLength": 5},
            {"$ref": "#"},
            {"$ref": "#/$defs/there"},
            {"$ref": "#/$defs/missing"},
            {"$ref": "https://example.com/schema.json"},
            {"$schema": "http://json-schema.org/draft-07/schema#", "type": "integer"},
            {"$schema": "https://example.com/unknown", "type": "integer"},
            {"type": "unheard-of"},
            {"properties": 5, "required": "a"},
            {"enum": 5},
        ]
    ),
)

schemas: st.SearchStrategy[Any] = st.recursive(
    _leaf_schemas,
    lambda inner: st.one_of(
        st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3).map(
            lambda properties: {
                "type": "object",
                "properties": properties,
                "required": sorted(properties)[:1],
            }
        ),
        inner.map(lambda items: {"type": "array", "items": items}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"oneOf": parts}),
        inner.map(lambda part: {"not": part}),
        inner.map(lambda there: {"$defs": {"there": there}, "$ref": "#/$defs/there"}),
    ),
    max_leaves=5,
)
"""JSON Schemas: of every shape that real tools have, and some that are none."""
