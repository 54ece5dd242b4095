"""The fixtures of the fault tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from holdfast.testing import DevServer
from tests.faults.processes import Mother
from tests.faults.world import World, world


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def mother() -> AsyncIterator[Mother]:
    """Whoever forks the workers of all worlds."""
    async with Mother.start() as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def faulty(
    temporal_server: DevServer, mother: Mother, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """A world on the session's server; each test names its runs differently."""
    async with world(temporal_server, mother, tmp_path_factory.mktemp("workers")) as made:
        yield made
