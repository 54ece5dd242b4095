"""Work that is under way or waits for its next try, read from what the server says of a run: no worker is asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from temporalio.api.enums.v1 import PendingActivityState

from holdfast.contracts.calls import CallRecord, Failure
from holdfast.contracts.pending import PendingWork


def pending_work(description: Any, calls: Sequence[CallRecord] = ()) -> list[PendingWork]:
    """What a workflow's raw description lists; `calls` are those of the step under way, to tell which one it is."""
    listed = sorted(description.pending_activities, key=lambda one: one.scheduled_time.ToNanoseconds())
    found = [_read(one) for one in listed]
    running = [call for call in calls if call.status == "running"]
    told: list[PendingWork] = []
    for one in found:
        same = [call.id for call in running if call.tool == one.work]
        alike = [other for other in found if other.work == one.work]
        # Calls of one tool begin in their order; where a count differs, it cannot be told which is which.
        call = same[alike.index(one)] if len(same) == len(alike) else None
        told.append(one.model_copy(update={"call": call}))
    return told


def _read(one: Any) -> PendingWork:
    running = one.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
    due = one.next_attempt_schedule_time if one.HasField("next_attempt_schedule_time") else one.scheduled_time
    began = one.last_started_time if running and one.HasField("last_started_time") else None
    return PendingWork(
        work=one.activity_type.name,
        attempt=max(1, one.attempt),
        attempts_at_most=one.maximum_attempts or None,
        running=running,
        next_try=None if running else _moment(due),
        started_at=_moment(began) if began is not None else None,
        last_failure=_failure(one.last_failure) if one.HasField("last_failure") else None,
    )


def _moment(stamp: Any) -> str:
    return f"{stamp.ToDatetime().isoformat(timespec='milliseconds')}+00:00"


def _failure(said: Any) -> Failure:
    """The failure in an activity's error, also of one whose worker has never heard of Holdfast."""
    for payload in said.application_failure_info.details.payloads[:1]:
        try:
            return Failure.model_validate(json.loads(payload.data))
        except (ValueError, ValidationError):
            break
    if said.HasField("timeout_failure_info"):
        return Failure(kind="transient", message=said.message or "it timed out", error="Timeout")
    return Failure(kind="unclassified", message=said.message, error=said.application_failure_info.type)
