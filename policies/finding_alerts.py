"""Of which findings are people alerted, and which are the same?

A scheduled check finds the same again every few minutes, and a bad release stops a hundred runs in one way. An alert is of a
cause: a task queue without a worker is one, and so are all runs whose workflow task fails with the same words.
"""

import re
from collections.abc import Iterable

from holdfast.contracts.alerts import Alert
from holdfast.contracts.digests import digest
from holdfast.contracts.health import Finding, FindingKind, HealthReport
from policies.alerts import MAX_MESSAGE_CHARS
from policies.fingerprints import FINGERPRINT_CHARS, normalised
from policies.json_safety import brief

ALERTS_AT_MOST = 20
"""Of one check. The rest stands in its report and in the log."""

OF_RUNS: frozenset[FindingKind] = frozenset({"no_progress", "task_failures"})
"""What is found of runs, of which one cause may stop many."""

ALERTED_WARNINGS: frozenset[FindingKind] = frozenset({"no_progress", "backlog", "breaker_open"})
"""Warnings that hold runs up. Others can wait for the morning, or open requests of their own."""

_SPAN = re.compile(r"\b\d+ (?:s|min|h|d)\b")


def of_report(report: HealthReport) -> list[Alert]:
    """The alerts of a check: one for each cause, problems first."""
    found: dict[str, Alert] = {}
    for one in _alerted(report.findings):
        cause = fingerprint_of(one)
        known = found.get(cause)
        found[cause] = known.model_copy(update={"more": known.more + 1}) if known else _alert(one, cause)
    return list(found.values())[:ALERTS_AT_MOST]


def fingerprint_of(finding: Finding) -> str:
    """Twelve hex digits that stand for a cause, however often and at whatever age it is found."""
    about = finding.subject
    if finding.kind in OF_RUNS:
        about = normalised(_SPAN.sub("#", finding.text.replace(finding.subject, "#")))
    return digest([finding.kind, about])[:FINGERPRINT_CHARS]


def _alerted(findings: Iterable[Finding]) -> Iterable[Finding]:
    return (one for one in findings if one.severity == "problem" or one.kind in ALERTED_WARNINGS)


def _alert(finding: Finding, cause: str) -> Alert:
    return Alert(
        event="finding",
        fingerprint=cause,
        run=finding.subject if finding.kind in OF_RUNS else "",
        where=finding.subject,
        kind=finding.kind,
        message=brief(finding.text, MAX_MESSAGE_CHARS),
        severity=finding.severity,
        helps=finding.helps,
        commands=tuple(command for command in (finding.command, "holdfast doctor") if command),
    )
