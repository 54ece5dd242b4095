"""Does a condition on a call's arguments hold? When in doubt it does, so that a human is asked."""

from decimal import Decimal, InvalidOperation
from typing import Any

from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.spec import AllOf, AnyOf, Compare, Condition


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
        return _same(given, wanted)
    if condition.op == "!=":
        return not _same(given, wanted)
    if condition.op == "in":
        return any(_same(given, one) for one in wanted) if isinstance(wanted, list) else True
    left, right = _number(given), _number(wanted)
    if left is None or right is None:
        if not (isinstance(given, str) and isinstance(wanted, str)):
            return True
        return _order(condition.op, given, wanted)
    return _order(condition.op, left, right)


def _same(left: Json, right: Json) -> bool:
    first, second = _number(left), _number(right)
    if first is not None and second is not None:
        return first == second
    return type(left) is type(right) and left == right


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
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
