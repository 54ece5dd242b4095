"""The cloud cost agent as the fault tests serve it: on its rules, as it is, and one whose runs fail at their end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from examples.cloud_costs.agent import cloud_costs, plan_by_rules
from holdfast import Agent, Call, Finish, PlanView, Rules


def fail_at_the_end(view: PlanView) -> Sequence[Call] | Finish:
    """Plans as the rules do, and then calls it a failure."""
    planned = plan_by_rules(view)
    if isinstance(planned, Finish):
        return Finish(planned.output, "failed", "the savings are not what was promised")
    return planned


by_rules = cloud_costs.but(ladder=[Rules(plan_by_rules)])
regretting = cloud_costs.but(name="regretting", ladder=[Rules(fail_at_the_end)], on_failure="rollback")

AGENTS: list[Agent[Any]] = [by_rules, regretting]
