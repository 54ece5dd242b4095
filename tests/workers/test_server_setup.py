"""What is added to a server before runs can be recorded on it, and what is told when that cannot be done."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import Client

from holdfast.connection import connect
from holdfast.testing.dev_server import DevServer, dev_server, temporal_server
from workers.dev_config import SearchAttributeType
from workers.server_setup import ServerSetupError, ensure_namespace, ensure_search_attributes

__all__ = ["temporal_server"]  # a fixture


@pytest.fixture(scope="module")
async def client(temporal_server: DevServer) -> Client:
    """A client of a namespace that was registered for these tests."""
    client = await connect(temporal_server.address, "server-setup")
    assert await ensure_namespace(client)
    return client


async def test_a_registered_namespace_can_be_used_at_once(client: Client) -> None:
    """When registering returns, the namespace takes runs; registering it again changes nothing."""
    await client.start_workflow("AgentRun", id="first", task_queue="nobody")
    assert not await ensure_namespace(client)


async def test_search_attributes_are_added_once_by_many(client: Client) -> None:
    """Workers that start at the same moment all succeed, and the attributes are there at once."""
    added = await asyncio.gather(*[ensure_search_attributes(client, {"Team": "Keyword"}) for _ in range(8)])
    assert ["Team"] in added
    assert await ensure_search_attributes(client, {"Team": "Keyword"}) == []


@pytest.mark.parametrize("kind", ["Text", "Keyword", "Int", "Double", "Bool", "Datetime", "KeywordList"])
async def test_an_attribute_of_another_type_is_told(client: Client, kind: SearchAttributeType) -> None:
    """An attribute that exists with another type is named with both types; nothing is changed."""
    mine, fresh = f"Mine{kind}", f"Fresh{kind}"
    await ensure_search_attributes(client, {mine: kind})
    other: SearchAttributeType = "Bool" if kind != "Bool" else "Text"
    with pytest.raises(ServerSetupError, match=f"{mine} is {kind}, not {other}"):
        await ensure_search_attributes(client, {mine: other, fresh: "Keyword"})
    assert await ensure_search_attributes(client, {fresh: "Keyword"}) == [fresh]


async def test_a_server_that_went_away_is_told() -> None:
    """Setting up a server that stopped answering is an error that says what could not be done."""
    async with dev_server() as server:
        client = await server.connect()
        server.kill()
        with pytest.raises(ServerSetupError, match="failed to list or add them"):
            await ensure_search_attributes(client)
        with pytest.raises(ServerSetupError, match="Cannot look at namespace default"):
            await ensure_namespace(client)
