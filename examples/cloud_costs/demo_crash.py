"""The middle of the demo: a worker is killed while AWS has done what it asked and has not yet answered."""

from __future__ import annotations

import asyncio
from typing import Any

from temporalio.client import WorkflowExecutionDescription

from examples.cloud_costs.demo_screen import many
from examples.cloud_costs.demo_stage import Stage
from holdfast.client import Run

TOOL = "snapshot_instance"
WRITE = "CreateSnapshot"
"""What that tool asks of AWS."""

_GATHER = 0.5  # seconds for the other calls of the step to reach AWS too
_POLL = 0.2  # seconds between looks at what sends no event


async def kill_in_the_middle(stage: Stage, run: Run[Any]) -> None:
    """Kills the worker once AWS's answer to a write is on the wire, and starts another.

    Never returns when the agent writes nothing that is held.
    """
    screen, wire, worker = stage.screen, stage.wire, stage.workers[-1]
    await wire.holding.wait()
    await asyncio.sleep(_GATHER)
    while TOOL not in stage.under_way.values():  # noqa: ASYNC110  # the screen shows the call before its end
        await asyncio.sleep(_POLL)
    stage.cut_off = set(stage.under_way)
    steps = (await _describe(stage, run)).history_length
    screen.heading("The worker dies in the middle of a write")
    screen.say(f"AWS has taken {many(len(wire.held), 'snapshot')}; its answer is still on the wire.")
    worker.kill()
    wire.drop()
    screen.say(f"kill -9 {worker.pid}: worker {worker.number} is gone, and the answer with it", "bold red")
    screen.explain(f"The run is not: its {steps} events are in Temporal's database.")
    stage.start_worker()
    seconds = round(await _silence_noticed(stage, run))
    calls = many(len(stage.cut_off), "call")
    screen.say(f"{seconds} s of silence: the server hands {calls} to worker 2", "bold")
    screen.explain("It rebuilds the run from its events. Each call keeps its idempotency key.")
    screen.wait_for("worker 2 goes on")


def tell_survival(stage: Stage, call: str) -> None:
    """Says, once the last of the interrupted calls has ended, what AWS was asked for in both attempts together."""
    if call not in stage.cut_off:
        return
    stage.cut_off.discard(call)
    if stage.cut_off or stage.journal is None:
        return
    asked = [one.resource for one in stage.journal.writes(WRITE)]
    count = f"AWS was asked for {many(len(asked), 'snapshot')} of {many(len(set(asked)), 'volume')} in all"
    if len(asked) == len(set(asked)):
        stage.screen.say(f"{count}: none was taken twice", "bold green")
    else:
        stage.screen.say(count, "bold red")


async def _describe(stage: Stage, run: Run[Any]) -> WorkflowExecutionDescription:
    return await stage.client.temporal.get_workflow_handle(run.id).describe()


async def _silence_noticed(stage: Stage, run: Run[Any]) -> float:
    """Waits until the server has given up the killed worker's calls; returns after how many seconds."""
    stage.screen.wait_for("waiting for a sign of life from worker 1's calls")
    loop = asyncio.get_running_loop()
    began = loop.time()
    while True:
        pending = (await _describe(stage, run)).raw_description.pending_activities
        if all(one.attempt > 1 for one in pending):
            return loop.time() - began
        await asyncio.sleep(_POLL)
