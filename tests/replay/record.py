"""Records the histories anew, on the real server: `python -m tests.replay.record`. Run it when a version is released.

`python -m tests.replay.record FOLDER` leaves the recorded ones alone and writes to another folder.

Everything that is not the engine's decision is taken out of them: the recorder's process, host and folders.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from temporalio import activity
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowFailureError, WorkflowHistory
from temporalio.worker import Worker as TemporalWorker

from holdfast import Client, Run, Worker
from holdfast.testing import MessagesServer, dev_server
from tests.replay.agents import AGENTS, REMOTE_QUEUE
from tests.replay.recorded import EXPECTED, HISTORIES, REPOSITORY, outcome_status
from tests.replay.scenarios import SCENARIOS, Scenario

LONGEST = 20.0
"""Seconds for one scenario."""

ENDS_EARLY = {"cancelled", "parked_and_discarded"}
"""Scenarios that somebody ends before the model has said its last."""


@activity.defn(name="convert")
async def convert(asked: dict[str, Any]) -> dict[str, Any]:
    """The remote tool: a worker that knows nothing of Holdfast."""
    return {"converted": asked["arguments"]["amount"] * 2}


async def record() -> dict[str, WorkflowHistory]:
    """Run every scenario; their histories."""
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)  # most scenarios are about failures
    async with dev_server() as server:
        temporal = await server.connect(identity="recorder")
        worker = Worker(temporal, AGENTS, strict_sandbox=True, identity="recorder")
        remote = TemporalWorker(temporal, task_queue=REMOTE_QUEUE, activities=[convert], identity="recorder")
        async with worker, remote:
            histories = {name: await _run(temporal, name, one) for name, one in SCENARIOS.items()}
    await asyncio.sleep(0.1)  # the SDK's own threads end
    return histories


def store(histories: dict[str, WorkflowHistory], folder: Path) -> None:
    """Write the histories, and what to expect of them, in the place of what was there."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.json"):
        old.unlink()
    for name, history in histories.items():
        (folder / f"{name}.json").write_text(compact(history) + "\n", encoding="utf-8")
    (folder / EXPECTED.name).write_text(_expectations(histories), encoding="utf-8")


async def _run(temporal: TemporalClient, name: str, scenario: Scenario) -> WorkflowHistory:
    client = Client(temporal)
    async with asyncio.timeout(LONGEST), MessagesServer(scenario.script) as model:
        os.environ |= {"ANTHROPIC_BASE_URL": model.base_url, "ANTHROPIC_API_KEY": "recorder"}
        if scenario.given is not None:
            handle = await temporal.start_workflow("AgentRun", scenario.given, id=name, task_queue="holdfast")
            run: Run[Any] = client.run(name)
        else:
            run = await client.start(scenario.agent, f"Scenario {name}.", id=name, user="ana")
            handle = temporal.get_workflow_handle(name)
        if scenario.acts is not None:
            await scenario.acts(run)
        try:
            await handle.result()
        except WorkflowFailureError as error:
            print(f"  {name}: {error.cause}")
        if name not in ENDS_EARLY:
            model.assert_exhausted()
    history = await handle.fetch_history()
    print(f"{name}: {outcome_status(history)}, {len(history.events)} events")
    return history


def compact(history: WorkflowHistory) -> str:
    """The history as JSON without spaces, and without the folders of the machine that recorded it."""
    text = json.dumps(json.loads(history.to_json()), separators=(",", ":"), ensure_ascii=False)
    for folder, name in (
        (sysconfig.get_paths()["purelib"], "site-packages"),
        (sysconfig.get_paths()["stdlib"], "python"),
        (str(REPOSITORY), "holdfast"),
        (str(Path.home()), "home"),
    ):
        text = text.replace(json.dumps(folder)[1:-1] + "/", f"{name}/")
    return text


def _expectations(histories: dict[str, WorkflowHistory]) -> str:
    head = "# What each recorded history holds. Written by `python -m tests.replay.record`; a missing history fails.\n"
    parts = [
        f'[{name}]\nevents = {len(history.events)}\nstatus = "{outcome_status(history)}"\n'
        for name, history in sorted(histories.items())
    ]
    return head + "\n" + "\n".join(parts)


if __name__ == "__main__":
    store(asyncio.run(record()), Path(sys.argv[1]) if len(sys.argv) > 1 else HISTORIES)
    sys.stdout.flush()
