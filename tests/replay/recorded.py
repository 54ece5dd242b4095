"""Where the recorded histories are, and how they ended."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

from holdfast.testing.replay import load_history

REPOSITORY = Path(__file__).parents[2]
VERSION = "v1"
HISTORIES = Path(__file__).parent / "histories" / VERSION
EXPECTED = HISTORIES / "expected.toml"


def expected() -> dict[str, dict[str, Any]]:
    """By scenario: how many events its history has, and how the run ended."""
    return tomllib.loads(EXPECTED.read_text(encoding="utf-8"))


def recorded(scenario: str) -> WorkflowHistory:
    """The history of a scenario."""
    return load_history(HISTORIES / f"{scenario}.json")


def outcome_status(history: WorkflowHistory) -> str:
    """How the run ended: the status of its outcome, or `not started` where there was nothing to run."""
    last = history.events[-1]
    if last.HasField("workflow_execution_completed_event_attributes"):
        result = last.workflow_execution_completed_event_attributes.result.payloads[0]
        return str(json.loads(result.data)["status"])
    if last.HasField("workflow_execution_canceled_event_attributes"):
        return "cancelled"
    return "not started" if last.HasField("workflow_execution_failed_event_attributes") else "open"
