"""An account's arithmetic: whatever happens in whatever order, a day never costs more than its limit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.contracts.accounts import ZERO, Ledger, Reserve, SetLimit, Settle, WaitForRoom
from holdfast.contracts.spec import AgentSpec, BudgetSpec, RulesRung
from policies import budgets

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
LIMIT = Decimal(1)


def asked(name: str, usd: str | Decimal, run: str = "run-1", lease: float = 600.0) -> Reserve:
    """A reservation."""
    return Reserve(id=name, run=run, usd=Decimal(usd), daily_usd=LIMIT, lease_seconds=lease)


def waits(run: str, usd: str, *, for_a_moment: bool = False) -> WaitForRoom:
    """A run that waits."""
    return WaitForRoom(run=run, usd=Decimal(usd), daily_usd=LIMIT, for_a_moment=for_a_moment)


def spent(ledger: Ledger) -> Decimal:
    """What today cost."""
    return ledger.days[-1].spent_usd


def test_the_accounts_of_a_run() -> None:
    """The user's, the agent's and any other by its name; a run without a user has no user's account."""
    names = ("user", "agent", "team/platform")
    spec = AgentSpec(
        name="sorter",
        instructions="",
        ladder=(RulesRung(kind="rules", function="f"),),
        budgets=tuple(BudgetSpec(account=name, daily_usd=LIMIT) for name in names),
    )
    assert [one.account for one in budgets.accounts_of(spec, "ana")] == [
        "user/ana",
        "agent/sorter",
        "team/platform",
    ]
    assert [one.account for one in budgets.accounts_of(spec, None)] == ["agent/sorter", "team/platform"]


def test_asking_again_is_the_same_reservation_and_settling_counts_once() -> None:
    """A repeated message changes nothing, and a reservation that comes after its own settlement is refused."""
    ledger = Ledger(account="a")
    assert budgets.reserve(ledger, asked("1", "0.6"), NOON).granted
    assert budgets.reserve(ledger, asked("1", "0.6"), NOON).granted
    assert budgets.reserved(ledger) == Decimal("0.6")
    for usd in ("0.2", "0.6"):
        budgets.settle(ledger, Settle(id="1", usd=Decimal(usd)))
    assert (spent(ledger), budgets.reserved(ledger)) == (Decimal("0.2"), ZERO)
    assert not budgets.reserve(ledger, asked("1", "0.6"), NOON).granted


def test_a_reservation_that_nobody_answers_for_counts_as_spent() -> None:
    """When its lease has run out, at its most, and shown as presumed."""
    ledger = Ledger(account="a")
    budgets.reserve(ledger, asked("1", "0.6", lease=60), NOON)
    assert budgets.next_change(ledger, NOON) == NOON + timedelta(seconds=60)
    budgets.pass_time(ledger, NOON + timedelta(seconds=61))
    view = budgets.view(ledger, NOON)
    assert (view.spent_usd, view.presumed_usd, view.reserved_usd) == (Decimal("0.6"), Decimal("0.6"), ZERO)


def test_a_day_begins_at_midnight_and_a_call_counts_on_the_day_of_its_reservation() -> None:
    """What was reserved yesterday is settled on yesterday, and the day has its whole limit; extra money ends."""
    ledger, tomorrow = Ledger(account="a"), NOON + timedelta(hours=12)
    budgets.set_limit(ledger, SetLimit(by="dana", today_usd=Decimal(1)))
    budgets.pass_time(ledger, NOON)
    budgets.reserve(ledger, asked("1", "1", lease=86_400), NOON)
    budgets.wait(ledger, waits("run-2", "1"))
    assert budgets.next_change(ledger, NOON) == tomorrow
    assert budgets.called(ledger, tomorrow) == ["run-2"]
    budgets.settle(ledger, Settle(id="1", usd=Decimal("0.9")))
    assert [(day.day, day.spent_usd) for day in ledger.days] == [
        ("2026-11-25", Decimal("0.9")),
        ("2026-11-26", 0),
    ]
    assert budgets.limit_of(ledger, LIMIT) == 1


