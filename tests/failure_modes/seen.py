"""What a run looks like from outside, and that it is not stuck in failing workflow tasks."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause

from holdfast import Run
from holdfast.contracts.run import RunView
from holdfast.errors import NoWorkerAnswers
from tests.stage import Stage

SETTLED = frozenset({"waiting", "parked", "paused", "completed", "partial", "failed", "cancelled"})
"""Ended, or in a human's hands."""

_ARRIVED_MEANWHILE = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND


async def settled(on: Stage, run: Run[Any]) -> RunView:
    """Wait until the run has ended or asks a human; no workflow task of it has failed."""
    while True:
        with contextlib.suppress(NoWorkerAnswers):  # it is only just starting
            view = await run.inspect()
            if view.status in SETTLED:
                break
        await asyncio.sleep(0.1)
    await no_task_failed(on, run)
    return view


async def no_task_failed(on: Stage, run: Run[Any]) -> None:
    """Nothing that came made the workflow itself fail: the server has nothing to try for ever.

    A task may have been made again since something arrived while it ended the run, such as that an alert was sent:
    the server then takes back the end and shows the workflow what arrived. No code failed.
    """
    handle = on.client.temporal.get_workflow_handle(run.id)
    failures = [
        event.workflow_task_failed_event_attributes
        async for event in handle.fetch_history_events()
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]
    assert [failed for failed in failures if failed.cause != _ARRIVED_MEANWHILE] == []


async def notices(run: Run[Any]) -> str:
    """What the operator reads of an ended run beside its steps."""
    return "\n".join([event.text async for event in run.events() if event.kind == "notice"])
