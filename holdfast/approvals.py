"""When a call must be approved: by whom, under which condition, and what becomes of a request that nobody answers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from holdfast.contracts.base import Json
from holdfast.contracts.spec import AllOf, AnyOf, ApprovalSpec, Compare, Condition
from holdfast.errors import DefinitionError
from holdfast.promises import listed, seconds


class arg:  # noqa: N801  # it reads as a word in a condition: arg("amount") > 100
    """An argument of the call, to compare: `arg("monthly_cost_usd") > 100`.

    Conditions join with `&` and `|`. They are data, so they hash, replay, and work for remote tools. A
    missing argument, or one that cannot be compared, makes the condition true: the human is asked.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def _compare(self, op: Any, value: Json) -> Compare:
        return Compare(kind="compare", argument=self._name, op=op, value=value)

    def __gt__(self, value: Json) -> Compare:
        return self._compare(">", value)

    def __ge__(self, value: Json) -> Compare:
        return self._compare(">=", value)

    def __lt__(self, value: Json) -> Compare:
        return self._compare("<", value)

    def __le__(self, value: Json) -> Compare:
        return self._compare("<=", value)

    def __eq__(self, value: object) -> Compare:  # type: ignore[override]  # a condition, not a bool
        return self._compare("==", value)

    def __ne__(self, value: object) -> Compare:  # type: ignore[override]  # a condition, not a bool
        return self._compare("!=", value)

    def is_in(self, values: Sequence[Json]) -> Compare:
        """True when the argument is one of `values`. Raises DefinitionError when they have no order."""
        return self._compare("in", list(listed(f"arg({self._name!r}).is_in(…)", values)))

    __hash__ = None  # type: ignore[assignment]  # `==` does not compare


def Approval(  # noqa: N802  # a value an author writes; the class behind it is a contract
    *,
    by: str = "operator",
    when: Condition | None = None,
    expires_in: timedelta | None = None,
    remind_after: timedelta | None = None,
    escalate_after: timedelta | None = None,
    escalate_to: str | None = None,
) -> ApprovalSpec:
    """A human must approve the call. Raises DefinitionError.

    Args:
        by: Who is asked: a role or team.
        when: Ask only when this holds of the arguments, such as `arg("cost_usd") > 100`; None asks always.
        expires_in: Unanswered this long, the request is denied; None waits for ever.
        remind_after: Unanswered this long, people are reminded once: by the alert webhook and the worker's log.
        escalate_after: Unanswered this long, `escalate_to` is asked too, and told of it in the same way.
        escalate_to: Whom else to ask then: a role or team.
    """
    if not by.strip():
        raise DefinitionError("Approval: say in `by` who is asked, such as by='finops'.")
    if when is not None and not isinstance(when, Compare | AllOf | AnyOf):
        raise DefinitionError(f"Approval: when={when!r} is no condition, such as arg('cost_usd') > 100.")
    expires = None if expires_in is None else seconds("Approval: expires_in", expires_in)
    remind = None if remind_after is None else seconds("Approval: remind_after", remind_after)
    escalate = None if escalate_after is None else seconds("Approval: escalate_after", escalate_after)
    for name, after in (("remind_after", remind), ("escalate_after", escalate)):
        if after is not None and expires is not None and after >= expires:
            raise DefinitionError(
                f"Approval: {name} must be shorter than expires_in: after that nobody can answer any more."
            )
    whom = _escalation(by, escalate_to, after=escalate)
    return ApprovalSpec(
        by=by,
        when=when,
        expires_in_seconds=expires,
        remind_after_seconds=remind,
        escalate_after_seconds=escalate,
        escalate_to=whom,
    )


def _escalation(by: str, to: str | None, *, after: float | None) -> str:
    """Whom it is escalated to; empty: nobody. Raises DefinitionError."""
    if after is None and to is None:
        return ""
    if after is None or to is None or not to.strip():
        raise DefinitionError(
            "Approval: escalate_after and escalate_to belong together, such as "
            "escalate_after=timedelta(hours=4), escalate_to='head-of-finance'."
        )
    if to.strip().casefold() == by.strip().casefold():
        raise DefinitionError(f"Approval: escalate_to={to!r} is who is asked already; name somebody else.")
    return to
