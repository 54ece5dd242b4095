"""`ParkedAlert`: one alert about one cause, and the quiet after it.

Its id names the cause, so that there is one at a time. It sends the alert, boundedly, and stays for as long as
another would be a repetition. It hears of each run that meets the same cause meanwhile: when the quiet is over and there
were some, one alert says how many, and it is quiet again. An alert that could not be sent leaves at once: what meets
its cause next tries again.
"""

from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError

from holdfast.contracts import names
from holdfast.contracts.alerts import Alert, AlertOutcome
from policies import engine_details
from workflows.any_payloads import NOTHING, any_payloads, any_payloads_async
from workflows.input_reading import read_input
from workflows.options import alert_options, as_kwargs

STARTED_WITH = 'An alert starts with a JSON object such as {"fingerprint": "…", "run": "…", …}'


@workflow.defn(name=names.PARKED_ALERT)
class ParkedAlert:
    """Input: `Alert` as JSON. Result: `AlertOutcome`, when another alert of this cause may be sent."""

    def __init__(self) -> None:
        self._heard: dict[tuple[str, str], None] = {}
        """Of which runs it has heard since the last alert, with when it happened: the order counts for nothing."""

    @workflow.run
    @any_payloads_async
    async def run(self, given: RawValue = NOTHING) -> AlertOutcome:
        """Send the alert, and then, as often as more runs have met its cause in the quiet time, how many."""
        alert = read_input(given, Alert, start=STARTED_WITH)
        if alert.quiet_until:
            return await self._after(alert, AlertOutcome(), alert.quiet_until)
        outcome = await self._post(alert)
        if outcome.problem:
            return outcome
        self._heard.pop((alert.run, alert.parked_at), None)  # the one that it has told of
        return await self._after(alert, outcome, _in(outcome.quiet_seconds))

    async def _after(self, alert: Alert, outcome: AlertOutcome, quiet_until: str) -> AlertOutcome:
        """Be quiet, and tell what was heard meanwhile."""
        counted = alert.more if alert.quiet_until else 0  # heard by the execution before this one
        while True:
            quiet = (datetime.fromisoformat(quiet_until) - workflow.now()).total_seconds()
            if quiet > 0 and not await self._quiet(quiet):
                more = counted + self._others()
                workflow.continue_as_new(alert.model_copy(update={"more": more, "quiet_until": quiet_until}))
            counted, self._heard = counted + self._others(), {}
            if not counted:
                return outcome
            outcome = await self._post(alert.model_copy(update={"more": counted, "quiet_until": ""}))
            if outcome.problem:
                return outcome
            counted, quiet_until = 0, _in(outcome.quiet_seconds)

    async def _quiet(self, seconds: float) -> bool:
        """Wait; False when the history has become too long before the time was over."""
        try:
            await workflow.wait_condition(
                lambda: workflow.info().is_continue_as_new_suggested(),
                timeout=seconds,
                timeout_summary="quiet about this cause",
            )
        except TimeoutError:
            return True
        return False

    def _others(self) -> int:
        return len({run for run, _ in self._heard})

    async def _post(self, alert: Alert) -> AlertOutcome:
        try:
            outcome: AlertOutcome = await workflow.execute_activity(
                names.POST_ALERT,
                alert,
                result_type=AlertOutcome,
                **as_kwargs(alert_options(f"alert {alert.fingerprint}")),
            )
        except ActivityError as error:
            why = getattr(error.cause, "message", "") or str(error.cause or error)
            return AlertOutcome(problem=why)
        workflow.set_current_details(engine_details.of_alert(alert, outcome))
        return outcome

    @workflow.signal(name=names.ALERT_AGAIN, description="A run has met the same cause: an alert as JSON")
    @any_payloads
    def again(self, met: RawValue = NOTHING) -> None:
        """Count a run. What cannot be read is none."""
        try:
            value: Any = workflow.payload_converter().from_payload(met.payload, Any)
            alert = Alert.model_validate(value)
        except Exception:  # noqa: BLE001  # a payload can be anything
            return
        self._heard[alert.run, alert.parked_at] = None


def _in(seconds: float) -> str:
    return (workflow.now() + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
