"""policies/conditions.py: conditions hold when they do, and when nobody can tell."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast import DefinitionError, arg
from holdfast.contracts.base import JsonObject
from holdfast.contracts.spec import AllOf, AnyOf, Compare, Condition, Operator
from policies.conditions import holds
from tests.strategies import any_values, json_objects, numbers

OPERATORS: tuple[Operator, ...] = (">", ">=", "<", "<=", "==", "!=", "in")

compares = st.builds(
    lambda op, value: Compare(kind="compare", argument="a", op=op, value=value),
    st.sampled_from(OPERATORS),
    any_values,
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    compares,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: AllOf(kind="all", conditions=tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(kind="any", conditions=tuple(parts))),
    ),
    max_leaves=4,
)


@given(conditions, any_values)
def test_there_is_an_answer_for_every_argument(condition: Condition, value: Any) -> None:
    """Nothing that an argument can be makes a condition raise."""
    assert holds(condition, {"a": value}) in (True, False)


@pytest.mark.parametrize("op", ["==", "!=", "in"])
def test_what_is_nested_too_deeply_to_be_compared_asks_the_human(op: Operator) -> None:
    """Two equal values of a thousand levels: nobody can tell, and nothing raises."""

    def deep() -> Any:
        value: Any = "leaf"
        for _ in range(1000):
            value = {"in": [value]}
        return value

    wanted = [deep()] if op == "in" else deep()
    assert holds(Compare.model_construct(kind="compare", argument="a", op=op, value=wanted), {"a": deep()})


@given(conditions, json_objects.map(lambda given: {k: v for k, v in given.items() if k != "a"}))
def test_a_missing_argument_asks_the_human(condition: Condition, arguments: JsonObject) -> None:
    """Without the argument there is doubt, and in doubt every condition holds."""
    assert holds(condition, arguments)


@given(st.sampled_from([">", ">=", "<", "<="]), numbers, any_values.filter(lambda v: not isinstance(v, str)))
def test_an_argument_that_is_no_number_asks_the_human(op: Operator, bound: float, value: Any) -> None:
    """Order against a number is doubtful for all that is no number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return
    assert holds(Compare(kind="compare", argument="a", op=op, value=bound), {"a": value})


@given(numbers, numbers)
def test_numbers_compare_however_they_are_spelled(left: float, right: float) -> None:
    """A Decimal is text in JSON: `"100.50"` compares as the number that it is."""
    expected = Decimal(str(left)) > Decimal(str(right))
    for given_value in (left, str(left)):
        for bound in (right, str(right)):
            assert (
                holds(Compare(kind="compare", argument="a", op=">", value=bound), {"a": given_value})
                is expected
            )


@pytest.mark.parametrize(
    "condition,value,expected",
    [
        (arg("a") > 100, 100, False),
        (arg("a") > 100, 100.01, True),
        (arg("a") > 100, "99.99", False),
        (arg("a") >= 100, 100, True),
        (arg("a") < 5, 5, False),
        (arg("a") <= 5, 5, True),
        (arg("a") > 100, "a lot", True),
        (arg("a") > "100", "1,000", True),
        (arg("a") < "100", "1,000", True),
        (arg("a") > 100, None, True),
        (arg("a") > 100, [1], True),
        (arg("a") > 100, True, True),
        (arg("a") > 100, "NaN", True),
        (arg("a") > 100, "Infinity", True),
        (arg("a") < 100, "Infinity", True),
        pytest.param(arg("a") > 100, 10**5000, True, id="huge"),
        (arg("a") < "2026-01-01", "2025-12-31", True),
        (arg("a") < "2026-01-01", "2026-01-01", False),
        (arg("a") == 1, 1.0, True),
        (arg("a") == 1, "1", True),
        (arg("a") == 1, True, False),
        (arg("a") == "prod", "prod", True),
        (arg("a") == "prod", "test", False),
        (arg("a") != "prod", "test", True),
        (arg("a") != "prod", "prod", False),
        (arg("a") != "prod", ["prod"], True),
        (arg("a").is_in(["prod", 1]), "prod", True),
        (arg("a").is_in(["prod", 1]), "1.0", True),
        (arg("a").is_in(["prod", 1]), "test", False),
        (Compare(kind="compare", argument="a", op="in", value="prod"), "test", True),
        ((arg("a") > 1) & (arg("a") < 9), 5, True),
        ((arg("a") > 1) & (arg("a") < 9), 9, False),
        ((arg("a") < 1) | (arg("a") > 9), 5, False),
        ((arg("a") < 1) | (arg("a") > 9), 10, True),
        ((arg("a") < 1) | (arg("b") > 9), 5, True),
    ],
)
def test_conditions_say_what_they_read_like(condition: Condition, value: Any, *, expected: bool) -> None:
    """`arg("a") > 100` holds of what is greater than 100, and of what nobody can compare with it."""
    assert holds(condition, {"a": value}) is expected


def test_half_a_condition_is_never_kept_silently() -> None:
    """`1 < arg("n") < 9` and `and` would drop one half in Python: they are refused where they are written."""
    for write in (
        lambda: 1 < arg("n") < 9,
        lambda: (arg("n") > 1) and (arg("n") < 9),
        lambda: not (arg("n") > 1),
    ):
        with pytest.raises(DefinitionError, match=r"join conditions with & and \|"):
            write()
