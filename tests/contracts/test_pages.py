"""Records in parts that a message takes."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.messages import Message, user_text
from holdfast.contracts.pages import in_parts, last_within_bytes, within_bytes

MAX = 300
messages = st.lists(st.text(max_size=150).map(user_text), max_size=8)


def size(part: list[Message]) -> int:
    """Bytes of JSON."""
    return sum(len(one.model_dump_json().encode()) for one in part)


@given(messages)
def test_parts_hold_everything_in_order_and_fit(records: list[Message]) -> None:
    """A part is within the limit, unless it is one record that is too large by itself; none could hold the next too."""
    parts = in_parts(records, MAX)
    assert [one for part in parts for one in part] == records
    assert all(size(part) <= MAX or len(part) == 1 for part in parts)
    assert all(size([*part, after[0]]) > MAX for part, after in itertools.pairwise(parts))


@given(messages)
def test_the_first_and_the_last_are_as_many_as_fit(records: list[Message]) -> None:
    """Both keep the order, and at least one where there is one."""
    first, last = within_bytes(records, MAX), last_within_bytes(records, MAX)
    assert first == records[: len(first)]
    assert last == records[len(records) - len(last) :]
    assert bool(first) == bool(last) == bool(records)
