"""The arithmetic of an account: reserve, settle, give back, call who waits.

What is spent and reserved of a day never passes its limit, unless the limit itself is lowered. A call is reserved at
the most that it may cost. What became of it is settled once: the first word counts. Silence past its lease counts as
spent: a call that nobody answers for may have been made.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from holdfast.contracts.accounts import (
    ZERO,
    AccountView,
    Day,
    Grant,
    Ledger,
    Promise,
    Reservation,
    Reserve,
    SetLimit,
    Settle,
    WaitForRoom,
    Waiting,
)
from holdfast.contracts.spec import AgentSpec, BudgetSpec

PROMISE_SECONDS = 30.0
"""How long money is kept for a run that was called."""

MAX_CLOSED = 256
MAX_DAYS = 8


def accounts_of(spec: AgentSpec, user: str | None) -> list[BudgetSpec]:
    """The accounts that a run's model calls are paid from, by their full names."""
    found = []
    for budget in spec.budgets:
        name = budget.account
        if name == "user":
            if not user:
                continue
            name = f"user/{user}"
        elif name == "agent":
            name = f"agent/{spec.name}"
        found.append(BudgetSpec(account=name, daily_usd=budget.daily_usd))
    return found


def pass_time(ledger: Ledger, now: datetime) -> None:
    """Begin a new day when it is one, and settle what nobody answered for."""
    today = now.astimezone(UTC).date().isoformat()
    if ledger.day != today:
        ledger.day, ledger.today_usd = today, ZERO
        ledger.days = [*ledger.days, Day(day=today)][-MAX_DAYS:]
    for name, held in list(ledger.reservations.items()):
        if datetime.fromisoformat(held.until) <= now:
            settle(ledger, Settle(id=name, usd=held.usd, presumed=True))
    for run, promise in list(ledger.promises.items()):
        if datetime.fromisoformat(promise.until) <= now:
            del ledger.promises[run]


def reserve(ledger: Ledger, asked: Reserve, now: datetime) -> Grant:
    """Set money aside for one call, or say that there is not enough."""
    pass_time(ledger, now)
    ledger.agents_usd = asked.daily_usd
    known = asked.id in ledger.reservations
    if not known and asked.id not in ledger.closed and asked.usd <= room(ledger, asked.daily_usd, asked.run):
        ledger.promises.pop(asked.run, None)
        leave(ledger, asked.run)
        until = now + timedelta(seconds=asked.lease_seconds)
        ledger.reservations[asked.id] = Reservation(
            run=asked.run, usd=asked.usd, day=ledger.day, until=until.isoformat()
        )
        known = True
    limit = limit_of(ledger, asked.daily_usd)
    return Grant(
        granted=known,
        limit_usd=limit,
        spent_usd=_today(ledger).spent_usd,
        reserved_usd=reserved(ledger),
        for_a_moment=not known and _today(ledger).spent_usd + asked.usd <= limit,
    )


def settle(ledger: Ledger, said: Settle) -> None:
    """Note what a call cost, on the day of its reservation. The first word counts; zero gives the money back."""
    held = ledger.reservations.pop(said.id, None)
    if said.id not in ledger.closed:
        ledger.closed = [*ledger.closed, said.id][-MAX_CLOSED:]
    day = next((day for day in ledger.days if held is not None and day.day == held.day), None)
    if day is not None:
        day.spent_usd += said.usd
        day.presumed_usd += said.usd if said.presumed else ZERO


def set_limit(ledger: Ledger, asked: SetLimit) -> None:
    """Let an operator's limit hold from now on, or more money for today."""
    if asked.daily_usd is not None:
        ledger.set_usd, ledger.set_by = asked.daily_usd, asked.by
    if asked.today_usd is not None:
        ledger.today_usd, ledger.set_by = ledger.today_usd + asked.today_usd, asked.by


def wait(ledger: Ledger, asked: WaitForRoom) -> None:
    """Remember a run that waits for room, behind those that wait already."""
    leave(ledger, asked.run)
    ledger.waiting.append(
        Waiting(run=asked.run, usd=asked.usd, daily_usd=asked.daily_usd, for_a_moment=asked.for_a_moment)
    )


def leave(ledger: Ledger, run: str) -> None:
    """Forget that a run waits."""
    ledger.waiting = [one for one in ledger.waiting if one.run != run]


def called(ledger: Ledger, now: datetime) -> list[str]:
    """The waiting runs to call now, longest waiting first; what they need is kept for them a while.

    One that expected a short wait is called too when there is no longer anything to wait for but the next day.
    """
    pass_time(ledger, now)
    runs = []
    for one in list(ledger.waiting):
        fits = one.usd <= room(ledger, one.daily_usd, one.run)
        longer = one.for_a_moment and _today(ledger).spent_usd + one.usd > limit_of(ledger, one.daily_usd)
        if not fits and not longer:
            continue
        leave(ledger, one.run)
        runs.append(one.run)
        if fits:
            until = now + timedelta(seconds=PROMISE_SECONDS)
            ledger.promises[one.run] = Promise(usd=one.usd, until=until.isoformat())
    return runs


def gone(ledger: Ledger, run: str) -> None:
    """A run that was called is not there any more."""
    ledger.promises.pop(run, None)
    leave(ledger, run)


def next_change(ledger: Ledger, now: datetime) -> datetime | None:
    """When time itself will change something; None when nobody is affected by that."""
    moments = [datetime.fromisoformat(held.until) for held in ledger.reservations.values()]
    moments += [datetime.fromisoformat(promise.until) for promise in ledger.promises.values()]
    if ledger.waiting:
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        moments.append(midnight + timedelta(days=1))
    return min(moments, default=None)


def limit_of(ledger: Ledger, agents_usd: Decimal) -> Decimal:
    """Today's limit for an agent that names its own."""
    return (agents_usd if ledger.set_usd is None else ledger.set_usd) + ledger.today_usd


def reserved(ledger: Ledger, run: str | None = None) -> Decimal:
    """What is set aside today, and kept for runs that were called (but for `run` itself)."""
    held = sum((one.usd for one in ledger.reservations.values() if one.day == ledger.day), ZERO)
    return held + sum((one.usd for name, one in ledger.promises.items() if name != run), ZERO)


def room(ledger: Ledger, agents_usd: Decimal, run: str) -> Decimal:
    """What a run may still reserve today."""
    return limit_of(ledger, agents_usd) - _today(ledger).spent_usd - reserved(ledger, run)


def view(ledger: Ledger, now: datetime) -> AccountView:
    """The account as people see it."""
    today = now.astimezone(UTC).date().isoformat()
    same = ledger.day == today
    day = _today(ledger) if same else Day(day=today)
    shown = ledger if same else ledger.model_copy(update={"day": today, "today_usd": ZERO})
    return AccountView(
        account=ledger.account,
        day=today,
        limit_usd=limit_of(shown, ledger.agents_usd),
        set_by=ledger.set_by,
        spent_usd=day.spent_usd,
        presumed_usd=day.presumed_usd,
        reserved_usd=reserved(shown),
        waiting=[one.run for one in ledger.waiting],
    )


def _today(ledger: Ledger) -> Day:
    return ledger.days[-1] if ledger.days else Day(day=ledger.day)
