"""Telling operators, as when a run has parked: a line in the worker's log, and an alert that is not repeated.

The alert is a workflow of its own, started by an activity: a run never waits for it, and nothing that becomes of it
stops a run.
"""

import asyncio
import logging  # noqa: TID251  # only names a logger; the SDK's adapter around it is silent during replay
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError
from temporalio.workflow import LoggerAdapter

from holdfast.contracts import names
from holdfast.contracts.alerts import Alert
from holdfast.contracts.calls import Failure
from holdfast.contracts.parked import ParkedNote
from holdfast.contracts.requests import Request
from policies import alerts, failures, reminding
from workflows.options import alert_options, as_kwargs
from workflows.run_state import RunState

_log = LoggerAdapter(logging.getLogger("holdfast.parked"), None)
_log.workflow_info_on_message = False  # the line says which run


async def tell_operators(state: RunState, note: ParkedNote) -> None:
    """Log that the run has parked, and see to it that its cause is told, unless it was a while ago."""
    alert = alerts.alert_of(state.run, state.spec.name, note)
    _warn(alerts.log_line(alert), alert)
    await raise_alert(alert)


def tell_of_failure(state: RunState, where: str, failure: Failure) -> None:
    """Log a failure that the run gets over, if a person must mend its cause, and see to it that this is told.

    Neither the run nor its end waits for that. `where` is what failed, as in `parking.park`.
    """
    if not failures.is_told(failure):
        return
    alert = alerts.alert_of_failure(state.run, state.spec.name, where, failure)
    _warn(alerts.log_line(alert), alert)
    telling = workflow.start_activity(names.RAISE_ALERT, alert, **_told_as(alert))
    telling.add_done_callback(_left)


def _left(telling: "asyncio.Task[None]") -> None:
    """What becomes of it is no error of the run's; its worker has logged why."""
    if not telling.cancelled():
        telling.exception()


async def tell_of_request(request: Request, step: reminding.Step) -> None:
    """Log that a request waits, or is escalated, and see to it that people are told."""
    alert = reminding.alert_of(request, step)
    _warn(reminding.log_line(request, step, alert), alert)
    await raise_alert(alert)


async def raise_alert(alert: Alert) -> None:
    """See to it that a cause is told, unless it was a while ago. Nothing that becomes of it is an error."""
    try:
        await workflow.execute_activity(names.RAISE_ALERT, alert, **_told_as(alert))
    except ActivityError:
        return  # its worker has logged why


def _warn(line: str, alert: Alert) -> None:
    _log.warning("%s", line, extra={"holdfast_alert": alert.model_dump(mode="json")})


def _told_as(alert: Alert) -> dict[str, Any]:
    return as_kwargs(alert_options(f"alert {alert.fingerprint}"))
