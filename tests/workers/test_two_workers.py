"""Two workers in one process, on one connection: each serves its own agents, both the accounts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from holdfast import Agent, Call, Finish, Model, PlanView, Rules
from holdfast.testing import finish
from tests.stage import SetStage


def plan(view: PlanView) -> Sequence[Call] | Finish:
    """Finish at once."""
    return Finish("planned")


@pytest.mark.parametrize("first_leaves", [True, False])
async def test_two_workers_share_one_client(
    stage: SetStage, monkeypatch: pytest.MonkeyPatch, first_leaves: bool
) -> None:
    """A second worker on the same client starts, and accounts are served until the last one is gone."""
    one = Agent(name="one", instructions="Report.", ladder=[Rules(plan)])
    two = Agent(name="two", instructions="Report.", ladder=[Model("claude-haiku-4-5")])
    async with stage(two, [finish(result="paid")]) as outer:
        async with stage(one) as inner:
            assert await inner.result() == "planned"
            if not first_leaves:
                monkeypatch.setenv("ANTHROPIC_BASE_URL", outer.model.base_url)
                assert await outer.result(user="erin") == "paid"
        if first_leaves:
            monkeypatch.setenv("ANTHROPIC_BASE_URL", outer.model.base_url)
            assert await outer.result(user="frank") == "paid"
