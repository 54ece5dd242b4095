"""What all tests share: one real Temporal server a session, and a stage for an agent with a scripted model."""

from __future__ import annotations

import pytest
import pytest_asyncio
from temporalio.client import Client as TemporalClient

from holdfast.testing import DevServer, temporal_server
from tests.stage import SetStage, setting

__all__ = ["temporal", "temporal_server"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal(temporal_server: DevServer) -> TemporalClient:  # noqa: F811  # the fixture
    """A client of the session's server."""
    return await temporal_server.connect()


@pytest.fixture
def stage(temporal: TemporalClient, monkeypatch: pytest.MonkeyPatch) -> SetStage:
    """Sets an agent to work: `async with stage(agent, [call(…), finish(…)]) as on: await on.run()`."""
    return setting(temporal, monkeypatch)
