"""What the tests of the command line share: one server, and one worker process that serves `parcels`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.testing import DevServer
from tests.acceptance.command_line import MOTHER, CommandLine


def _command_line(folder: Path, server: DevServer) -> CommandLine:
    queue = f"cli-{uuid.uuid4().hex[:8]}"
    return CommandLine(
        folder, ("--address", server.address, "--task-queue", queue), {"HOLDFAST_USER": "dana"}
    )


@pytest.fixture(scope="session", autouse=True)
def a_mother_that_ends() -> Iterator[None]:
    """What runs the commands is gone when the tests are over."""
    yield
    MOTHER.end()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, temporal_server: DevServer) -> Iterator[CommandLine]:
    """The command line on a task queue where a worker serves the agent `parcels`; dana is at the keyboard."""
    cli = _command_line(tmp_path_factory.mktemp("cli"), temporal_server)
    with cli.worker():
        yield cli


@pytest.fixture
def unserved(tmp_path: Path, temporal_server: DevServer) -> CommandLine:
    """The command line on a task queue of its own, which no worker serves."""
    return _command_line(tmp_path, temporal_server)


@pytest.fixture
def nowhere(tmp_path: Path) -> CommandLine:
    """The command line where no server is named, or at hand."""
    return CommandLine(tmp_path, env={"TEMPORAL_ADDRESS": "127.0.0.1:1"})
