"""policies/ladder.py: which planner is asked."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.spec import AgentSpec, ModelRung
from policies.ladder import STEPS_BEFORE_BEST_IS_TRIED_AGAIN, next_rung, rung_to_try


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
