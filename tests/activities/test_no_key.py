"""A worker without a key for the model."""

from __future__ import annotations

import pytest

from holdfast import Agent, Finish, PlanView, Rules
from tests.stage import CLAUDE, SetStage


def plan(view: PlanView) -> Finish:
    """Answers without a model."""
    return Finish(f"by rules: {view.task}")


agent = Agent(name="keyless", instructions="Answer.", ladder=[CLAUDE, Rules(plan)])


async def test_without_a_key_the_next_rung_plans_at_once(
    stage: SetStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing key is a credentials failure that nobody retries: the rules plan, and the run says why."""
    async with stage(agent, []) as on:
        for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        run = await on.start("Hello")
        assert await run.result() == "by rules: Hello"
        notices = [event async for event in run.events() if event.kind == "notice"]
        assert [notice.data["kind"] for notice in notices] == ["credentials"]
        assert "ANTHROPIC_API_KEY" in notices[0].text
        history = await on.client.temporal.get_workflow_handle(run.id).fetch_history()
        started = [e.activity_task_started_event_attributes for e in history.events]
        assert {one.attempt for one in started if one.scheduled_event_id} == {1}
