"""`HealthCheck`: one look at the server, the task queues and the runs. A schedule starts it every few minutes.

It orders the activity that looks, has people alerted of what that found, and keeps it as its result. What is a finding
is decided by `policies/health.py`, and of what people are alerted by `policies/finding_alerts.py`.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue, RetryPolicy

from holdfast.contracts import names
from holdfast.contracts.health import HealthReport, HealthSettings
from policies import engine_details, finding_alerts
from workflows.alerting import raise_alert
from workflows.any_payloads import NOTHING, any_payloads_async
from workflows.input_reading import read_input

STARTED_WITH = 'A check starts with a JSON object such as {"task_queue": "holdfast"}'


@workflow.defn(name=names.HEALTH_CHECK)
class HealthCheck:
    """One check. Input: `HealthSettings` as JSON. Result: `HealthReport`."""

    @workflow.run
    @any_payloads_async
    async def run(self, given: RawValue = NOTHING) -> HealthReport:
        """Look once; a look that fails is tried twice more."""
        settings = read_input(given, HealthSettings, start=STARTED_WITH)
        report: HealthReport = await workflow.execute_activity(
            names.CHECK_HEALTH,
            settings,
            result_type=HealthReport,
            start_to_close_timeout=timedelta(minutes=2),
            schedule_to_close_timeout=timedelta(minutes=5),
            retry_policy=RetryPolicy(maximum_attempts=3, initial_interval=timedelta(seconds=5)),
            summary=f"look after {settings.task_queue}"[:180],
        )
        workflow.set_current_details(engine_details.of_check(report))
        await asyncio.gather(*map(raise_alert, finding_alerts.of_report(report)))
        return report
