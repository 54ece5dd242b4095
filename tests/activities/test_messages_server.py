"""The scripted model answers the real SDK over HTTP as the Messages API does."""

from __future__ import annotations

import asyncio
import json
import math

import pytest
from anthropic import Anthropic

from holdfast.testing import (
    MessagesServer,
    RawJson,
    answer,
    call,
    hang,
    raw_tool_call,
    say,
    slow,
    thinking,
    truncated_tool_call,
)
from tests.activities.model_clients import HELLO, client_of, created, raw_events, streamed, wire_events

RICH = answer(
    [
        thinking("Two are idle. " * 20),
        thinking("", signature="sig-of-nothing"),
        {"type": "redacted_thinking", "data": "b2s="},
        {"type": "text", "text": "Grüße, 世界 \x00 " * 30},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "idle"}},
        {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []},
        {"type": "tool_use", "name": "look", "input": {"where": ["a", {"b": 1.5}], "n": None}},
        {"type": "tool_use", "name": "look", "input": {}, "id": "toolu_given"},
    ],
    stop_reason="tool_use",
)


async def test_streamed_and_plain_answers_hold_the_same_message() -> None:
    """What the SDK gathers from the events is what it reads from the JSON body."""
    async with MessagesServer([RICH, RICH]) as server, client_of(server) as client:
        gathered, read = await streamed(client), await created(client)
    # The SDK adds a null `stop_details` to what it gathers.
    assert {**gathered.to_dict(), "stop_details": None} == {**read.to_dict(), "stop_details": None}
    assert [block.type for block in read.content] == [block["type"] for block in RICH.content]
    assert read.content[6].to_dict()["input"] == {"where": ["a", {"b": 1.5}], "n": None}
    assert [call.id for call in server.calls_made] == ["toolu_1", "toolu_given"] * 2


