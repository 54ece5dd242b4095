"""Paying for a model call from accounts: reserve the most that it may cost, then settle what it did cost.

    async with spending(accounts, worst_case, run=…, lease_seconds=…, beat=…) as money:
        money.sent = True
        …                       # the request
        money.cost = usage.cost_usd

A call that was surely not sent costs nothing; one that may have been sent and of which nobody knows costs its most.
A worker may die between the two. The next attempt then settles for those before it: what they had reserved counts as
spent, for the request follows the reservation at once. When there is no next attempt, the account does, once the lease
has run out.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

from temporalio import activity
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from activities.failing import application_error
from activities.heartbeat import PlanBeat
from holdfast.contracts import names
from holdfast.contracts.accounts import OVER_LIMIT, ZERO, Expensive, Grant, Ledger, Reserve, Settle, Shortage
from holdfast.contracts.calls import Failure
from holdfast.contracts.spec import BudgetSpec
from policies.limits import money

R = TypeVar("R")

PATIENCE = timedelta(seconds=20)
"""How long an account may take to answer: its worker may just have died."""

LEASE_MARGIN_SECONDS = 60.0


@dataclass
class Money:
    """One call's money. Set `cost` as soon as it is known."""

    worst: Decimal
    beat: PlanBeat
    sent: bool = False
    """Whether the request may have been sent."""
    cost: Decimal | None = None
    """What it did cost; None while nobody knows."""
    presumed: bool = False
    """Whether `cost` is the most that it may have been."""
    max_tokens: int = 0
    """The longest answer that was asked for."""
    _held: list[tuple[str, str]] = field(default_factory=list)

    async def close(self) -> None:
        """Settle with every account."""
        known = self.cost if self.cost is not None else self.worst if self.sent else ZERO
        presumed = self.presumed or (self.cost is None and self.sent)
        for account, name in self._held:
            await _settle(account, Settle(id=name, usd=known, presumed=presumed))
        self._held.clear()


@contextlib.asynccontextmanager
async def spending(
    accounts: Sequence[BudgetSpec], worst: Decimal, *, run: str, lease_seconds: float, beat: PlanBeat
) -> AsyncIterator[Money]:
    """Reserve in every account, or in none. Raises ApplicationError: kind limit when one has too little left."""
    paid = Money(worst, beat)
    info = activity.info()
    try:
        await _settle_lost_attempts(accounts, worst)
        for account in accounts:
            name = _attempt(info.attempt)
            paid._held.append((account.account, name))  # noqa: SLF001  # an answer may be lost: give it back then too
            asked = Reserve(
                id=name,
                run=run,
                usd=worst,
                daily_usd=account.daily_usd,
                lease_seconds=lease_seconds + LEASE_MARGIN_SECONDS,
            )
            grant = await _reserve(account.account, asked)
            if not grant.granted:
                paid._held.pop()  # noqa: SLF001  # nothing is held there
                raise _refused(account, worst, grant)
        yield paid
    finally:
        await asyncio.shield(paid.close())


def _attempt(number: int) -> str:
    """Names an attempt of this activity, and no other, whatever is reset or redriven."""
    info = activity.info()
    return f"{info.workflow_run_id}/{info.activity_id}/{number}"


async def _settle_lost_attempts(accounts: Sequence[BudgetSpec], worst: Decimal) -> None:
    """Settle for the attempts before this one, which may have died without a word. Their own word goes before.

    All of them: the one that should have settled for the first may have died before it could. What never reserved
    anything costs nothing. It is the same request, so it has the same worst case.
    """
    for number in range(1, activity.info().attempt):
        for account in accounts:
            await _settle(account.account, Settle(id=_attempt(number), usd=worst, presumed=True))


async def _reserve(account: str, asked: Reserve) -> Grant:
    client = activity.client()
    try:
        try:
            handle = client.get_workflow_handle(names.ACCOUNT_PREFIX + account)
            return await _until_answered(
                lambda: handle.execute_update(names.RESERVE, asked, id=asked.id, result_type=Grant)
            )
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
        return await _until_answered(lambda: start_account(client, account, names.RESERVE, asked, Grant))
    except (RPCError, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError) as e:
        message = f"the account {account} does not answer, so nothing was asked of the model: {str(e) or type(e).__name__}"
        failure = Failure(kind="transient", message=message, error="AccountSilent")
        raise application_error(failure, retry=True) from e


