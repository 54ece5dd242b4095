"""`BreakerBoard`: the circuit breakers of one task queue, shared by all its workers.

One for each task queue, started by the first failure that a worker reports. A worker that cannot reach it goes on by
what it has seen itself. While everything is well nothing is reported, so the board has no history to speak of.
"""

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from holdfast.contracts import names
from holdfast.contracts.breakers import Breaker, BreakerAnswer, BreakerBoardState, BreakerReport
from policies import breaker, engine_details
from workflows.any_payloads import NOTHING, any_payloads, any_payloads_async
from workflows.current_details import CurrentDetails
from workflows.input_reading import read_input

STARTED_WITH = 'The board starts with a JSON object such as {"breakers": []}'
REPORTED_WITH = 'A report is a JSON object such as {"dependency": "crm", "event": "failed"}'

REPORTS_PER_EXECUTION = 1000
"""The server takes 2,000 updates of one execution."""

MAX_BREAKERS = 500
"""More dependencies than anybody has; beyond it the healthy ones that changed longest ago are forgotten."""


@workflow.defn(name=names.BREAKER_BOARD)
class BreakerBoard:
    """The breakers of one task queue. Input: `BreakerBoardState` as JSON. Never ends by itself."""

    @workflow.init
    def __init__(self, given: RawValue = NOTHING) -> None:
        self._given = given
        self._breakers: dict[str, Breaker] | None = None
        self._reports = 0
        self._details = CurrentDetails(lambda: engine_details.of_breakers(self.breakers()))

    @workflow.run
    @any_payloads_async
    async def run(self, given: RawValue = NOTHING) -> None:  # noqa: ARG002  # read by __init__
        """Keep the breakers until the history is long enough, then go on as new."""
        self._known()
        self._details.refresh()
        await workflow.wait_condition(self._long_enough)
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(BreakerBoardState(breakers=tuple(self._known().values())))

    def _long_enough(self) -> bool:
        return self._reports >= REPORTS_PER_EXECUTION or workflow.info().is_continue_as_new_suggested()

    @workflow.update(
        name=names.BREAKER_REPORT, description="Report what became of a call, ask for a trial, or reset"
    )
    @any_payloads_async
    async def report(self, given: RawValue = NOTHING) -> BreakerAnswer:
        """Note a report and answer how the breaker stands."""
        report = _read(given)
        known = self._known()
        before = known.get(report.dependency, Breaker(dependency=report.dependency))
        answer = breaker.after(before, report, workflow.now())
        self._reports += 1
        known[report.dependency] = answer.breaker
        while len(known) > MAX_BREAKERS:
            del known[next((name for name, one in known.items() if one.failures == 0), next(iter(known)))]
        self._details.refresh()
        return answer

    @report.validator
    @any_payloads
    def _validate_report(self, given: RawValue = NOTHING) -> None:
        _read(given)

    @workflow.query(name=names.BREAKERS, description="Every breaker that was ever reported on")
    def breakers(self) -> list[Breaker]:
        """The breakers, by dependency."""
        return sorted(self._known().values(), key=lambda one: one.dependency)

    def _known(self) -> dict[str, Breaker]:
        """Read at first use: an update that starts the board can come before its main function runs."""
        if self._breakers is None:
            state = read_input(self._given, BreakerBoardState, start=STARTED_WITH)
            self._breakers = {one.dependency: one for one in state.breakers}
        return self._breakers


def _read(given: RawValue) -> BreakerReport:
    report = read_input(given, BreakerReport, start=REPORTED_WITH)
    if not report.dependency.strip():
        raise ApplicationError(
            f"{REPORTED_WITH}: name the dependency", type="InvalidBreakerReport", non_retryable=True
        )
    return report
