"""policies/json_safety.py: what may be stored, and how anything is made fit to be stored."""

from __future__ import annotations

import enum
import json
import math
import time
from decimal import Decimal
from typing import Any

import pydantic_core
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.json_safety import (
    MAX_DEPTH,
    MAX_INTEGER,
    MAX_VALUES,
    brief,
    clip,
    faults,
    safe,
    safe_text,
    shorten,
)
from tests.strategies import Unspeakable, any_values, doubled, hostile_texts, json_objects, json_values, worst


def stored(value: Any) -> Any:
    """The value after it went through Temporal's converter and through plain JSON, which must agree."""
    pydantic = pydantic_core.from_json(pydantic_core.to_json(value))
    plain = json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8"))
    assert pydantic == plain
    return plain


@given(any_values)
def test_whatever_is_made_safe_can_be_stored(value: Any) -> None:
    """A safe copy passes every converter unchanged, has no faults, and is its own safe copy."""
    copy = safe(value)
    assert stored(copy) == copy
    assert faults(copy) == []
    assert safe(copy) == copy


@pytest.mark.parametrize("number", range(len(worst)))
def test_the_worst_values_can_be_made_safe(number: int) -> None:
    """Cycles, deep nesting, huge integers, NaN, bytes, sets and objects that refuse to be spelled."""
    copy = safe({"value": worst[number]()})
    assert stored(copy) == copy
    assert faults(copy) == []


@given(json_values)
def test_what_is_safe_stays_as_it_is(value: Any) -> None:
    """JSON without faults comes back equal, in value and in type."""
    assert faults(value) == []
    assert json.dumps(safe(value)) == json.dumps(value)


@given(any_values)
def test_what_has_no_faults_can_be_stored(value: Any) -> None:
    """`faults` gives a verdict on anything, and what it lets pass is stored as it is."""
    if not faults(value):
        assert json.dumps(stored(value), sort_keys=True) == json.dumps(value, sort_keys=True)


def test_what_holds_itself_is_cut_where_it_begins_again() -> None:
    """A cycle is left out with a note; the same value twice, but not within itself, is no cycle."""
    cycle: list[Any] = [1]
    cycle.append({"self": cycle})
    assert safe(cycle) == [1, {"self": "[left out: it holds itself]"}]
    twice = {"a": 1}
    assert safe([twice, twice]) == [twice, twice]


def test_what_spells_without_end_is_cut() -> None:
    """A value that would spell a terabyte is cut after so many values, in seconds and not in years."""
    started = time.monotonic()
    copy = safe(doubled(40))
    assert f"more than {MAX_VALUES:,} values" in json.dumps(copy)
    assert time.monotonic() - started < 30


def test_deep_nesting_is_cut() -> None:
    """A list within 900 lists is kept down to the depth that every parser follows."""
    deep: Any = "leaf"
    for _ in range(900):
        deep = [deep]
    assert f"nested more than {MAX_DEPTH} levels" in json.dumps(safe(deep))
    assert faults(deep) == [f"it is nested more than {MAX_DEPTH} levels deep"]


class Colour(enum.StrEnum):
    """Text by another name."""

    RED = "red"


class Shade(str, enum.Enum):  # noqa: UP042  # its `str` is not its value, and authors have such
    """Text by another name, as Python 3.10 wrote it."""

    DARK = "dark"


@pytest.mark.parametrize(
    "value,copy",
    [
        (b"\xc3\xa9\xff", "é\ufffd"),
        (bytearray(b"ok"), "ok"),
        (Decimal("1.50"), "1.50"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (2**63, "9223372036854775808"),
        (MAX_INTEGER, MAX_INTEGER),
        (True, True),
        ((1, 2), [1, 2]),
        ({"a"}, ["a"]),
        ({1: "one", None: "none"}, {"1": "one", "None": "none"}),
        ({Colour.RED: Colour.RED, Shade.DARK: Shade.DARK}, {"red": "red", "dark": "dark"}),
        ("a\x00b\ud800c", "a\ufffdb\ufffdc"),
        (Unspeakable(), "[Unspeakable]"),
        ({Unspeakable(): 1}, {"[Unspeakable]": 1}),
    ],
)
def test_copies_are_as_close_as_can_be(value: Any, copy: Any) -> None:
    """What JSON has not becomes the JSON that a person would have chosen."""
    made = safe(value)
    assert made == copy
    assert type(made) is type(copy)


@pytest.mark.parametrize(
    "value,fault",
    [
        ("a\x00", "a NUL character"),
        ("\ud83d", "half of a surrogate pair"),
        ({"\ud83d": 1}, "half of a surrogate pair"),
        (10**30, "more than 64 bits"),
        (math.inf, "not finite"),
        (b"x", "a bytes, which JSON has not"),
        ({1: 1}, "a key that is no text but a int"),
        ([[{"a": [math.nan]}]], "not finite"),
    ],
)
def test_faults_are_named(value: Any, fault: str) -> None:
    """What is unsafe is said in words that a model can act on."""
    (found,) = faults(value)
    assert fault in found


@given(hostile_texts)
def test_safe_texts_can_be_stored_and_keep_their_length(text: str) -> None:
    """Only characters that cannot be stored are replaced, one by one."""
    made = safe_text(text)
    assert stored(made) == made
    assert len(made) == len(text)
    assert all(new in (old, "\ufffd") for new, old in zip(made, text, strict=True))


@given(st.text(max_size=600), st.integers(1, 700))
def test_a_shortened_text_is_never_longer_than_asked(text: str, limit: int) -> None:
    """`shorten` and `brief` keep their limit, and leave alone what is within it."""
    for made in (shorten(text, limit), brief(text, limit)):
        assert len(made) <= limit
        assert made == text or len(text) > limit


def test_a_shortened_text_has_its_head_and_tail_and_says_what_is_missing() -> None:
    """Three quarters of what is kept is the beginning, the rest the end, and the count is right."""
    made = shorten("a" * 500 + "b" * 500, 200)
    head, note, tail = made.split("\n\n")
    assert set(head) == {"a"}
    assert set(tail) == {"b"}
    assert note == f"[… {1000 - len(head) - len(tail)} of 1000 characters left out …]"
    assert len(head) > 2 * len(tail)


@given(
    st.dictionaries(
        hostile_texts.map(safe_text), json_values | st.text(max_size=500).map(safe_text), max_size=30
    )
)
def test_a_clipped_object_has_the_beginning_of_each_value(value: dict[str, Any]) -> None:
    """What is shown of large arguments has about the size that was asked for, and of small ones is all of it."""
    for limit in (200, 2000):
        clipped = clip(value, limit)
        assert faults(clipped) == []
        assert len(json.dumps(clipped, ensure_ascii=False)) <= 3 * limit
        if len(json.dumps(value)) <= limit:
            assert clipped == value
    kept = {key: item for key, item in clip(value, 20_000).items() if key in value}
    assert kept == value or len(json.dumps(value)) > 20_000


@given(json_objects)
def test_a_clipped_object_says_what_is_missing(value: dict[str, Any]) -> None:
    """Of more values than there is room for, the first are shown and all are counted."""
    many = {f"{number} {'x' * 70}": value for number in range(50)}
    clipped = clip(many, 800)
    assert clipped["…"] == "50 values"
    assert len(clipped) == 11
