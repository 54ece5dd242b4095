"""policies/fingerprints.py: one cause has one fingerprint, whatever numbers and ids its messages hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.calls import Failure
from policies.fingerprints import FINGERPRINT_CHARS, fingerprint, normalised
from tests.strategies import texts

WHERE = "planner claude-sonnet-5"

NUMBERS = st.integers(0, 10**12).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(repr)
IDS = (
    st.uuids().map(str)
    | st.from_regex(r"[0-9a-f]{0,15}[0-9][0-9a-f]{1,16}", fullmatch=True)
    | st.from_regex(r"req_[0-9][A-Za-z0-9]{4,20}", fullmatch=True)
    | st.from_regex(r"i-0[0-9a-f]{4,16}", fullmatch=True)
    | st.datetimes().map(lambda at: at.isoformat())
)


def a_failure(message: str, error: str = "overloaded_error") -> Failure:
    """A failure with this message."""
    return Failure(kind="transient", message=message, error=error)


@given(st.lists(NUMBERS | IDS, min_size=8, max_size=8))
def test_the_same_error_with_other_numbers_is_one_cause(values: list[str]) -> None:
    """Request ids, amounts, times and addresses do not tell failures apart."""
    template = "order {} of '{}' failed after {} s (request {})"
    first, second = template.format(*values[:4]), template.format(*values[4:])
    assert fingerprint(WHERE, a_failure(first)) == fingerprint(WHERE, a_failure(second))


@pytest.mark.parametrize(
    "one,other",
    [
        ("Overloaded (req_011CSHoEeqs5C35K2UUqR7Fy)", "overloaded (req_018EeAbcq5C35K2UUqR7Fy)"),
        ("no instances i-1, i-2 in eu-west-1", "no instances i-0abc9, i-3, i-44, i-5 in us-east-2"),
        ("GET https://api.example.com/v1/x?token=a9 timed out", "GET https://api.example.com/v1/x timed out"),
        ("connect to 10.0.0.7:443 failed", "connect to 10.12.0.99:8443 failed"),
        ("at 2026-11-21T03:00:00Z:\n  busy", "at 2026-11-22T13:07:01Z: busy"),
    ],
)
def test_messages_of_one_cause(one: str, other: str) -> None:
    """Real messages of one cause are the same once their data is left out."""
    assert normalised(one) == normalised(other)


@pytest.mark.parametrize(
    "where,failure",
    [
        ("planner claude-haiku-4-5", a_failure("Overloaded")),
        (WHERE, a_failure("Overloaded", error="api_error")),
        (WHERE, a_failure("Not permitted")),
        (WHERE, Failure(kind="fatal", message="Overloaded", error="overloaded_error")),
    ],
)
def test_other_causes_are_other_groups(where: str, failure: Failure) -> None:
    """Where, kind, error and words each count."""
    assert fingerprint(where, failure) != fingerprint(WHERE, a_failure("Overloaded"))


@given(texts)
def test_any_message_has_a_short_fingerprint(message: str) -> None:
    """Whatever a vendor says, the fingerprint fits a search attribute and a command line."""
    found = fingerprint(WHERE, a_failure(message))
    assert len(found) == FINGERPRINT_CHARS
    assert set(found) <= set("0123456789abcdef")


@given(texts)
def test_what_is_normal_stays(message: str) -> None:
    """Numbers within the words that are left do not come back."""
    assert not any(ch.isdigit() for ch in normalised(message) if ch.isascii())
