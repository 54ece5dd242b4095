"""Values of what the doctor and the scheduled check find."""

from __future__ import annotations

from datetime import UTC, datetime

from pydantic import BaseModel

from holdfast.contracts.health import Finding, HealthCheckLine, HealthReport, HealthSettings, QueueHealth

_QUEUE = QueueHealth(name="billing", kind="activity", pollers=2, backlog=40, age_seconds=61.5, waiting=3)
_FINDING = Finding(
    kind="task_failures",
    severity="problem",
    subject="ticket-88",
    text="The workflow task of run ticket-88 fails again and again.",
    helps="See where they part.",
    command="holdfast replay ticket-88",
)
_LINE = HealthCheckLine(name="runs", status="warning", text="2 findings")

EXAMPLES: dict[str, BaseModel] = {
    "Finding": _FINDING,
    "HealthCheckLine": _LINE,
    "HealthReport": HealthReport(
        at=datetime(2026, 11, 26, 4, 0, tzinfo=UTC),
        checks=(_LINE,),
        queues=(_QUEUE,),
        findings=(_FINDING,),
        left_out=7,
    ),
    "HealthSettings": HealthSettings(
        task_queue="billing",
        no_progress_seconds=60.0,
        silent_seconds=20.0,
        backlog_age_seconds=5.0,
        retention_seconds=86400.0,
        runs_at_most=50,
    ),
    "QueueHealth": _QUEUE,
}
