"""policies/failures.py: each failure of a provider or a tool has one owner."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.calls import Failure, FailureKind
from policies.failures import (
    AMBIGUOUS,
    PROVIDER_ERROR_TYPE,
    RETRY_AFTER_CAP_SECONDS,
    ProviderFailure,
    may_have_happened,
    provider_failure,
    retry_after,
)
from tests.strategies import hostile_texts

KINDS: tuple[FailureKind, ...] = get_args(FailureKind)


def failed(
    status: int | None, error_type: str | None = None, message: str = "", **headers: str
) -> ProviderFailure:
    """The failure that an answer with this status, error and headers is."""
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    return provider_failure(status=status, error_type=error_type, message=message, headers=spelled)


@pytest.mark.parametrize(
    "status,kind,retried",
    [
        (400, "fatal", False),
        (401, "credentials", False),
        (402, "credentials", False),
        (403, "credentials", False),
        (404, "fatal", False),
        (408, "transient", True),
        (409, "transient", True),
        (413, "limit", False),
        (418, "fatal", False),
        (422, "fatal", False),
        (425, "transient", True),
        (429, "transient", True),
        (500, "transient", True),
        (502, "transient", True),
        (503, "transient", True),
        (504, "transient", True),
        (529, "transient", True),
        (599, "transient", True),
    ],
)
def test_the_status_says_whose_failure_it_is(status: int, kind: FailureKind, *, retried: bool) -> None:
    """Every status has one kind, and only what another attempt may cure is tried again."""
    found = failed(status, "some_error", "said")
    assert (found.failure.kind, found.retry) == (kind, retried)
    assert (found.failure.error, found.failure.message) == ("some_error", "said")


@pytest.mark.parametrize("status", [None, 200])
@pytest.mark.parametrize("error_type,kind", sorted(PROVIDER_ERROR_TYPE.items()))
def test_inside_a_stream_the_error_says_whose_failure_it_is(
    status: int | None, error_type: str, kind: FailureKind
) -> None:
    """An `error` event in a stream of status 200 is classified by its own type."""
    found = failed(status, error_type)
    assert (found.failure.kind, found.retry) == (kind, kind == "transient")


@pytest.mark.parametrize("error_type", ["connection_error", "broken_answer", "from_the_future", "", None])
def test_an_unknown_error_without_a_status_may_be_cured_by_another_attempt(error_type: str | None) -> None:
    """Lost connections, broken answers and errors that nobody knows yet are tried again."""
    assert failed(None, error_type).failure.kind == "transient"
    assert failed(None, error_type).retry


def test_the_status_counts_more_than_the_body() -> None:
    """A gateway's 529 with the body of another error is an overload."""
    assert failed(529, "invalid_request_error").failure.kind == "transient"
    assert failed(400, "overloaded_error").failure.kind == "fatal"


def test_a_too_large_request_needs_no_json_to_be_understood() -> None:
    """A proxy answers 413 with HTML and without an error's type: still a limit, for the next rung."""
    found = failed(413, None, "<html><head><title>413 Request Entity Too Large</title></head></html>")
    assert (found.failure.kind, found.retry) == ("limit", False)


@pytest.mark.parametrize("message", ["prompt is too long: 210000 tokens > 200000", "Input is TOO LONG"])
def test_a_context_that_is_too_long_is_a_limit(message: str) -> None:
    """It comes as a 400, and a rung with a larger window may do."""
    assert failed(400, "invalid_request_error", message).failure.kind == "limit"
    assert failed(None, "invalid_request_error", message).failure.kind == "limit"
    assert failed(401, None, message).failure.kind == "credentials"


@pytest.mark.parametrize(
    "headers,seconds",
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "86400"}, RETRY_AFTER_CAP_SECONDS),
        ({"retry-after": "inf"}, RETRY_AFTER_CAP_SECONDS),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "Fri, 21 Nov 2026 07:28:00 GMT"}, None),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after-ms": "-5", "retry-after": "9"}, 9.0),
    ],
)
def test_a_provider_may_ask_for_a_delay(headers: dict[str, str], seconds: float | None) -> None:
    """`retry-after` is honoured up to a minute; what cannot be read counts for nothing."""
    assert retry_after(headers) == seconds
    assert failed(429, **headers).retry_after == seconds


@pytest.mark.parametrize("status", [None, 200])
def test_headers_of_an_answer_with_status_200_count_for_nothing(status: int | None) -> None:
    """Good answers carry `retry-after` too: neither it nor `x-should-retry` speaks of the error within."""
    found = failed(status, "overloaded_error", retry_after="30", x_should_retry="false")
    assert (found.retry, found.retry_after) == (True, None)


@pytest.mark.parametrize(
    "status,said,retried",
    [
        (429, "false", False),
        (500, "false", False),
        (400, "true", True),
        (404, "true", True),
        (401, "true", False),
        (403, "true", False),
        (400, "maybe", False),
        (429, "maybe", True),
    ],
)
def test_a_provider_may_say_whether_to_try_again(status: int, said: str, *, retried: bool) -> None:
    """`x-should-retry` decides, except that wrong credentials stay wrong."""
    assert failed(status, x_should_retry=said).retry is retried


@given(
    st.none() | st.integers(100, 999),
    st.none() | hostile_texts,
    hostile_texts,
    st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "x-should-retry"]), hostile_texts),
)
def test_every_answer_is_classified(
    status: int | None, error_type: str | None, message: str, headers: dict[str, str]
) -> None:
    """No status, body or header makes the classification raise, and no delay exceeds the cap."""
    found = provider_failure(status=status, error_type=error_type, message=message * 99, headers=headers)
    assert found.failure.kind in KINDS
    assert len(found.failure.message) <= 1000
    assert found.retry_after is None or 0 <= found.retry_after <= RETRY_AFTER_CAP_SECONDS


@pytest.mark.parametrize("kind", KINDS)
def test_only_a_write_whose_answer_may_be_lost_may_have_happened(kind: FailureKind) -> None:
    """A read never has an effect, nor has what never began; of writes, those after an ambiguous failure."""
    failure = Failure(kind=kind, message="")
    assert may_have_happened(failure, writes=True, started=True) is (kind in AMBIGUOUS)
    assert not may_have_happened(failure, writes=False, started=True)
    assert not may_have_happened(failure, writes=True, started=False)


def test_what_a_tool_has_understood_is_not_ambiguous() -> None:
    """A tool that says whose failure it is says too that nothing happened."""
    assert frozenset({"transient", "unclassified", "unknown_outcome"}) == AMBIGUOUS
