"""What is a finding, and what is only a run at work or with a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.accounts import AccountView
from holdfast.contracts.breakers import Breaker
from holdfast.contracts.health import HealthSettings, QueueHealth
from policies.health import FINDINGS_AT_MOST, PendingCall, RunSeen, ScheduleSeen, Seen, examine, span

NOW = datetime(2026, 11, 26, 4, 0, tzinfo=UTC)
SETTINGS = HealthSettings()


def ago(seconds: float) -> datetime:
    """A moment before now."""
    return NOW - timedelta(seconds=seconds)


def queue(kind: str = "workflow", name: str = "holdfast", pollers: int = 1, **more: float) -> QueueHealth:
    """A task queue that is served."""
    values = {"name": name, "kind": kind, "pollers": pollers, "backlog": 0, "age_seconds": 0.0, **more}
    return QueueHealth.model_validate(values)


SERVED = (queue(), queue("activity"))
WELL = Seen(
    namespace="default",
    version="1.32.0",
    retention=timedelta(days=30),
    queues=SERVED,
    working=2,
    breakers=(("holdfast", Breaker(dependency="crm")),),
    artifacts="/var/artifacts",
    schedule=ScheduleSeen(timedelta(minutes=5), ago(10_000), ago(200)),
)


def account(spent: str, *waiting: str) -> AccountView:
    """An account of a dollar a day."""
    return AccountView(
        account="user/ana", day="2026-11-26", limit_usd=Decimal(1), set_by="", spent_usd=Decimal(spent),
        presumed_usd=Decimal(0), reserved_usd=Decimal(0), waiting=list(waiting),
    )  # fmt: skip


def idle(*calls: PendingCall, **more: object) -> RunSeen:
    """A run without an event for twenty minutes."""
    values = {"run": "ticket-88", "queue": "holdfast", "last_event_at": ago(1200), "calls": calls, **more}
    return RunSeen(**values)  # type: ignore[arg-type]  # what a test says


def test_when_all_is_well_there_is_no_finding() -> None:
    """Each thing that was looked at has a line, and all are ok."""
    report = examine(WELL, SETTINGS, NOW)
    assert report.findings == ()
    assert {line.status for line in report.checks} == {"ok"}
    parked = examine(replace(WELL, at_rest=7, parked=3), SETTINGS, NOW).checks[3].text
    assert parked == "2 at work, 7 with a person (3 parked: `holdfast parked groups`)"
    assert {line.name: line.text for line in report.checks}["schedule"] == "every 5 min, last 3 min ago"


OPEN_BREAKER = Breaker(dependency="crm", state="open", failures=5, last_failure="503")
FAILING = {
    "task_attempt": 7,
    "task_waits_since": ago(1100),
    "failure_cause": "NON_DETERMINISTIC_ERROR",
    "failure": "no such timer",
}


@pytest.mark.parametrize(
    "seen,kind,severity,words,command",
    [
        ({"retention": timedelta(days=1)}, "retention_short", "warning", "24 h", "--retention 720h"),
        (
            {"missing_attributes": ("RunUser",)}, "search_attributes_missing", "problem", "RunUser",
            "holdfast doctor --fix",
        ),
        (
            {"queues": (queue(pollers=0, waiting=2), queue("activity", pollers=0, waiting=2))}, "no_worker", "problem",
            "2 open runs wait for one", "holdfast worker MODULE --task-queue holdfast",
        ),
        ({"queues": (queue(pollers=0),)}, "no_worker", "warning", "nothing waits for one", "holdfast worker"),
        (
            {"queues": (*SERVED, queue("activity", "crm", 0, backlog=1))}, "no_worker", "problem",
            "1 task waits for one", "--task-queue crm",
        ),
        (
            {"queues": (queue(backlog=40, age_seconds=61.0),)}, "backlog", "warning",
            "40 workflow tasks have waited up to 61 s on task queue holdfast, for 1 worker", "--concurrency",
        ),
        (
            {"runs": (idle(**FAILING),)}, "task_failures", "problem",
            "decides otherwise than the run's history says. no such timer", "holdfast replay ticket-88",
        ),
        (
            {"runs": (idle(**{**FAILING, "failure_cause": "WORKFLOW_WORKER_UNHANDLED_FAILURE"}),)}, "task_failures",
            "problem", "UNHANDLED_FAILURE): no such timer", "holdfast replay ticket-88",
        ),
        ({"runs": (idle(),)}, "no_progress", "problem", "asks nobody", "holdfast show ticket-88"),
        (
            {"runs": (idle(task_waits_since=ago(1200), task_attempt=1),)}, "no_progress", "problem",
            "has waited for 20 min, though workers ask", "temporal workflow describe --workflow-id ticket-88",
        ),
        (
            {"runs": (idle(PendingCall("dig", "started", alive_at=ago(1100))),)}, "no_progress", "warning",
            "no sign of life for 18 min", "holdfast show ticket-88",
        ),
        (
            {"runs": (idle(PendingCall("dig", "scheduled", 4, 5, last_failure="refused")),)}, "no_progress",
            "warning", "attempt 4 of 5: refused", "holdfast show ticket-88",
        ),
        ({"runs": (idle(PendingCall("dig", "paused")),)}, "no_progress", "warning", "by an operator", "holdfast show"),
        (
            {"breakers": (("billing", OPEN_BREAKER),)}, "breaker_open", "warning", "crm is open, on task queue billing",
            "holdfast breakers --reset crm --task-queue billing",
        ),
        (
            {"accounts": (account("1.00", "a", "b"),)}, "budget_exhausted", "warning", "2 runs wait",
            "holdfast budgets set user/ana 2",
        ),
        ({"artifacts_problem": "403"}, "artifacts_unreachable", "problem", "403", ""),
        (
            {"schedule": ScheduleSeen(timedelta(minutes=5), ago(9000), ago(3000))}, "check_silent", "warning",
            "started 50 min ago", "holdfast worker MODULE",
        ),
    ],
)  # fmt: skip
def test_each_finding_says_what_is_wrong_and_the_command_that_helps(
    seen: dict[str, object], kind: str, severity: str, words: str, command: str
) -> None:
    """One thing is wrong: one finding, on the line of what was looked at."""
    report = examine(replace(WELL, **seen), SETTINGS, NOW)  # type: ignore[arg-type]  # what the table says
    (found,) = report.findings
    assert (found.kind, found.severity) == (kind, severity)
    assert words in found.text
    assert command in found.command
    assert found.helps
    assert [line.status for line in report.checks if line.status != "ok"] == [severity]


@pytest.mark.parametrize(
    "seen",
    [
        {"runs": (idle(last_event_at=ago(60)),)},  # a minute is no time
        {"runs": (idle(PendingCall("dig", "started", alive_at=ago(5))),)},  # a long call that heartbeats
        {"runs": (idle(PendingCall("a", "started", alive_at=ago(5)), PendingCall("b", "paused")),)},
        {
            "runs": (idle(task_waits_since=ago(5), task_attempt=2),),
            "working": 0,
            "queues": (queue(pollers=1),),
        },
        {"accounts": (account("0.99"),)},
        {"queues": (queue(backlog=40, age_seconds=3.0),)},
        {"schedule": None},
        {"schedule": ScheduleSeen(timedelta(minutes=5), ago(9000), None, paused=True)},
    ],
)
def test_what_goes_on_by_itself_is_no_finding(seen: dict[str, object]) -> None:
    """Long calls that are alive, short waits and a check that was paused are left in peace."""
    if "runs" in seen and seen["runs"][0].task_attempt:  # type: ignore[index]  # a failed task that has just been tried
        seen = {**seen, "runs": (replace(seen["runs"][0], last_event_at=ago(5)),)}  # type: ignore[index]
    assert examine(replace(WELL, **seen), SETTINGS, NOW).findings == ()  # type: ignore[arg-type]


def test_runs_of_an_unserved_queue_are_told_once() -> None:
    """The task queue has a finding; not each of the runs and calls that wait for it."""
    waiting = idle(task_waits_since=ago(1200), task_attempt=1)
    call = idle(PendingCall("geo", "scheduled", queue="far"))
    queues = (queue(pollers=0, waiting=1), queue("activity", "far", pollers=0, waiting=1))
    report = examine(replace(WELL, queues=queues, runs=(waiting, call)), SETTINGS, NOW)
    assert [one.kind for one in report.findings] == ["no_worker", "no_worker"]


def test_what_could_not_be_looked_at_is_unknown_not_ok() -> None:
    """A part that failed says why, and the rest of the report stands."""
    report = examine(replace(WELL, unknown={"breakers": "no worker answers"}), SETTINGS, NOW)
    (line,) = [line for line in report.checks if line.status != "ok"]
    assert (line.name, line.status, line.text) == ("breakers", "unknown", "no worker answers")


@given(st.integers(0, 300), st.booleans())
def test_a_report_is_bounded_and_names_problems_first(number: int, breaker: bool) -> None:
    """However much is wrong, a report holds a hundred findings and says how many more there are."""
    runs = tuple(idle(run=f"run-{at}") for at in range(number))
    breakers = (("holdfast", OPEN_BREAKER),) if breaker else ()
    report = examine(replace(WELL, runs=runs, breakers=breakers), SETTINGS, NOW)
    assert len(report.findings) + report.left_out == number + breaker
    assert len(report.findings) <= FINDINGS_AT_MOST
    severities = [one.severity for one in report.findings]
    assert severities == sorted(severities)


@pytest.mark.parametrize(
    "seconds,words",
    [(0, "0 s"), (-3, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (864000, "10 d")],
)
def test_lengths_of_time_are_rough(seconds: float, words: str) -> None:
    """Two units of the larger size are told in it."""
    assert span(seconds) == words
