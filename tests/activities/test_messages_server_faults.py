"""The scripted model fails in every way in which the real one does, and the real SDK sees it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx2
import pytest
from anthropic import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncAnthropic,
    AuthenticationError,
    NotFoundError,
    RateLimitError,
)

from holdfast.testing import (
    MessagesServer,
    Step,
    by_conversation,
    call,
    cut,
    fault,
    hang,
    malformed,
    no_message_stop,
    say,
    slow,
    stream_error,
)
from tests.activities.model_clients import HELLO, client_of, created, raw_events, streamed


async def collect(client: AsyncAnthropic, seen: list[str]) -> None:
    async for event in raw_events(client):
        seen.append(event.type)  # noqa: PERF401 - what was seen before the stream broke must be kept


@pytest.mark.parametrize(
    "status, kind",
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "api_error"),
        (529, "overloaded_error"),
    ],
)
@pytest.mark.parametrize("ask", [created, streamed])
async def test_an_error_status_has_the_body_of_the_real_api(status: int, kind: str, ask: Any) -> None:
    """Each status carries its own error type and a request id, streamed or not."""
    async with MessagesServer([fault(status, "No.")]) as server, client_of(server) as client:
        with pytest.raises(APIStatusError) as caught:
            await ask(client)
    assert caught.value.status_code == status
    assert caught.value.body == {
        "type": "error",
        "error": {"type": kind, "message": "No."},
        "request_id": "req_1",
    }
    assert caught.value.request_id == "req_1"


async def test_a_rate_limit_carries_its_headers() -> None:
    """`retry-after` and others reach the client as they were written."""
    script = [fault(429, headers={"retry-after": "7", "x-should-retry": "true"})]
    async with MessagesServer(script) as server, client_of(server) as client:
        with pytest.raises(RateLimitError) as caught:
            await created(client)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["x-should-retry"] == "true"


async def test_a_413_has_neither_outer_type_nor_request_id() -> None:
    """It comes from before the API proper, and a proxy may answer it with HTML."""
    html = fault(413, body="<html>Too large</html>", content_type="text/html")
    async with MessagesServer([fault(413), html]) as server, client_of(server) as client:
        with pytest.raises(APIStatusError) as plain:
            await created(client)
        with pytest.raises(APIStatusError) as proxied:
            await created(client)
    assert plain.value.body == {"error": {"type": "request_too_large", "message": "Scripted fault 413"}}
    assert plain.value.request_id is None
    assert proxied.value.body == "<html>Too large</html>"


@pytest.mark.parametrize("ask", [created, streamed])
@pytest.mark.parametrize(
    "step", [cut(), cut(after_bytes=0), cut(after_bytes=200), cut(after_events=3)], ids=str
)
async def test_a_cut_connection_is_an_error_and_never_a_short_answer(ask: Any, step: Step) -> None:
    """Wherever the cut falls, the client notices that something is missing."""
    async with MessagesServer([step]) as server, client_of(server) as client:
        with pytest.raises((APIConnectionError, httpx2.RemoteProtocolError)):
            await ask(client)


async def test_a_cut_falls_where_it_was_asked_for() -> None:
    """After five events exactly five events have arrived."""
    seen: list[str] = []
    script = [cut(call("look", where="here" * 20), after_events=5)]
    async with MessagesServer(script) as server, client_of(server) as client:
        with pytest.raises(httpx2.RemoteProtocolError, match="incomplete chunked read"):
            await collect(client, seen)
    assert seen == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
    ]  # and a ping
    assert server.calls_made == []


async def test_an_error_may_come_inside_a_stream_of_status_200() -> None:
    """After tool_use has begun the stream ends with an `error` event."""
    seen: list[str] = []
    async with (
        MessagesServer([stream_error(call("look"), after_events=4)]) as server,
        client_of(server) as client,
    ):
        with pytest.raises(APIStatusError, match="overloaded_error") as caught:
            await collect(client, seen)
    assert seen == ["message_start", "content_block_start", "content_block_delta"]
    assert caught.value.status_code == 200


async def test_an_error_inside_a_stream_is_an_http_error_without_one() -> None:
    """A plain answer cannot end in the middle, so it has the status of the error's type."""
    async with MessagesServer([stream_error(type="rate_limit_error")]) as server, client_of(server) as client:
        with pytest.raises(RateLimitError):
            await created(client)


async def test_a_stream_may_end_cleanly_without_message_stop() -> None:
    """The SDK takes it for a whole answer: only who counts the events can tell."""
    script = [no_message_stop(say("Hello")), no_message_stop(after_events=3)]
    async with MessagesServer(script) as server, client_of(server) as client:
        whole = [event.type async for event in raw_events(client)]
        early = [event.type async for event in raw_events(client)]
    assert whole[-1] == "message_delta"
    assert early == ["message_start", "content_block_start"]


