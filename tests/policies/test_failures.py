"""policies/failures.py: each failure of a provider or a tool has one owner."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.calls import Failure, FailureCategory, FailureKind
from holdfast.errors import Correctable, Fatal, Transient, Unauthorised
from policies.failures import (
    AMBIGUOUS,
    CATEGORY,
    CATEGORY_OF_ERROR,
    HAPPENED,
    NOT_COUNTED,
    PROVIDER_ERROR_TYPE,
    PROVIDER_STATUS,
    RETRY_AFTER_CAP_SECONDS,
    TOOL_ERRORS,
    FailureSource,
    ProviderFailure,
    categorised,
    may_have_happened,
    provider_failure,
    retry_after,
    tool_failure_kind,
    with_the_doubt,
)
from tests.documents import ROOT
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
    lost = failure.model_copy(update={"earlier_attempt": True})
    assert may_have_happened(lost, writes=True, started=True) is (kind not in HAPPENED)
    assert not may_have_happened(lost, writes=False, started=True)
    assert not may_have_happened(lost, writes=True, started=False)


def test_what_a_tool_has_understood_is_not_ambiguous() -> None:
    """A tool that says whose failure it is says too that nothing happened."""
    assert frozenset({"transient", "unclassified", "unknown_outcome"}) == AMBIGUOUS


@pytest.mark.parametrize("kind", KINDS)
def test_the_doubt_about_a_lost_attempt_is_said(kind: FailureKind) -> None:
    """What a later attempt said is not passed on as if it held for all of them."""
    told = with_the_doubt(Failure(kind=kind, message="no such order", earlier_attempt=True))
    assert told.kind in AMBIGUOUS
    assert (told.message == "no such order") is (kind in AMBIGUOUS)
    assert told.message.endswith("no such order")


class Odd(ConnectionResetError):
    """A library's own."""


@pytest.mark.parametrize(
    "error,kind",
    [
        (Transient("busy"), "transient"),
        (Correctable("no"), "correctable"),
        (Unauthorised("who?"), "credentials"),
        (Fatal("never"), "fatal"),
        (TimeoutError(), "transient"),
        (Odd(), "transient"),
        (ValueError("a bug"), "unclassified"),
        (OSError("disk"), "unclassified"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_the_class_of_a_tools_error_says_whose_it_is(error: Exception, kind: FailureKind) -> None:
    """Its own classes and what they derive from; everything else is nobody's yet."""
    assert tool_failure_kind(error) == kind


@pytest.mark.parametrize("source", get_args(FailureSource))
@pytest.mark.parametrize("kind", KINDS)
def test_every_failure_is_counted_as_something(source: FailureSource, kind: FailureKind) -> None:
    """Wherever it comes from and whatever it is; an error with a category of its own keeps that."""
    assert categorised(Failure(kind=kind, message=""), source).category == CATEGORY[source][kind]
    for error, category in CATEGORY_OF_ERROR.items():
        assert categorised(Failure(kind=kind, message="", error=error), source).category == category


@pytest.mark.parametrize("error", sorted(NOT_COUNTED))
def test_a_limit_of_money_and_a_persons_word_are_no_failures(error: str) -> None:
    """They are told as the reason of a fall, and not counted."""
    assert categorised(Failure(kind="limit", message="", error=error), "planner").category is None


def test_every_category_is_used() -> None:
    """None of the five is an empty word."""
    used = {*CATEGORY_OF_ERROR.values(), *(c for kinds in CATEGORY.values() for c in kinds.values())}
    assert used == set(get_args(FailureCategory))


def cells(page: str, heads: str) -> list[list[list[str]]]:
    """The rows below a table's head: of each cell the words in code, or its text."""
    table = page.split(f"| {heads} |\n", 1)[1].split("\n\n", 1)[0].splitlines()[1:]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table]
    return [[re.findall(r"`([^`]+)`", cell) or cell.split(", ") for cell in row] for row in rows]


def test_the_page_of_errors_holds_these_tables() -> None:
    """docs/reference/errors.md says of every status, error type, exception and category what the policy says."""
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    status = {int(one): kind[0] for row in cells(page, "status | kind") for one in row[0] for kind in row[1:]}
    assert status == PROVIDER_STATUS
    types = {one: kinds[0] for named, kinds in cells(page, "error type | kind") for one in named}
    assert types == PROVIDER_ERROR_TYPE
    raised = {one: kinds[0] for named, kinds in cells(page, "exception | kind") for one in named}
    assert raised == {known.__name__: kind for known, kind in TOOL_ERRORS}
    owned = [kinds[0] for kinds, _ in cells(page, "kind | who acts")]
    assert tuple(owned) == KINDS
    counted: dict[str, dict[str, str]] = {}
    for source, kinds, category in cells(page, "source | kind | category"):
        counted.setdefault(source[0], {}).update(dict.fromkeys(kinds, category[0]))
    assert counted == CATEGORY
    own = {error[0]: category[0] for error, category, _ in cells(page, "error | category | what it is")}
    assert own == CATEGORY_OF_ERROR
