"""`BudgetAccount`: a budget that runs share, as a workflow that lives for ever and remembers little.

Its updates and signals are its only work: they change the ledger at once, and one loop calls the runs that wait and
keeps the clock. An account starts with the first reservation, on a queue that every worker of the namespace serves.
"""

from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import FailureError

from holdfast.contracts import names
from holdfast.contracts.accounts import AccountView, Grant, Ledger, Reserve, SetLimit, Settle, WaitForRoom
from policies import budgets, engine_details
from workflows.any_payloads import NOTHING, any_payloads
from workflows.current_details import CurrentDetails

MAX_CHANGES = 1_000
"""An account continues as new after this many: the server takes 2,000 updates of one execution."""

M = TypeVar("M", bound=BaseModel)


@workflow.defn(name=names.BUDGET_ACCOUNT)
class BudgetAccount:
    """One account. Input: its `Ledger`."""

    @workflow.init
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._changes = 0
        self._seen = 0
        self._details = CurrentDetails(self._told)

    @workflow.run
    async def run(self, ledger: Ledger) -> None:  # noqa: ARG002  # taken by __init__
        """Serve until there have been many changes, then go on as new."""
        wakes: datetime | None = None
        while self._changes < MAX_CHANGES and not workflow.info().is_continue_as_new_suggested():
            self._seen = self._changes
            await self._call_waiting()
            self._details.refresh()
            now = workflow.now()
            # A timer is two events of history: one that is early enough is kept while others come and go.
            wakes = budgets.next_change(self._ledger, now)
            await self._until_changed(wakes, now)
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(self._ledger)

    async def _until_changed(self, wakes: datetime | None, now: datetime) -> None:
        """Return when somebody is to be called, when time is up, or when it is time to go on as new."""
        if wakes is None:
            await workflow.wait_condition(lambda: self._changes != self._seen)
            return

        def stirs() -> bool:
            if self._changes == self._seen:
                return False
            soonest = budgets.next_change(self._ledger, workflow.now())
            sooner = soonest is not None and soonest < wakes
            return sooner or bool(self._ledger.waiting) or self._changes >= MAX_CHANGES

        try:
            seconds = max(0.001, (wakes - now).total_seconds())
            await workflow.wait_condition(stirs, timeout=seconds, timeout_summary="next lease or day")
        except TimeoutError:
            budgets.pass_time(self._ledger, workflow.now())

    async def _call_waiting(self) -> None:
        for run in budgets.called(self._ledger, workflow.now()):
            handle = workflow.get_external_workflow_handle(run)
            try:
                await handle.signal(names.ACCOUNT_CALLS, self._ledger.account)
            except FailureError:  # it has ended: what was kept for it goes to the next
                budgets.gone(self._ledger, run)
                self._changes += 1

    @workflow.update(name=names.RESERVE, description="Set money aside for one model call")
    def reserve(self, asked: Reserve) -> Grant:
        """Set money aside, or say that there is not enough."""
        self._changed()
        return budgets.reserve(self._ledger, asked, workflow.now())

    @workflow.update(name=names.SET_LIMIT, description='Set the limit: {"by": "you", "daily_usd": "5"}')
    def update_limit(self, asked: SetLimit) -> AccountView:
        """Set the limit, and hear how the account stands."""
        self._change(asked)
        return budgets.view(self._ledger, workflow.now())

    @workflow.signal(name=names.SET_LIMIT, description='Set the limit: {"by": "you", "daily_usd": "5"}')
    @any_payloads
    def signal_limit(self, asked: RawValue = NOTHING) -> None:
        """Set the limit; what cannot be read changes nothing."""
        if (read := _read(asked, SetLimit)) is not None:
            self._change(read)

    @workflow.signal(name=names.SETTLE)
    @any_payloads
    def settle(self, said: RawValue = NOTHING) -> None:
        """Note what a reserved call cost."""
        if (read := _read(said, Settle)) is not None:
            self._changed()
            budgets.settle(self._ledger, read)

    @workflow.signal(name=names.WAIT_FOR_ROOM)
    @any_payloads
    def wait_for_room(self, asked: RawValue = NOTHING) -> None:
        """Remember a run that waits."""
        if (read := _read(asked, WaitForRoom)) is not None:
            self._changed()
            budgets.wait(self._ledger, read)

    @workflow.query(name=names.SHOW_ACCOUNT, description="How the account stands")
    def show(self) -> AccountView:
        """How the account stands."""
        return budgets.view(self._ledger, workflow.now())

    def _change(self, asked: SetLimit) -> None:
        budgets.pass_time(self._ledger, workflow.now())
        budgets.set_limit(self._ledger, asked)
        self._changed()

    def _changed(self) -> None:
        """Let the loop look, and the details be told anew, once the handler is done."""
        self._changes += 1
        self._details.refresh()

    def _told(self) -> str:
        return engine_details.of_account(budgets.view(self._ledger, workflow.now()))


def _read(raw: RawValue, model: type[M]) -> M | None:
    """What a signal holds; None for what it must not: a signal never fails a workflow's task."""
    try:
        return model.model_validate(workflow.payload_converter().from_payload(raw.payload, dict))
    except ValidationError as error:
        workflow.logger.warning("a signal was passed over: %s", error)
    except Exception as error:  # noqa: BLE001  # a payload can be anything
        workflow.logger.warning("a signal could not be read: %s", error)
    return None