def test_waiting_runs_are_called_in_order_as_many_as_fit() -> None:
    """What they need is kept for them a while; who does not come for it makes room for the next."""
    ledger = Ledger(account="a")
    budgets.reserve(ledger, asked("1", "1"), NOON)
    for run in ("run-2", "run-3", "run-4"):
        budgets.wait(ledger, waits(run, "0.5"))
    assert budgets.called(ledger, NOON) == []
    budgets.settle(ledger, Settle(id="1", usd=Decimal(0)))
    assert budgets.called(ledger, NOON) == ["run-2", "run-3"]
    assert not budgets.reserve(ledger, asked("5", "0.5", run="run-5"), NOON).granted
    assert budgets.reserve(ledger, asked("2", "0.5", run="run-2"), NOON).granted
    assert budgets.called(ledger, NOON + timedelta(seconds=budgets.PROMISE_SECONDS)) == ["run-4"]


def test_a_short_wait_that_grows_long_is_told() -> None:
    """When others have spent what they reserved, a run that waited for a moment is called, and will ask a human."""
    ledger = Ledger(account="a")
    budgets.reserve(ledger, asked("1", "0.8"), NOON)
    refused = budgets.reserve(ledger, asked("2", "0.5", run="run-2"), NOON)
    assert (refused.granted, refused.for_a_moment) == (False, True)
    budgets.wait(ledger, waits("run-2", "0.5", for_a_moment=True))
    assert budgets.called(ledger, NOON) == []
    budgets.settle(ledger, Settle(id="1", usd=Decimal("0.8")))
    assert budgets.called(ledger, NOON) == ["run-2"]
    assert not budgets.reserve(ledger, asked("3", "0.5", run="run-2"), NOON).for_a_moment


def test_an_operators_limit_goes_before_the_agents() -> None:
    """From then on, whatever agents name; lowered below what is spent, it only stops what comes."""
    ledger = Ledger(account="a")
    budgets.set_limit(ledger, SetLimit(by="dana", daily_usd=Decimal(5)))
    assert budgets.reserve(ledger, asked("1", "3"), NOON).granted
    budgets.set_limit(ledger, SetLimit(by="dana", daily_usd=Decimal(2)))
    refused = budgets.reserve(ledger, asked("2", "0.1"), NOON)
    assert (refused.granted, refused.limit_usd, refused.reserved_usd) == (False, Decimal(2), Decimal(3))
    assert budgets.view(ledger, NOON).set_by == "dana"


RUNS = st.sampled_from(["a", "b", "c"])
CENTS = st.integers(1, 120).map(lambda cents: Decimal(cents) / 100)
OPERATIONS = st.one_of(
    st.tuples(st.just("reserve"), st.integers(0, 8), RUNS, CENTS),
    st.tuples(st.just("settle"), st.integers(0, 8), st.booleans(), st.integers(0, 100)),
    st.tuples(st.just("wait"), RUNS, CENTS, st.booleans()),
    st.tuples(st.just("call")),
    st.tuples(st.just("time"), st.integers(1, 90_000)),
)


@settings(max_examples=150)
@given(st.lists(OPERATIONS, max_size=40))
def test_no_day_costs_more_than_its_limit(operations: list[tuple]) -> None:  # type: ignore[type-arg]  # of many forms
    """Spent and reserved and promised together stay within the limit, in whatever order things happen."""
    ledger, now = Ledger(account="a"), NOON
    for operation in operations:
        match operation:
            case ("reserve", number, run, usd):
                budgets.reserve(ledger, asked(str(number), usd, run=run, lease=100), now)
            case ("settle", number, presumed, percent):
                held = ledger.reservations.get(str(number))
                usd = held.usd * percent / 100 if held else Decimal("0.5")
                budgets.settle(ledger, Settle(id=str(number), usd=usd, presumed=presumed))
            case ("wait", run, usd, moment):
                budgets.wait(ledger, WaitForRoom(run=run, usd=usd, daily_usd=LIMIT, for_a_moment=moment))
            case ("call",):
                budgets.called(ledger, now)
            case ("time", seconds):
                now += timedelta(seconds=seconds)
                budgets.pass_time(ledger, now)
            case _:
                raise AssertionError(operation)
        if ledger.days:
            assert spent(ledger) + budgets.reserved(ledger) <= LIMIT
            assert all(day.spent_usd <= LIMIT and day.presumed_usd <= day.spent_usd for day in ledger.days)
        assert Ledger.model_validate_json(ledger.model_dump_json()) == ledger