async def _until_answered(ask: Callable[[], Awaitable[Grant]]) -> Grant:
    """Ask again where an account is just going on as new: the same reservation counts once."""
    async with asyncio.timeout(PATIENCE.total_seconds()):
        for pause in (0.05, 0.2, 0.5):
            try:
                return await ask()
            except RPCError as error:
                if error.status == RPCStatusCode.NOT_FOUND:
                    raise
            await asyncio.sleep(pause)
        return await ask()


async def start_account(client: Client, account: str, update: str, asked: Any, result_type: type[R]) -> R:
    """Start the account, or find it, and send it an update."""
    start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        names.BUDGET_ACCOUNT,
        Ledger(account=account),
        id=names.ACCOUNT_PREFIX + account,
        task_queue=names.ACCOUNTS_QUEUE,
        task_timeout=timedelta(seconds=2),
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=f"budget of {account}"[:180],
    )
    answer: R = await client.execute_update_with_start_workflow(
        update, asked, start_workflow_operation=start, result_type=result_type
    )
    return answer


async def _settle(account: str, said: Settle) -> None:
    """Tell an account. If it cannot be told, the lease settles, at the most that it may have been."""
    handle = activity.client().get_workflow_handle(names.ACCOUNT_PREFIX + account)
    with contextlib.suppress(RPCError):
        await handle.signal(names.SETTLE, said, rpc_timeout=timedelta(seconds=5))


def _refused(account: BudgetSpec, worst: Decimal, grant: Grant) -> ApplicationError:
    left = max(ZERO, grant.limit_usd - grant.spent_usd - grant.reserved_usd)
    message = (
        f"the account {account.account} has {money(left)} left of {money(grant.limit_usd)} for today, "
        f"and the plan may cost {money(worst)}"
    )
    failure = Failure(kind="limit", message=message, error="BudgetExhausted")
    shortage = Shortage(account=account.account, usd=worst, daily_usd=account.daily_usd, grant=grant)
    return ApplicationError(
        message,
        failure.model_dump(mode="json"),
        shortage.model_dump(mode="json"),
        type=failure.kind,
        non_retryable=True,
    )


@dataclass
class Wallet:
    """What a plan is paid from."""

    run: str
    accounts: list[BudgetSpec]
    bounded: bool
    """Whether the run has a limit of money of its own."""
    beat: PlanBeat
    may_cost_usd: Decimal | None = None
    """A human is to be asked before one call costs more."""
    left_usd: Decimal | None = None
    """What the run's own limit of money leaves."""

    @contextlib.asynccontextmanager
    async def spending(
        self, worst: Decimal | None, *, model: str, lease_seconds: float
    ) -> AsyncIterator[Money]:
        """Pay for one call. Raises ApplicationError when the accounts have too little, or nobody knows the price."""
        bounded = self.bounded or self.may_cost_usd is not None
        if worst is None and (bounded or self.accounts):
            raise _unpriced(model, [one.account for one in self.accounts])
        if worst is not None and self.may_cost_usd is not None and worst > self.may_cost_usd:
            raise _too_expensive(worst, self.may_cost_usd)
        async with spending(
            self.accounts, worst or ZERO, run=self.run, lease_seconds=lease_seconds, beat=self.beat
        ) as paid:
            yield paid


def _unpriced(model: str, accounts: list[str]) -> ApplicationError:
    where = f"the budget of {', '.join(accounts)}" if accounts else "a limit of money"
    message = (
        f"nobody knows what {model} costs, and this run has {where}, so it was not asked: say its price, "
        f"Model({model!r}, usd_per_million_tokens=('3', '15')), or run it without such a limit"
    )
    return application_error(Failure(kind="limit", message=message, error="UnpricedModel"), retry=False)


def over_limit(model: str, needs: Decimal, left: Decimal) -> ApplicationError:
    """The run's own limit of money cannot pay for a plan of this model."""
    message = f"the run has {money(left)} left, and a plan of {model} may cost {money(needs)}"
    failure = Failure(kind="limit", message=message, error=OVER_LIMIT)
    details = failure.model_dump(mode="json"), {"needs_usd": str(needs)}
    return ApplicationError(message, *details, type=failure.kind, non_retryable=True)


def _too_expensive(worst: Decimal, allowed: Decimal) -> ApplicationError:
    message = (
        f"the next plan may cost up to {money(worst)}, and a human is to be asked above {money(allowed)}"
    )
    failure = Failure(kind="limit", message=message, error="AskFirst")
    expensive = Expensive(may_cost_usd=worst, allowed_usd=allowed)
    return ApplicationError(
        message,
        failure.model_dump(mode="json"),
        expensive.model_dump(mode="json"),
        type=failure.kind,
        non_retryable=True,
    )
