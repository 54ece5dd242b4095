"""What counts as the same data when a later release reads what an earlier one stored."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers.stored_data import says_the_same


@pytest.mark.parametrize(
    "recorded,today,same",
    [
        ({"a": 1}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "added": None, "also": [], "and": "", "or": False}, True),
        ({"a": 1}, {"a": 1, "added": 5}, False),
        ({"a": 1, "gone": None}, {"a": 1}, False),
        ({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 2, "added": {}}]}}, True),
        ({"a": [1]}, {"a": [1, None]}, False),
        ({"a": 0}, {"a": False}, False),
        ({"a": 1}, {"a": 1.0}, False),
    ],
)
def test_added_fields_that_say_nothing_change_nothing(recorded: Any, today: Any, same: bool) -> None:
    """A field may be added with an empty default; anything else that differs is a change."""
    assert says_the_same(json.dumps(recorded).encode(), json.dumps(today).encode()) is same


def test_what_is_no_json_is_compared_to_the_byte() -> None:
    """Bytes of another encoding are the same only when they are equal."""
    assert says_the_same(b"\x00\x01", b"\x00\x01")
    assert not says_the_same(b"\x00\x01", b"\x00\x02")
