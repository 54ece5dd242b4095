"""Alerts: what people are told who look after runs."""

from typing import Literal

from holdfast.contracts.base import Contract
from holdfast.contracts.calls import FailureKind
from holdfast.contracts.health import FindingKind, Severity
from holdfast.contracts.requests import RequestKind

AlertFormat = Literal["json", "slack"]
"""The fields of `Alert` as they are; one text, as incoming webhooks of Slack and of chat tools like it take it."""

AlertEvent = Literal["run_parked", "failure", "finding", "request_waits", "request_escalated"]
"""A run has parked; something failed that a person must mend, and the run goes on; a scheduled check has found something; a request waits for long; it now waits for others too."""


class Alert(Contract):
    """Something that a person should know of. It holds nothing of a run's task, its arguments or what its model said."""

    event: AlertEvent = "run_parked"
    fingerprint: str
    """Equal for what has the same cause: of those there is one alert, and then quiet."""
    run: str = ""
    """The run that was stopped first, or that it is about; more may have followed. Empty: it is about none."""
    agent: str = ""
    where: str
    """What failed: `planner claude-sonnet-5`, or a tool's name. Of a finding its subject, of a request who is asked."""
    kind: FailureKind | FindingKind | RequestKind
    """Of the failure, the finding or the request."""
    error: str = ""
    """The type of the error, such as `overloaded_error`."""
    message: str
    """The error's message, shortened; or what was found, or waits."""
    parked_at: str = ""
    """When the run parked: ISO 8601, UTC."""
    severity: Severity | None = None
    """Of a finding."""
    helps: str = ""
    """What to do, where the event does not say it."""
    commands: tuple[str, ...] = ()
    """To be run as they are, where the event does not say them."""
    more: int = 0
    """How many other runs the same has happened to: since the last alert of it, or in the same check."""
    quiet_until: str = ""
    """ISO 8601, UTC: the alert has been sent, and there is quiet about it until then. For the alert's own use."""


class AlertOutcome(Contract):
    """What became of an alert."""

    sent_to: str = ""
    """The webhook's host; empty: it was not sent."""
    quiet_seconds: float = 0.0
    """For so long no other alert is sent for the same fingerprint."""
    problem: str = ""
    """Why it could not be sent. What raises it next tries again."""
