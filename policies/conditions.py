"""Does a condition on a call's arguments hold? When in doubt it does, so that a human is asked."""

from decimal import Decimal, InvalidOperation
from typing import Any

from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.spec import AllOf, AnyOf, Compare, Condition
from policies.json_safety import faults


def holds(condition: Condition, arguments: JsonObject) -> bool:
    """Whether it holds; True also when an argument is missing or cannot be compared."""
    match condition:
        case AllOf():
            return all(holds(part, arguments) for part in condition.conditions)
        case AnyOf():
            return any(holds(part, arguments) for part in condition.conditions)
        case Compare():
            if condition.argument not in arguments:
                return True
            return _compare(condition, arguments[condition.argument])


def _compare(condition: Compare, given: Json) -> bool:
    wanted = condition.value
    if condition.op == "==":
        return _same(given, wanted) is not False
    if condition.op == "!=":
        return _same(given, wanted) is not True
    if condition.op == "in":
        return any(_same(given, one) is not False for one in wanted) if isinstance(wanted, list) else True
    left, right = _number(given), _number(wanted)
    if left is not None and right is not None:
        return _order(condition.op, left, right)
    texts = isinstance(given, str) and isinstance(wanted, str) and left is None and right is None
    return _order(condition.op, given, wanted) if texts else True  # "1,000" is not smaller than "100"


def _same(left: Json, right: Json) -> bool | None:
    """Whether they are equal; None where one is no JSON that is safe to look at, such as one nested too deeply."""
    first, second = _number(left), _number(right)
    if first is not None and second is not None:
        return first == second
    if type(left) is not type(right):
        return False
    return None if faults(left) or faults(right) else bool(left == right)


def _order(op: str, left: Any, right: Any) -> bool:
    match op:
        case ">":
            return bool(left > right)
        case ">=":
            return bool(left >= right)
        case "<":
            return bool(left < right)
        case _:
            return bool(left <= right)


def _number(value: Json) -> Decimal | None:
    """The value as a number, also when it is spelled as text (as Decimals are in JSON)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except (InvalidOperation, ValueError):  # no number, or one of thousands of digits
        return None
    return number if number.is_finite() else None
