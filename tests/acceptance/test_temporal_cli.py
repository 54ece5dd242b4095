"""Runs without Holdfast's own client: started, approved and read with the `temporal` program alone."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.cloud_costs import inventory, journal
from examples.cloud_costs.moto_server import MotoServer
from holdfast import Client
from holdfast.testing import DevServer
from tests.acceptance.command_line import CommandLine
from tests.acceptance.python_process import PATIENCE
from workers.dev_checks import find_temporal_binary


class TemporalCli:
    """The `temporal` program against one server."""

    def __init__(self, server: DevServer) -> None:
        self._server = server

    def __call__(self, *arguments: str) -> str:
        """Run a command that must succeed; returns what it printed."""
        command = [str(find_temporal_binary()), *arguments, "--address", self._server.address]
        done = subprocess.run(command, text=True, capture_output=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def result(self, run: str) -> dict[str, Any]:
        """The result of a run, once it has ended."""
        found: dict[str, Any] = json.loads(self("workflow", "result", "-w", run, "-o", "json"))["result"]
        return found


@pytest.fixture
def temporal_cli(temporal_server: DevServer) -> TemporalCli:
    return TemporalCli(temporal_server)


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory, temporal_server: DevServer) -> Iterator[str]:
    """A task queue where a worker process serves the cloud cost agent, with an account of its own."""
    name = f"temporal-cli-{uuid.uuid4().hex[:8]}"
    folder: Path = tmp_path_factory.mktemp("temporal-cli")
    cli = CommandLine(folder, ("--address", temporal_server.address, "--task-queue", name))
    with MotoServer() as moto, pytest.MonkeyPatch.context() as patch:
        for variable, value in moto.environment.items():
            patch.setenv(variable, value)
        inventory.load(inventory.machines(0))
        with cli.worker("examples.cloud_costs.agent", **moto.environment):
            yield name


async def test_the_temporal_cli_starts_a_run_and_a_signal_finishes_it(
    temporal_cli: TemporalCli, temporal_server: DevServer, queue: str
) -> None:
    """A run started by name and JSON asks for its approval; `temporal workflow signal` approves, and it ends.

    Nothing of Holdfast's client is used but to wait for the request. Dry, as nobody allowed more: the account
    is as it was.
    """
    run = f"by-cli-{uuid.uuid4().hex[:8]}"
    before = journal.states("eu-west-1")
    temporal_cli(
        "workflow", "start", "--type", "AgentRun", "--task-queue", queue, "--workflow-id", run,
        "--input", '{"agent": "cloud-costs", "task": "Cut our spend in eu-west-1"}',
    )  # fmt: skip
    request = await Client(await temporal_server.connect()).run(run).next_request()
    assert (request.kind, request.by, request.tool) == ("approval", "finops", "stop_instance")
    decision = json.dumps({"request": request.id, "by": "dana"})
    temporal_cli("workflow", "signal", "--workflow-id", run, "--name", "approve", "--input", decision)
    outcome = temporal_cli.result(run)
    assert outcome["status"] == "completed"
    approved = {effect["approved_by"] for effect in outcome["effects"] if effect["call"] == request.call}
    assert approved == {"dana"}
    assert {effect["outcome"] for effect in outcome["effects"]} == {"simulated"}
    assert journal.states("eu-west-1") == before


async def test_each_plan_and_call_is_an_activity_with_its_own_name_and_summary(
    temporal_cli: TemporalCli, queue: str
) -> None:
    """In history, and so in the UI, a step is an activity `plan` and one for each tool, summarised."""
    run = f"by-cli-{uuid.uuid4().hex[:8]}"
    temporal_cli(
        "workflow", "start", "--type", "AgentRun", "--task-queue", queue, "--workflow-id", run,
        "--input", '{"agent": "cloud-costs", "task": "Cut our spend in us-west-2"}',
    )  # fmt: skip
    temporal_cli.result(run)
    events = json.loads(temporal_cli("workflow", "show", "-w", run, "-o", "json"))["events"]
    scheduled = [event for event in events if "activityTaskScheduledEventAttributes" in event]
    types = [event["activityTaskScheduledEventAttributes"]["activityType"]["name"] for event in scheduled]
    assert types[:3] == ["plan", "find_idle_instances", "plan"]
    assert all(event["userMetadata"]["summary"] for event in scheduled)


def test_an_input_that_no_run_can_start_with_is_answered_with_what_is_valid(
    temporal_cli: TemporalCli, queue: str
) -> None:
    """A misspelled field ends the run at once, and its failure says what a run starts with."""
    run = f"by-cli-{uuid.uuid4().hex[:8]}"
    temporal_cli(
        "workflow", "start", "--type", "AgentRun", "--task-queue", queue, "--workflow-id", run,
        "--input", '{"agnet": "cloud-costs", "task": "…"}',
    )  # fmt: skip
    with pytest.raises(AssertionError):
        temporal_cli.result(run)
    failure = temporal_cli("workflow", "show", "-w", run, "-o", "json")
    assert "A run starts with a JSON object such as" in failure
    assert "agnet: Extra inputs are not permitted" in failure
