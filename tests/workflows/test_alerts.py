"""Alerts of parked runs: one for a cause, whatever becomes of it, and no run waits for it."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import WorkflowHandle
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Replayer

from activities.alerts import raise_alert
from holdfast import Agent, Worker
from holdfast.contracts import names
from holdfast.contracts.alerts import AlertOutcome
from holdfast.testing import fault, say, time_skipping_env
from holdfast.worker import AlertSettings, HoldfastPlugin
from tests.policies.test_alerts import ALERT
from tests.stage import CLAUDE, SetStage, Stage, unique
from tests.webhook import webhook

SHOP = Agent(name="shop", instructions="Pay.", ladder=[CLAUDE])
DOWN = fault(401, "no such key (request req_011CSHoEeqs5C35K2UUqR7Fy)")


async def alert_of(on: Stage, run: str) -> WorkflowHandle[object, AlertOutcome]:
    """The alert about what has parked a run."""
    note = (await on.client.run(run).inspect()).parked
    assert note is not None
    id_ = f"holdfast-alert/{on.client.task_queue}/{note.fingerprint}"
    return on.client.temporal.get_workflow_handle(id_, result_type=AlertOutcome)


async def test_a_cause_is_told_once(stage: SetStage, caplog: pytest.LogCaptureFixture) -> None:
    """Of two runs at once, and one that parks again, there is one alert; each is a line in the worker's log."""
    async with webhook() as hook:
        script = [DOWN, DOWN, DOWN, say("ok"), say("ok")]
        async with stage(SHOP, script, alerts=AlertSettings(hook.url)) as on:
            runs = await asyncio.gather(on.start(), on.start())
            first = [await run.next_request(kind="parked") for run in runs]
            alert = await alert_of(on, runs[0].id)
            await hook.posted(1)
            await runs[0].redrive(by="dana")
            again = None
            while again is None:
                again = next((one for one in await runs[0].requests() if one.id != first[0].id), None)
            for run in runs:
                await run.redrive(by="dana")
                assert await run.result() == "ok"
            assert (await alert.describe()).close_time is None
            await alert.terminate("the test is over")
    assert len(hook.posts) == 1
    lines = [r.getMessage() for r in caplog.records if r.name == "holdfast.parked"]
    assert sum("a person must move it on: planner claude-sonnet-5 failed" in line for line in lines) == 3


async def test_after_the_quiet_time_one_alert_says_how_many_followed() -> None:
    """The first run is told at once, the others when the hour is over: each once. Then nothing is left to tell."""
    async with webhook() as hook, time_skipping_env() as env:
        settings = AlertSettings(hook.url)
        raise_one, activity_env = raise_alert(settings), ActivityEnvironment(client=env.client)
        async with Worker(env.client, [SHOP], task_queue="test", alerts=settings, strict_sandbox=True):
            await activity_env.run(raise_one, ALERT)
            await hook.posted(1)
            for run, at in (("ticket-89", "03:01"), ("ticket-90", "03:02"), ("ticket-89", "03:05")):
                await activity_env.run(raise_one, ALERT.model_copy(update={"run": run, "parked_at": at}))
            alert = env.client.get_workflow_handle(f"holdfast-alert/test/{ALERT.fingerprint}")
            await env.fast_forward(alert)
            assert await alert.result() == {"sent_to": "127.0.0.1", "quiet_seconds": 3600.0, "problem": ""}

            goes_on = ALERT.model_copy(update={"more": 3, "quiet_until": "2026-11-21T04:00:00Z"})
            another = await env.client.start_workflow(
                names.PARKED_ALERT,
                goes_on,
                id=unique("goes-on"),
                task_queue="test",
                start_signal=names.ALERT_AGAIN,
                start_signal_args=[ALERT],
            )
            await hook.posted(3)
            await another.terminate("the test is over")
        await Replayer(workflows=[], plugins=[HoldfastPlugin([SHOP])]).replay_workflow(
            await alert.fetch_history()
        )
    assert [(body["run"], body["more"]) for body in hook.bodies] == [("ticket-88", n) for n in (0, 2, 4)]
    assert hook.bodies[1]["commands"][0] == f"holdfast parked list --group {ALERT.fingerprint}"


async def test_an_alert_that_fails_stops_nothing_and_silences_nothing(stage: SetStage) -> None:
    """The webhook refuses the first alert: the run is redriven as ever, and the next one that parks is told of."""
    async with webhook((404, {})) as hook:
        script = [DOWN, say("ok"), DOWN, say("ok")]
        async with stage(SHOP, script, alerts=AlertSettings(hook.url, quiet_seconds=0)) as on:
            for answered in (404, 200):
                run = await on.start()
                await run.next_request(kind="parked")
                outcome = await (await alert_of(on, run.id)).result()
                assert outcome == (
                    AlertOutcome(problem="the alert webhook at 127.0.0.1 answered 404: no_team")
                    if answered == 404
                    else AlertOutcome(sent_to="127.0.0.1")
                )
                await run.redrive(by="dana")
                assert await run.result() == "ok"
    assert [body["run"] for body in hook.bodies] == [run.id for run in on.runs]
