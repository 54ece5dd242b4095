"""`ParkedAlert`: one alert about one cause that parks runs, and the quiet after it.

Its id names the cause, so that there is one at a time. It sends the alert, boundedly, and stays for as long as
another would be a repetition. An alert that could not be sent leaves at once: the next run that parks tries again.
"""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError

from holdfast.contracts import names
from holdfast.contracts.alerts import Alert, AlertOutcome
from workflows.any_payloads import NOTHING, any_payloads_async
from workflows.input_reading import read_input
from workflows.options import alert_options, as_kwargs

STARTED_WITH = 'An alert starts with a JSON object such as {"fingerprint": "…", "run": "…", …}'


@workflow.defn(name=names.PARKED_ALERT)
class ParkedAlert:
    """Input: `Alert` as JSON. Result: `AlertOutcome`, when another alert of this cause may be sent."""

    @workflow.run
    @any_payloads_async
    async def run(self, given: RawValue = NOTHING) -> AlertOutcome:
        """Send the alert, then wait until it may be sent again."""
        alert = read_input(given, Alert, start=STARTED_WITH)
        try:
            outcome: AlertOutcome = await workflow.execute_activity(
                names.POST_ALERT,
                alert,
                result_type=AlertOutcome,
                **as_kwargs(alert_options(f"alert of group {alert.fingerprint}")),
            )
        except ActivityError as error:
            why = getattr(error.cause, "message", "") or str(error.cause or error)
            return AlertOutcome(problem=why)
        if outcome.quiet_seconds > 0:
            await workflow.sleep(timedelta(seconds=outcome.quiet_seconds), summary="quiet about this cause")
        return outcome
