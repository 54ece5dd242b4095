"""Sends one step of the script over a connection: whole, slowly, cut, or with an error in its middle."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.testing import sse
from holdfast.testing.answers import Answer, Fault
from holdfast.testing.http_exchange import HttpExchange
from holdfast.testing.model_request import ModelRequest

_EVENTS = "text/event-stream; charset=utf-8"


async def send_fault(exchange: HttpExchange, request: ModelRequest, fault: Fault) -> None:
    """Sends an HTTP error, or whatever stands in the fault's body."""
    await exchange.pause(fault.delay)
    words = fault.message or f"Scripted fault {fault.status}"
    body = sse.error_body(fault.status, words, _request_id(request)) if fault.body is None else fault.body
    kind = fault.content_type or (_EVENTS if request.stream and fault.status == 200 else "application/json")
    headers = {"content-type": kind, "content-length": str(len(body))}
    if fault.status != 413:  # refused before it reached the API proper: no request id
        headers["request-id"] = _request_id(request)
    await _send(exchange, request, fault.status, headers | dict(fault.headers), [body])
    await exchange.finish()


async def send_answer(
    exchange: HttpExchange, request: ModelRequest, answer: Answer, message: Mapping[str, Any]
) -> None:
    """Sends the message of an answer in the way that the answer travels."""
    way = answer.delivery
    if way.ending == "error" and not request.stream:
        status = sse.status_of(way.error_type)
        await send_fault(exchange, request, Fault(status, message=way.error_type, delay=way.delay))
        return
    parts = _parts(request, answer, message)
    headers = {"request-id": _request_id(request), **answer.headers}
    if request.stream:
        headers |= {"content-type": _EVENTS, "cache-control": "no-cache"}
    else:
        headers |= {"content-type": "application/json", "content-length": str(len(parts[0]))}
    await exchange.pause(way.delay)
    if way.ending == "cut":
        sent = _before_the_cut(request, answer, parts)
        if sent is not None:
            await _send(exchange, request, 200, headers, sent, between=way.between_events)
        await exchange.pause(way.silence)
        await exchange.close()
    else:
        await _send(exchange, request, 200, headers, parts, between=way.between_events)
        await exchange.finish()


def _parts(request: ModelRequest, answer: Answer, message: Mapping[str, Any]) -> list[bytes]:
    way = answer.delivery
    if not request.stream:
        shown = {**message, "stop_reason": None} if way.ending == "no_message_stop" else message
        return [sse.json_body(shown)]
    events = sse.event_stream(message)
    if way.ending == "no_message_stop":
        return events[: -1 if way.after_events is None else way.after_events]
    if way.ending == "error":
        return [*events[: way.after_events], sse.error_event(way.error_type, _request_id(request))]
    return events


def _before_the_cut(request: ModelRequest, answer: Answer, parts: list[bytes]) -> list[bytes] | None:
    """What is sent of an answer that is cut; None for not even a status line."""
    way = answer.delivery
    if way.after_bytes is not None:
        return [b"".join(parts)[: way.after_bytes]]
    if way.after_events is None:
        return None
    return parts[: way.after_events] if request.stream else [parts[0][: len(parts[0]) // 2]]


async def _send(
    exchange: HttpExchange,
    request: ModelRequest,
    status: int,
    headers: Mapping[str, str],
    parts: list[bytes],
    *,
    between: float = 0.0,
) -> None:
    await exchange.start(status, headers)
    request.status = status
    for at, part in enumerate(parts):
        if at:
            await exchange.pause(between)
        await exchange.send(part)


def _request_id(request: ModelRequest) -> str:
    return f"req_{request.number}"
