"""policies/ladder.py: which planner is asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.spec import AgentSpec, HumanRung, ModelRung, RulesRung
from policies.ladder import (
    STEPS_BEFORE_BEST_IS_TRIED_AGAIN,
    is_human,
    next_planner,
    next_rung,
    planner_below,
    rung_to_try,
)


@given(st.integers(1, 6))
def test_the_ladder_is_climbed_down_rung_by_rung(rungs: int) -> None:
    """Each rung is followed by the one below it, and the last by none."""
    ladder = tuple(ModelRung(kind="model", model=f"m{number}") for number in range(rungs))
    spec = AgentSpec(name="a", instructions="", ladder=ladder)
    visited: list[int] = [0]
    while (below := next_rung(spec, visited[-1])) is not None:
        visited.append(below)
    assert visited == list(range(rungs))


@given(st.integers(0, 5), st.integers(1, 100), st.integers(0, 100))
def test_the_best_planner_gets_another_chance(current: int, failed_at: int, later: int) -> None:
    """Some steps after a fall the best rung is tried again; until then the lower one plans."""
    found = rung_to_try(current, failed_at, failed_at + later)
    assert found == (0 if later >= STEPS_BEFORE_BEST_IS_TRIED_AGAIN else current)


@given(st.integers(0, 5), st.integers(1, 100))
def test_without_a_fall_the_rung_stays(current: int, step: int) -> None:
    """Nothing moves a run off the rung that works."""
    assert rung_to_try(current, None, step) == current


@given(st.integers(1, 5), st.integers(1, 100), st.integers(0, 100))
def test_a_person_plans_one_step_at_a_time(current: int, failed_at: int, later: int) -> None:
    """After each step that a person has planned the best rung is tried again."""
    found = rung_to_try(current, failed_at, failed_at + later, human=True)
    assert found == (0 if later else current)


def test_who_stands_below_whom() -> None:
    """Where money is short a person is passed over; and a breaker is waited for where only people stand below."""
    model, rules = ModelRung(kind="model", model="m"), RulesRung(kind="rules", function="f")
    spec = AgentSpec(
        name="a",
        instructions="",
        ladder=(model, HumanRung(kind="human", by="ops"), rules, HumanRung(kind="human", by="boss")),
    )
    assert [is_human(spec, rung) for rung in range(4)] == [False, True, False, True]
    assert [next_planner(spec, rung) for rung in range(4)] == [2, 2, None, None]
    assert [planner_below(spec, rung) for rung in range(4)] == [True, True, False, False]
