"""What all tests share: one real Temporal server a session, and a stage for an agent with a scripted model."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client as TemporalClient

from holdfast.testing import DevServer, temporal_server
from tests.stage import SetStage, setting

__all__ = ["temporal", "temporal_server"]


def pytest_configure(config: pytest.Config) -> None:
    """Let the SDK warn of a race that is none of ours, and Ctrl-C reach the programs that tests start.

    The race is a call that ends in the moment in which it is cancelled. A shell's background jobs ignore Ctrl-C, and
    so would every program that they start.
    """
    config.addinivalue_line("filterwarnings", "ignore:Cannot find activity to cancel:UserWarning")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


SLOW = ("acceptance", "failure_modes", "faults", "workflows")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Side by side, begin with the folders whose files take long: one begun last is waited for alone.

    Their files take turns, since some wait, where others compute.
    """
    if hasattr(config, "workerinput"):  # a worker of xdist
        root = config.rootpath / "tests"
        files = dict.fromkeys(item.path for item in items)
        places: dict[Path, float] = {}
        for folder in SLOW:
            own = [path for path in files if path.relative_to(root).parts[0] == folder]
            places |= {path: number / len(own) for number, path in enumerate(own)}
        items.sort(key=lambda item: places.get(item.path, 1.0))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal(temporal_server: DevServer) -> TemporalClient:
    """A client of the session's server."""
    return await temporal_server.connect()


@pytest.fixture
def stage(temporal: TemporalClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SetStage:
    """A function that sets an agent to work, planned for by a script; see `tests/stage.py`."""
    monkeypatch.setenv("HOLDFAST_ARTIFACTS", str(tmp_path / "artifacts"))
    return setting(temporal, monkeypatch)
