"""What the doctor finds: how the server, the task queues and the runs are, what is wrong, and what helps."""

from datetime import datetime
from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from holdfast.contracts.base import Contract
from holdfast.contracts.names import TASK_QUEUE

FindingKind = Literal[
    "retention_short",
    "search_attributes_missing",
    "no_worker",
    "backlog",
    "no_progress",
    "task_failures",
    "breaker_open",
    "budget_exhausted",
    "artifacts_unreachable",
    "check_silent",
]

Severity = Literal["warning", "problem"]
"""A warning: things go on, but not as they should. A problem: something does not go on until somebody acts."""

CheckStatus = Literal["ok", "warning", "problem", "unknown"]
"""Unknown: it could not be looked at, and the text says why."""

QueueKind = Literal["workflow", "activity"]


class HealthSettings(Contract):
    """What a check looks at, and from when on it is a finding. The one argument of the workflow `HealthCheck`."""

    task_queue: str = TASK_QUEUE
    """Looked at even while no run is on it; beside it all queues on which there are open runs."""
    no_progress_seconds: PositiveFloat = 900.0
    """A run that nobody is asked about, and whose last event is older, makes no progress."""
    silent_seconds: PositiveFloat = 120.0
    """A call under way that has given no sign of life for so long does not count as progress."""
    backlog_age_seconds: PositiveFloat = 30.0
    """A task that has waited longer for a worker is too old: there are too few workers."""
    retention_seconds: PositiveFloat = 3 * 86400.0
    """Closed runs that are kept for less cannot be looked into after a weekend."""
    runs_at_most: PositiveInt = 500
    """So many open runs are looked at in one check; the report says when there are more."""


class QueueHealth(Contract):
    """A task queue as the server sees it: what an autoscaler needs."""

    name: str
    kind: QueueKind
    pollers: int
    """Workers that ask for work on it."""
    backlog: int
    """Tasks that wait for a worker, as the server counts them: approximately."""
    age_seconds: float
    """How long the oldest of them has waited."""
    waiting: int = 0
    """Open runs that need it to go on, of those looked at."""


class Finding(Contract):
    """One thing that is wrong, what helps, and the command for it."""

    kind: FindingKind
    severity: Severity
    subject: str
    """A task queue, a run, a dependency, an account, or the server's namespace."""
    text: str
    helps: str
    command: str = ""
    """To be run as it is; a `holdfast` command takes the server options that the doctor was given."""


class HealthCheckLine(Contract):
    """One line of the report: a thing that was looked at, and how it is."""

    name: str
    status: CheckStatus
    text: str


class HealthReport(Contract):
    """What a check found. The result of the workflow `HealthCheck`, and what `holdfast doctor --json` prints."""

    at: datetime
    checks: tuple[HealthCheckLine, ...]
    queues: tuple[QueueHealth, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Problems first."""
    left_out: int = 0
    """Findings beyond those that a report holds."""
