"""Alerts: what operators are told when a run parks."""

from typing import Literal

from holdfast.contracts.base import Contract
from holdfast.contracts.calls import FailureKind

AlertFormat = Literal["json", "slack"]
"""The fields of `Alert` as they are; one text, as incoming webhooks of Slack and of chat tools like it take it."""


class Alert(Contract):
    """A run has parked. It holds nothing of the run's task, its arguments or what its model said."""

    fingerprint: str
    """Equal for runs that were stopped by the same cause."""
    run: str
    """The run that was stopped first; more may have followed."""
    agent: str
    where: str
    """What failed: `planner claude-sonnet-5`, or a tool's name."""
    kind: FailureKind
    error: str = ""
    """The type of the error, such as `overloaded_error`."""
    message: str
    """The error's message, shortened."""
    parked_at: str
    """ISO 8601, UTC."""


class AlertOutcome(Contract):
    """What became of an alert."""

    sent_to: str = ""
    """The webhook's host; empty: it was not sent."""
    quiet_seconds: float = 0.0
    """For so long no other alert is sent for the same fingerprint."""
    problem: str = ""
    """Why it could not be sent. The next run that parks for this cause tries again."""
