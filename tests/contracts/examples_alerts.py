"""Values of what is told when a run parks."""

from __future__ import annotations

from pydantic import BaseModel

from holdfast.contracts.alerts import Alert, AlertOutcome

EXAMPLES: dict[str, BaseModel] = {
    "Alert": Alert(
        event="finding",
        fingerprint="0123456789ab",
        run="ticket-88",
        agent="cloud-costs",
        where="planner claude-sonnet-5",
        kind="transient",
        error="overloaded_error",
        message="Overloaded",
        parked_at="2026-11-21T03:00:00.000+00:00",
        severity="problem",
        helps="Start more workers.",
        commands=("holdfast doctor",),
        more=41,
        quiet_until="2026-11-21T04:00:00.000+00:00",
    ),
    "AlertOutcome": AlertOutcome(sent_to="hooks.slack.com", quiet_seconds=3600.0, problem="HTTP 404"),
}
