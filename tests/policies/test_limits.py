"""policies/limits.py: limits are hard, and money has a ceiling."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.plans import Usage
from holdfast.contracts.spec import LimitsSpec
from policies.limits import money, reached, room_for_calls

LIMITS = LimitsSpec(steps=3, calls=5, tokens=10_000, cost_usd=Decimal("0.50"), wall_clock_seconds=60)


def used(**facts: Any) -> str | None:
    """The limit that is reached with this much used, all else being little."""
    spent = {"steps": 0, "calls": 0, "seconds": 0.0, "usage": Usage(), **facts}
    return reached(LIMITS, **spent)


@pytest.mark.parametrize(
    "below,at,words",
    [
        ({"steps": 2}, {"steps": 3}, "the limit of 3 steps"),
        ({"calls": 4}, {"calls": 5}, "the limit of 5 calls"),
        (
            {"usage": Usage(input_tokens=9_999)},
            {"usage": Usage(input_tokens=4_000, output_tokens=3_000, cache_read_tokens=3_000)},
            "the limit of 10,000 tokens",
        ),
        (
            {"usage": Usage(cost_usd=Decimal("0.499999"))},
            {"usage": Usage(cost_usd=Decimal("0.50"))},
            "the limit of $0.50",
        ),
        ({"seconds": 59.9}, {"seconds": 60.0}, "the limit of 60 s"),
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
    assert used(usage=Usage(unpriced=1)) == "the limit of $0.50, since a model without a known price was used"
    assert reached(LimitsSpec(), steps=0, calls=0, seconds=0.0, usage=Usage(unpriced=9)) is None


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 1e9), st.decimals(0, 1000, places=6))
def test_without_limits_of_their_own_runs_still_end(
    steps: int, calls: int, seconds: float, cost: Decimal
) -> None:
    """Steps and calls are limited always: 20 and 50, unless the agent says otherwise."""
    found = reached(LimitsSpec(), steps=steps, calls=calls, seconds=seconds, usage=Usage(cost_usd=cost))
    assert (found is not None) is (steps >= 20 or calls >= 50)


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
