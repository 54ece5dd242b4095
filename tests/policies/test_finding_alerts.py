"""Of which findings people are alerted, and which of them are one alert."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from holdfast.contracts.alerts import Alert
from holdfast.contracts.health import Finding, HealthReport
from policies.alerts import body, summary
from policies.finding_alerts import ALERTS_AT_MOST, fingerprint_of, of_report

NO_WORKER = Finding(
    kind="no_worker",
    severity="problem",
    subject="billing",
    text="No worker asks for workflow tasks on task queue billing; 2 open runs wait for one.",
    helps="Start one. What waits goes on by itself.",
    command="holdfast worker MODULE --task-queue billing",
)


def stuck(run: str, why: str = "no such timer", idle: str = "20 min") -> Finding:
    """A run that makes no progress."""
    return Finding(
        kind="no_progress",
        severity="warning",
        subject=run,
        text=f"Run {run} makes no progress. No event for {idle}. {why}",
        helps="Look.",
        command=f"holdfast show {run}",
    )


def alerts(*findings: Finding) -> list[Alert]:
    """The alerts of a check that found these."""
    return of_report(HealthReport(at=datetime(2026, 11, 26, tzinfo=UTC), checks=(), findings=findings))


def test_a_cause_is_one_alert_however_many_runs_it_stops() -> None:
    """The first run is named and the others are counted; another cause is another alert, and so is a task queue."""
    found = alerts(NO_WORKER, stuck("alpha"), stuck("beta", idle="3 h"), stuck("gamma", "crm is silent"))
    assert [(one.kind, one.run, one.more) for one in found] == [
        ("no_worker", "", 0),
        ("no_progress", "alpha", 1),
        ("no_progress", "gamma", 0),
    ]


def test_found_again_later_it_is_the_same() -> None:
    """However long it lasts, and with other numbers: no alert in the quiet time repeats it."""
    assert len({fingerprint_of(stuck("alpha", idle=idle)) for idle in ("900 s", "20 min", "3 h", "4 d")}) == 1
    waits = NO_WORKER.model_copy(update={"text": "No worker …; 3 open runs wait for one."})
    assert fingerprint_of(waits) == fingerprint_of(NO_WORKER)
    assert fingerprint_of(waits.model_copy(update={"subject": "crm"})) != fingerprint_of(NO_WORKER)


@pytest.mark.parametrize(
    "kind,severity,alerted",
    [
        ("search_attributes_missing", "problem", True),
        ("artifacts_unreachable", "problem", True),
        ("breaker_open", "warning", True),
        ("backlog", "warning", True),
        ("retention_short", "warning", False),
        ("budget_exhausted", "warning", False),  # those who wait for it ask
        ("no_worker", "warning", False),  # nothing waits for one
    ],
)
def test_nobody_is_woken_for_what_holds_no_run_up(kind: str, severity: str, alerted: bool) -> None:
    """Problems, and those warnings that slow runs down."""
    finding = NO_WORKER.model_copy(update={"kind": kind, "severity": severity})
    assert len(alerts(finding)) == alerted


def test_a_check_sends_a_bounded_number() -> None:
    """Whatever is wrong; the report and the log hold the rest."""
    found = alerts(*(NO_WORKER.model_copy(update={"subject": f"queue-{chr(97 + n)}"}) for n in range(26)))
    assert len(found) == ALERTS_AT_MOST


def test_it_says_what_is_wrong_and_what_to_do() -> None:
    """To people in a chat and to programs; of runs that are alike, how many."""
    (alert,) = alerts(NO_WORKER)
    assert body(alert, "slack", alert_id="a-1", quiet_seconds=3600.0)["text"].splitlines() == [
        "*holdfast doctor: no worker, billing*",
        "> No worker asks for workflow tasks on task queue billing; 2 open runs wait for one.",
        "Start one. What waits goes on by itself. No other alert of this cause for 1 h.",
        "```holdfast worker MODULE --task-queue billing",
        "holdfast doctor```",
    ]
    assert body(alert, "json", alert_id="a-1", quiet_seconds=0.0) == {
        "event": "finding",
        "id": "a-1",
        "fingerprint": alert.fingerprint,
        "where": "billing",
        "kind": "no_worker",
        "error": "",
        "message": NO_WORKER.text,
        "severity": "problem",
        "helps": NO_WORKER.helps,
        "more": 0,
        "quiet_seconds": 0.0,
        "commands": [NO_WORKER.command, "holdfast doctor"],
    }
    assert summary(alerts(stuck("alpha"), stuck("beta"))[0]) == (
        "holdfast doctor: no progress, alpha, and 1 like it"
    )
