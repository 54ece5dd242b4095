"""activities/failing.py: whether an attempt that was not begun means that nothing has happened."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.failing import NOT_BEGUN, application_error
from holdfast.contracts.calls import Failure
from holdfast.contracts.names import NOT_STARTED

FAILURE = Failure(kind="transient", message="held", error="BreakerOpen")


def failed(attempt: int, said: Any, *, started: bool) -> tuple[ApplicationError, list[Any]]:
    """What this attempt fails with, and the heartbeats that it leaves to the next one."""
    environment, beats = ActivityEnvironment(), list[Any]()
    details = [] if said is None else [said]
    environment.info = dataclasses.replace(environment.info, attempt=attempt, heartbeat_details=details)
    environment.on_heartbeat = lambda *given: beats.append(given[0])
    error = environment.run(lambda: application_error(FAILURE, retry=True, started=started))
    return error, beats


@pytest.mark.parametrize(
    "attempt,said,nothing_happened",
    [
        (1, None, True),
        (2, {NOT_BEGUN: 1}, True),
        (5, {NOT_BEGUN: 4}, True),
        (2, None, False),
        (3, {NOT_BEGUN: 1}, False),
        (2, {"step": 1, "sent": 1}, False),
        (2, "1", False),
    ],
    ids=str,
)
def test_nothing_happened_where_no_attempt_has_begun(
    attempt: int, said: Any, *, nothing_happened: bool
) -> None:
    """Each attempt knows of those before it by what the last one left; one that left nothing may have begun."""
    error, beats = failed(attempt, said, started=False)
    assert (error.type == NOT_STARTED) is nothing_happened
    assert beats == ([{NOT_BEGUN: attempt}] if nothing_happened else [])
    assert Failure.model_validate(error.details[0]).earlier_attempt is not nothing_happened


def test_an_attempt_that_began_leaves_no_such_word() -> None:
    """The next attempt is not told that nothing has happened."""
    error, beats = failed(2, {NOT_BEGUN: 1}, started=True)
    assert (error.type, beats) == ("transient", [])
    assert not Failure.model_validate(error.details[0]).earlier_attempt
