"""A stand-in AWS account in its own process, filled with the inventory once for all tests of the examples."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.cloud_costs.inventory import Inventory, load
from examples.cloud_costs.journal import Journal
from examples.cloud_costs.moto_server import MotoServer


@pytest.fixture(scope="session")
def moto() -> Iterator[MotoServer]:
    with MotoServer() as server, pytest.MonkeyPatch.context() as patch:
        patch.delenv("AWS_PROFILE", raising=False)
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(scope="session")
def account(moto: MotoServer) -> Inventory:
    """The inventory. Tests that write pick a machine that no other test uses."""
    return load()


@pytest.fixture
def journal(moto: MotoServer) -> Journal:
    """The writing requests that reach the server from here on."""
    return Journal(moto.recording)