async def test_a_stream_has_the_events_of_the_real_api_in_their_order() -> None:
    """Start, ping, each block with its deltas, the stop reason with the usage, stop."""
    async with (
        MessagesServer([call("look", where="here", text="Looking.")]) as server,
        client_of(server) as client,
    ):
        events = await wire_events(client)
    assert [event["type"] for event in events] == [
        "message_start",
        "ping",
        *("content_block_start", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        "message_delta",
        "message_stop",
    ]
    assert events[0]["message"]["stop_reason"] is None
    assert events[5]["content_block"] == {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
    assert [event["delta"]["partial_json"] for event in events[6:8]] == ["", '{"where":"here"}']
    assert events[-2]["delta"]["stop_reason"] == "tool_use"


async def test_unknown_blocks_stop_reasons_and_fields_pass_through_untouched() -> None:
    """An API of tomorrow can be played today, streamed or not, with exactly the usage that was written."""
    tomorrow = answer(
        [{"type": "hologram", "shape": "cube"}],
        stop_reason="ascended",
        usage={"input_tokens": 7, "output_tokens": 9, "dreams": 3},
        model="m-9",
        headers={"retry-after": "5"},
        container={"id": "c_1", "expires_at": "2030-01-01T00:00:00Z"},
        mood="calm",
    )
    async with MessagesServer([tomorrow, tomorrow]) as server, client_of(server) as client:
        plain = await client.messages.with_raw_response.create(model="m-1", max_tokens=100, messages=HELLO)
        message = json.loads(await plain.http_response.aread())
        assert plain.headers["retry-after"] == "5"
        # Not through the SDK's types: they take an unknown block for a text and warn.
        start, _, block, _, end, _ = await wire_events(client)
    assert message["content"] == [block["content_block"]] == [{"type": "hologram", "shape": "cube"}]
    assert message["stop_reason"] == end["delta"]["stop_reason"] == "ascended"
    assert message["usage"] == end["usage"] == {"input_tokens": 7, "output_tokens": 9, "dreams": 3}
    assert (
        message["container"]
        == end["delta"]["container"]
        == {"id": "c_1", "expires_at": "2030-01-01T00:00:00Z"}
    )
    assert (message["model"], message["mood"]) == ("m-9", "calm")
    assert (start["message"]["model"], start["message"]["mood"]) == ("m-9", "calm")


async def test_a_usage_block_may_lack_what_the_sdk_promises() -> None:
    """Real answers do; an empty usage is sent as an empty usage."""
    async with MessagesServer([answer(usage={})]) as server, client_of(server) as client:
        assert (await created(client)).to_dict()["usage"] == {}


@pytest.mark.parametrize(
    "raw",
    [
        '{"x": "\\u0000"}',
        '{"x": "\\ud800"}',
        '{"x": NaN}',
        '{"x": ' + "[" * 90 + "]" * 90 + "}",
        json.dumps({"x": "y" * 1_000_000}),
        '["not", "an", "object"]',
        '{"x": ',
        "",
    ],
    ids=["nul", "surrogate", "nan", "deep", "megabyte", "list", "malformed", "nothing"],
)
async def test_raw_arguments_arrive_verbatim(raw: str) -> None:
    """The pieces of `input_json_delta` add up to the text that was written, whatever it is."""
    async with MessagesServer([raw_tool_call("look", raw)]) as server, client_of(server) as client:
        pieces = [
            event.delta.partial_json
            async for event in raw_events(client)
            if event.type == "content_block_delta"
        ]
    assert "".join(pieces) == raw
    assert len(pieces) <= 65
    assert server.calls_made[0].arguments == RawJson(raw)


async def test_raw_arguments_stand_verbatim_in_a_plain_answer() -> None:
    """Without a stream the text stands in the body as the value of `input`."""
    async with MessagesServer([raw_tool_call("look", '{"x": NaN}')]) as server, client_of(server) as client:
        message = await created(client)
    assert math.isnan(message.content[0].to_dict()["input"]["x"])  # type: ignore[index]


async def test_max_tokens_inside_a_call_looks_like_a_runnable_call() -> None:
    """Only the stop reason tells: the stream ends its arguments early, the plain answer shows none."""
    script = [truncated_tool_call("look", '{"where": "he')] * 2
    async with MessagesServer(script) as server, client_of(server) as client:
        gathered, read = await streamed(client), await created(client)
    assert (gathered.stop_reason, read.stop_reason) == ("max_tokens", "max_tokens")
    assert read.content[0].to_dict()["input"] == {}


async def test_the_cache_reads_what_an_earlier_request_wrote() -> None:
    """With breakpoints, the first request writes the prefix and the second reads it and writes only what is new."""
    system = [{"type": "text", "text": "Be brief. " * 200, "cache_control": {"type": "ephemeral"}}]
    async with MessagesServer([say("One"), say("Two")]) as server, client_of(server) as client:
        first = (await streamed(client, system=system)).usage
        longer = [*HELLO, {"role": "assistant", "content": "One"}, {"role": "user", "content": "And?"}]
        longer[-1]["content"] = [{"type": "text", "text": "And?", "cache_control": {"type": "ephemeral"}}]
        second = (await streamed(client, longer, system=system)).usage
    assert first.cache_read_input_tokens == 0
    assert first.cache_creation_input_tokens is not None
    assert first.cache_creation_input_tokens > 400
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens
    assert 0 < (second.cache_creation_input_tokens or 0) < 100
    assert second.input_tokens == 0
    assert server.spent_tokens.cache_read == second.cache_read_input_tokens


def test_sync_code_is_served_from_a_thread() -> None:
    """`with` needs no event loop of the caller's, and what a request waits for can be waited for."""
    with MessagesServer([slow(say("Hello"), delay=0.01), say("Again")]) as server:
        with Anthropic(api_key="test", base_url=server.base_url, max_retries=0) as client:
            first = client.messages.create(model="m-1", max_tokens=9, messages=HELLO)
            with client.messages.stream(model="m-1", max_tokens=9, messages=HELLO) as stream:
                assert stream.get_final_text() == "Again"
        assert server.block_for_request(2).number == 2
        with pytest.raises(TimeoutError, match=r"Request 3 did not arrive .* 2 arrived"):
            server.block_for_request(3, timeout=0.01)
    assert first.content[0].to_dict()["text"] == "Hello"


async def test_a_server_can_be_left_and_entered_again_at_the_same_address() -> None:
    """While it is left its port refuses connections: a provider that is down, and comes back."""
    server = MessagesServer([say("One"), say("Two")])
    async with server:
        address = server.base_url
        async with client_of(server) as client:
            await created(client)
    async with client_of(server) as client:
        with pytest.raises(Exception, match="Connection error"):
            await created(client)
    async with server, client_of(server) as client:
        assert server.base_url == address
        await created(client)


async def test_stopping_ends_answers_that_hang() -> None:
    """Leaving the server does not wait for what never ends."""
    async with MessagesServer([hang()]) as server, client_of(server) as client:
        asked = asyncio.create_task(created(client))
        await server.wait_for_request(1)
        await server.__aexit__(None, None, None)
        with pytest.raises(Exception, match="Connection error"):
            await asked