@pytest.mark.parametrize(
    "step, ask",
    [
        (malformed(b"{"), created),
        (malformed(b"event: message_start\ndata: {\n\n"), streamed),
        (malformed(b""), streamed),
        (malformed(b"\xff\xfe", content_type="text/event-stream"), streamed),
    ],
)
async def test_a_malformed_body_of_status_200_reaches_the_client(step: Step, ask: Any) -> None:
    """The SDK breaks on it in its own ways, none of them an APIError: a planner must expect any exception."""
    async with MessagesServer([step]) as server, client_of(server) as client:
        with pytest.raises((ValueError, AssertionError, RuntimeError)):
            await ask(client)
    assert server.requests[0].status == 200


async def test_a_hanging_answer_times_out_and_the_server_sees_the_client_go() -> None:
    """Nothing is answered; when the client gives up, the record says so."""
    async with MessagesServer([hang(), hang(answer=say("Hello"), after_events=2)]) as server:
        async with AsyncAnthropic(
            api_key="k", base_url=server.base_url, max_retries=0, timeout=0.2
        ) as client:
            with pytest.raises(APITimeoutError):
                await created(client)
            with pytest.raises(httpx2.ReadTimeout):
                await streamed(client)
        async with asyncio.timeout(10):
            while not all(request.client_gone for request in server.requests):  # noqa: ASYNC110 - a plain record
                await asyncio.sleep(0.01)
    assert [request.status for request in server.requests] == [None, 200]


async def test_a_hang_of_some_seconds_ends_with_a_closed_connection() -> None:
    """After its time the connection is closed without an answer."""
    async with MessagesServer([hang(0.05)]) as server, client_of(server) as client:
        with pytest.raises(APIConnectionError):
            await created(client)


async def test_a_slow_answer_comes_after_its_delay() -> None:
    """Both answers and faults can be late; a stream can also be slow in itself."""
    steps: list[Step] = [
        slow(say("Hello"), delay=0.1),
        slow(fault(529), delay=0.1),
        slow(say("Hello"), between_events=0.02),
    ]
    async with MessagesServer(steps) as server, client_of(server) as client:
        began = time.monotonic()
        await created(client)
        with pytest.raises(APIStatusError):
            await created(client)
        assert time.monotonic() - began >= 0.2
        began = time.monotonic()
        await streamed(client)
        assert time.monotonic() - began >= 0.1


async def test_a_key_is_needed_and_may_be_the_wrong_one() -> None:
    """Without a key, and with another than the server's, the answer is a 401 as the real API writes it."""
    async with MessagesServer([say("Hello")], api_key="right") as server:
        async with httpx2.AsyncClient() as plain:
            response = await plain.post(f"{server.base_url}/v1/messages", json={})
        assert response.status_code == 401
        assert response.json()["error"] == {
            "type": "authentication_error",
            "message": "x-api-key header is required",
        }
        async with client_of(server) as client:
            with pytest.raises(AuthenticationError, match="invalid x-api-key"):
                await created(client)
        async with AsyncAnthropic(api_key="right", base_url=server.base_url) as client:
            await created(client)


async def test_another_path_is_not_found() -> None:
    """Only messages are played: anything else is a 404 and fails a strict test."""
    async with MessagesServer([], strict=False) as server, client_of(server) as client:
        with pytest.raises(NotFoundError, match="plays POST /v1/messages only"):
            await client.messages.count_tokens(model="m-1", messages=HELLO)
    with pytest.raises(AssertionError, match="count_tokens"):
        server.assert_all_legal()


async def test_something_that_is_not_http_does_not_disturb_the_server() -> None:
    """Garbage is dropped, and the next client is served."""
    async with MessagesServer([say("Hello")]) as server, client_of(server) as client:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.base_url.rpartition(":")[2]))
        writer.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
        await created(client)


async def test_the_sdks_own_retries_reach_the_answer_behind_a_fault() -> None:
    """A client that retries by itself gets the next step of the script."""
    script = by_conversation([fault(529, headers={"retry-after-ms": "1"}), say("Hello")])
    async with MessagesServer(script) as server, client_of(server).with_options(max_retries=1) as client:
        await streamed(client)
    assert [request.headers["x-stainless-retry-count"] for request in server.requests] == ["0", "1"]


async def test_a_step_that_cannot_be_sent_fails_the_test() -> None:
    """A header that HTTP does not allow is a mistake of the script, and is told when the server is left."""
    server = MessagesServer([fault(500, headers={"x-note": "two\nlines"})], strict=False)
    async with server, client_of(server) as client:
        with pytest.raises(APIConnectionError):
            await created(client)
    with pytest.raises(AssertionError, match="Request 1 could not be answered with fault 500"):
        server.assert_all_legal()
