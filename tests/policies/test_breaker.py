"""Circuit breakers: when a dependency is left alone, and when it is tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.breakers import Breaker, BreakerEvent, BreakerReport
from holdfast.contracts.calls import Failure, FailureKind
from policies import breaker

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def report(event: BreakerEvent, *, trial: int | None = None, why: str = "503") -> BreakerReport:
    """A report about the one dependency of these tests."""
    return BreakerReport(dependency="crm", event=event, trial=trial, why=why)


def opened() -> Breaker:
    """A breaker after five failures in a row."""
    known = Breaker(dependency="crm")
    for _ in range(5):
        known = breaker.after(known, report("failed"), NOW).breaker
    return known


def test_it_opens_at_the_fifth_failure_in_a_row() -> None:
    """Four failures change nothing for callers, the fifth holds all calls for a minute."""
    known = Breaker(dependency="crm")
    states = []
    for _ in range(5):
        known = breaker.after(known, report("failed"), NOW).breaker
        states.append(known.state)
    assert states == ["closed"] * 4 + ["open"]
    assert known.until == NOW + timedelta(seconds=60)


def test_a_success_between_failures_starts_the_count_again() -> None:
    """Only failures in a row count."""
    known = Breaker(dependency="crm")
    for event in ("failed", "failed", "failed", "failed", "succeeded", "failed"):
        known = breaker.after(known, report(event), NOW).breaker
    assert (known.state, known.failures) == ("closed", 1)


def test_one_trial_is_granted_when_its_minute_is_over() -> None:
    """Before that nobody is granted one, and after that one caller only."""
    known = opened()
    assert breaker.after(known, report("ask"), NOW + timedelta(seconds=59)).trial is None
    granted = breaker.after(known, report("ask"), NOW + timedelta(seconds=60))
    assert (granted.trial, granted.breaker.state) == (1, "half_open")
    refused = breaker.after(granted.breaker, report("ask"), NOW + timedelta(seconds=61))
    assert refused.trial is None


@pytest.mark.parametrize("event, state", [("succeeded", "closed"), ("failed", "open")])
def test_the_trial_decides(event: BreakerEvent, state: str) -> None:
    """A trial that succeeds lets all calls through again, one that fails holds them for another minute."""
    later = NOW + timedelta(seconds=60)
    granted = breaker.after(opened(), report("ask"), later)
    assert breaker.after(granted.breaker, report(event, trial=granted.trial), later).breaker.state == state


def test_a_trial_that_is_never_heard_of_is_replaced() -> None:
    """A worker may die with its trial; a minute later another caller is granted one."""
    granted = breaker.after(opened(), report("ask"), NOW + timedelta(seconds=60)).breaker
    assert breaker.after(granted, report("ask"), NOW + timedelta(seconds=121)).trial == 2


@pytest.mark.parametrize("event", ["failed", "succeeded"])
def test_calls_that_began_before_it_opened_say_nothing_new(event: BreakerEvent) -> None:
    """What ends late changes neither the state nor the time of the next trial."""
    known = opened()
    assert breaker.after(known, report(event), NOW + timedelta(seconds=5)).breaker == known


def test_a_person_may_close_it() -> None:
    """A reset closes it from any state, and says who did it."""
    closed = breaker.after(opened(), report("reset", why="dana"), NOW).breaker
    assert (closed.state, closed.failures, closed.reset_by) == ("closed", 0, "dana")


@pytest.mark.parametrize(
    "kind, error, counts",
    [
        ("transient", "overloaded_error", True),
        ("unclassified", "KeyError", True),
        ("correctable", "NotFound", False),
        ("credentials", "401", False),
        ("fatal", "400", False),
        ("transient", "BreakerOpen", None),
        ("transient", "LeaseLost", None),
    ],
)
def test_only_what_speaks_against_the_service_counts(
    kind: FailureKind, error: str, counts: bool | None
) -> None:
    """A refusal shows that the service lives; the engine's own errors say nothing of it."""
    assert breaker.failure_counts(Failure(kind=kind, message="m", error=error)) is counts


EVENTS = st.lists(st.tuples(st.sampled_from(["failed", "succeeded", "ask"]), st.integers(0, 90)), max_size=60)


@given(EVENTS)
def test_no_more_calls_are_made_than_promised(events: list[tuple[BreakerEvent, int]]) -> None:
    """Whatever happens, two trials are at least a trial's time apart, and none is made while it is open."""
    known, now, granted = Breaker(dependency="crm"), NOW, None
    for event, seconds in events:
        now += timedelta(seconds=seconds)
        before = known
        answer = breaker.after(known, report(event), now)
        known = answer.breaker
        if answer.trial is not None:
            assert before.state in ("open", "half_open")
            assert before.until is not None
            assert now >= before.until
            assert granted is None or now - granted >= timedelta(seconds=60)
            granted = now
        assert known.version - before.version in (0, 1)


@given(EVENTS)
def test_a_wait_is_never_without_end(events: list[tuple[BreakerEvent, int]]) -> None:
    """A caller that is held comes again within a minute, and not at once."""
    known, now = Breaker(dependency="crm"), NOW
    for event, seconds in events:
        now += timedelta(seconds=seconds)
        known = breaker.after(known, report(event), now).breaker
        assert 1.0 <= breaker.wait_seconds(known, now) <= 60.0
