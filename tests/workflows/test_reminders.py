"""Requests that nobody answers: people are reminded, others are asked too, and at the deadline it is a no."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest

from holdfast import Agent, Approval, tool
from holdfast.testing import ModelRequest, Step, call, say, time_skipping_env
from holdfast.worker import AlertSettings
from tests.stage import CLAUDE, setting
from tests.webhook import webhook

PATIENT = Approval(
    by="finops",
    remind_after=timedelta(hours=1),
    escalate_after=timedelta(hours=4),
    escalate_to="cfo",
    expires_in=timedelta(days=1),
)
HOUR = timedelta(hours=1, seconds=1)


@tool(effect="irreversible", approval=PATIENT)
async def pay(order: str) -> str:
    """Pay an order."""
    return f"paid {order}"


CASHIER = Agent(
    name="cashier", instructions="Pay.", tools=[pay], ladder=[CLAUDE], autonomy="full", budgets=[]
)


def play(request: ModelRequest) -> Step:
    """Pay once, and say what became of it."""
    return call("pay", order="A-1") if request.turn == 0 else say("Done.")


async def test_people_are_reminded_then_others_are_asked_too_then_it_is_denied(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Of two runs that wait alike, one is approved by whom it was escalated to, and one by nobody: two alerts in all."""
    caplog.set_level(logging.WARNING, "holdfast.parked")
    async with webhook() as hook, time_skipping_env() as env:
        on_stage = setting(env.client, monkeypatch)
        async with on_stage(
            CASHIER, play, exhausted=False, seconds=100, alerts=AlertSettings(hook.url)
        ) as on:
            runs = [await on.start(), await on.start()]
            handles = [on.client.temporal.get_workflow_handle(run.id) for run in runs]
            first = await runs[0].next_request()
            other = await runs[1].next_request()
            assert (first.reminded_at, first.escalated_at, first.asked) == (None, None, "finops")

            await env.fast_forward(handles[0], HOUR)
            await hook.posted(1)
            (waiting,) = await runs[0].requests()
            assert waiting.id == first.id
            assert waiting.reminded_at is not None
            assert not waiting.asks("cfo")

            await env.fast_forward(handles[0], 3 * HOUR)
            await hook.posted(2)
            (waiting,) = await runs[0].requests()
            assert (waiting.asked, waiting.asks("cfo")) == ("finops and cfo", True)
            shown = await handles[0].query("__temporal_workflow_metadata")
            assert "Waiting for finops and cfo" in shown.current_details
            await runs[0].approve(first, by="the cfo")
            assert await runs[0].result() == "Done."

            await env.fast_forward(handles[1])
            assert await runs[1].result() == "Done."
            (decision,) = (await runs[1].inspect()).decisions
            assert (decision.request, decision.choice, decision.via) == (other.id, "expire", "deadline")
            notices = [event.text async for event in runs[1].events() if event.kind == "notice"]
    assert len(notices) == 2
    assert notices[1] == f"{other.id} was not answered by finops: cfo is asked too"
    assert [(body["event"], body["where"]) for body in hook.bodies] == [
        ("request_waits", "finops"),
        ("request_escalated", "cfo"),
    ]
    assert hook.bodies[0]["commands"][1] == f"holdfast approve {runs[0].id} {first.id} --by YOUR-NAME"
    assert sum("reminded finops" in record.getMessage() for record in caplog.records) == 2
