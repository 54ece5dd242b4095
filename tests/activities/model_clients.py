"""How the tests ask a scripted model: with the real SDK, streamed or not, and with the bare events of the wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

from anthropic import AsyncAnthropic
from anthropic.types import Message

from holdfast.testing import MessagesServer

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
TOOL: dict[str, Any] = {"name": "look", "input_schema": {"type": "object"}}


def client_of(server: MessagesServer) -> AsyncAnthropic:
    return AsyncAnthropic(api_key="test", base_url=server.base_url, max_retries=0, timeout=20)


async def streamed(client: AsyncAnthropic, messages: list[Any] = HELLO, **more: Any) -> Message:
    async with client.messages.stream(model="m-1", max_tokens=100, messages=messages, **more) as stream:
        return await stream.get_final_message()


async def created(client: AsyncAnthropic, messages: list[Any] = HELLO, **more: Any) -> Message:
    message: Message = await client.messages.create(model="m-1", max_tokens=100, messages=messages, **more)
    return message


async def raw_events(client: AsyncAnthropic, messages: list[Any] = HELLO) -> AsyncIterator[Any]:
    stream = await client.messages.create(model="m-1", max_tokens=100, messages=messages, stream=True)
    async for event in stream:
        yield event


async def wire_events(client: AsyncAnthropic) -> list[dict[str, Any]]:
    """The events as they stand in the stream; each is named by its own type."""
    ask = client.messages.with_raw_response.create
    response = await ask(model="m-1", max_tokens=100, messages=HELLO, stream=True)
    assert response.headers["content-type"].startswith("text/event-stream")
    text = (await response.http_response.aread()).decode()
    names = [line.removeprefix("event: ") for line in text.splitlines() if line.startswith("event: ")]
    events = [
        json.loads(line.removeprefix("data: ")) for line in text.splitlines() if line.startswith("data: ")
    ]
    assert names == [event["type"] for event in events]
    return events
