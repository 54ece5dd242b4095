"""policies/limits.py: limits are hard, and money has a ceiling."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.limits import LimitsRaised, NewLimits, seconds_of
from holdfast.contracts.spec import LimitsSpec
from policies.limits import (
    Spent,
    as_json,
    as_much_again,
    asked_for,
    changed,
    from_json,
    in_words,
    kept,
    may_cost_more,
    money,
    raised,
    reached,
    room_for_calls,
)

LIMITS = LimitsSpec(
    steps=3,
    calls=5,
    tokens=10_000,
    cost_usd=Decimal("0.50"),
    wall_clock_seconds=60,
    working_time_seconds=10,
)


def used(**facts: Any) -> str | None:
    """The limit that is reached with this much used, all else being little, in words."""
    spent = Spent(**facts)
    field = reached(LIMITS, spent)
    return None if field is None else in_words(LIMITS, field, spent)


@pytest.mark.parametrize(
    "below,at,words",
    [
        ({"steps": 2}, {"steps": 3}, "the limit of 3 steps"),
        ({"calls": 4}, {"calls": 5}, "the limit of 5 calls"),
        ({"tokens": 9_999}, {"tokens": 10_000}, "the limit of 10,000 tokens"),
        ({"cost_usd": Decimal("0.499999")}, {"cost_usd": Decimal("0.50")}, "the limit of $0.50"),
        ({"wall_clock_seconds": 59.9}, {"wall_clock_seconds": 60.0}, "the limit of 60 s"),
        (
            {"working_time_seconds": 9.9},
            {"working_time_seconds": 10.0},
            "the limit of 10 s of working time",
        ),
    ],
)
def test_each_limit_is_reached_exactly_when_it_is_used_up(
    below: dict[str, Any], at: dict[str, Any], words: str
) -> None:
    """Just below it there is room for another step; at it there is none."""
    assert used(**below) is None
    assert used(**at) == words


def test_a_model_without_a_price_is_not_free() -> None:
    """Where money is limited, a call that nobody can price uses up the limit."""
    assert used(unpriced=1) == "the limit of $0.50, since a model without a known price was used"
    assert reached(LimitsSpec(), Spent(unpriced=9)) is None


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 1e9), st.decimals(0, 1000, places=6))
def test_without_limits_of_their_own_runs_still_end(
    steps: int, calls: int, seconds: float, cost: Decimal
) -> None:
    """Steps and calls are limited always: 20 and 50, unless the agent says otherwise."""
    found = reached(LimitsSpec(), Spent(steps=steps, calls=calls, wall_clock_seconds=seconds, cost_usd=cost))
    assert (found is not None) is (steps >= 20 or calls >= 50)


SPENT = Spent(
    steps=4, calls=2, tokens=500, cost_usd=Decimal("0.20"), wall_clock_seconds=90, working_time_seconds=8
)


@pytest.mark.parametrize(
    "asked,after",
    [
        ({"steps": 40}, {"steps": 40}),
        ({"steps": "+20"}, {"steps": 24}),
        ({"calls": "+20"}, {"calls": 25}),
        ({"tokens": "20000"}, {"tokens": 20_000}),
        ({"cost_usd": "+0.25"}, {"cost_usd": "0.75"}),
        ({"wall_clock": "2h"}, {"wall_clock_seconds": 7_200.0}),
        ({"wall_clock": "+1m"}, {"wall_clock_seconds": 150.0}),
        ({"working_time": 12.5}, {"working_time_seconds": 12.5}),
        ({"steps": "+1", "calls": 6}, {"steps": 5, "calls": 6}),
    ],
)
def test_limits_are_raised_to_a_value_or_by_so_much(asked: dict[str, Any], after: dict[str, Any]) -> None:
    """`+20` counts from the limit, or from what is used if that is more: so there is always room for twenty."""
    found = raised(LIMITS, SPENT, NewLimits(**asked))
    assert isinstance(found, LimitsSpec)
    assert changed(LIMITS, found)[1] == after


@pytest.mark.parametrize(
    "asked,why",
    [
        ({}, "say which limit is raised"),
        ({"steps": 3}, "3 is not more than the limit is now, 3"),
        ({"steps": "+0"}, "4 is not more than what is used already, 4"),
        ({"calls": 1}, "1 is not more than the limit is now, 5"),
        ({"wall_clock": "80s"}, "80.0 is not more than what is used already, 90"),
    ],
)
def test_what_raises_nothing_is_refused(asked: dict[str, Any], why: str) -> None:
    """A limit is never lowered by this, and one that stays used up would only be asked about again."""
    found = raised(LIMITS, SPENT, NewLimits(**asked))
    assert isinstance(found, str)
    assert why in found
    assert raised(LimitsSpec(), SPENT, NewLimits(tokens="+5")) == "tokens: this run has no such limit"


@pytest.mark.parametrize(
    "time,seconds",
    [("90", 90), ("+90s", 90), ("2h", 7_200), ("+1h30m", 5_400), ("1d12h", 129_600), ("0.5m", 30)],
)
def test_times_are_spelled_as_people_do(time: str, seconds: float) -> None:
    """Seconds, or days, hours, minutes and seconds in that order."""
    assert seconds_of(time) == seconds


@pytest.mark.parametrize(
    "given,why",
    [
        ("no", "Input should be"),
        ({"steps": "many"}, "steps: Value error, 'many' is not a number"),
        ({"steps": True}, "True is not a number"),
        ({"wall_clock": "s"}, "'s' is not seconds, or a time"),
        ({"wall_clock": "+"}, "'+' is not seconds"),
        ({"cost_usd": "-1"}, "'-1' is not USD"),
        ({"stpes": 1}, "stpes: Extra inputs"),
    ],
)
def test_a_result_that_is_no_limits_is_told_what_is(given: Any, why: str) -> None:
    """Whoever answers `raise` reads an example of what would do."""
    found = asked_for(given, "steps", LIMITS)
    assert isinstance(found, str)
    assert why in found
    assert '{"steps": "+20"}' in found


@pytest.mark.parametrize("field", ["steps", "calls", "tokens", "cost_usd", "wall_clock_seconds"])
def test_as_much_again_always_leaves_room(field: str) -> None:
    """Where nobody says how much, the agent gets what it had at first, from where it is now."""
    asked = as_much_again(field, LIMITS)
    spent = SPENT._replace(**{field: type(getattr(SPENT, field))(100_000)})
    found = raised(LIMITS, spent, asked)
    assert isinstance(found, LimitsSpec)
    assert getattr(found, field) == 100_000 + getattr(LIMITS, field)
    assert from_json(as_json(spent)) == spent


def test_another_version_of_the_agent_does_not_take_back_what_was_raised() -> None:
    """Its own limits hold, but for those that somebody raised further."""
    now = LIMITS.model_copy(update={"steps": 40, "calls": 60})
    raises = [LimitsRaised(by="dana", at="", after={"steps": 40, "calls": 60})]
    found = kept(LimitsSpec(steps=30, calls=100, tokens=5), now, raises)
    assert (found.steps, found.calls, found.tokens, found.cost_usd) == (40, 100, 5, None)


def test_what_raising_costs_is_told_at_the_rate_so_far() -> None:
    """Four steps cost $0.20, so three more cost about $0.15; as much money again costs that money."""
    assert may_cost_more("steps", LIMITS, SPENT) == Decimal("0.15")
    assert may_cost_more("cost_usd", LIMITS, SPENT) == Decimal("0.50")
    assert may_cost_more("calls", LIMITS, Spent()) == 0


@given(st.integers(1, 1000), st.integers(0, 2000))
def test_there_is_never_room_for_more_calls_than_allowed(limit: int, made: int) -> None:
    """What was made and what there is room for never exceed the limit."""
    room = room_for_calls(LimitsSpec(calls=limit), made)
    assert room >= 0
    assert made + room == max(limit, made)


@pytest.mark.parametrize(
    "amount,text", [("0", "$0.0000"), ("0.00421", "$0.0042"), ("1", "$1.00"), ("1234.5", "$1234.50")]
)
def test_money_is_written_as_people_read_it(amount: str, text: str) -> None:
    """Cents matter below a dollar, and not above."""
    assert money(Decimal(amount)) == text
