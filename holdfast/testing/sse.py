"""Turns one message into what the Messages API puts on the wire: a JSON body, or the events of a stream.

The events come in the API's order: message_start, ping, then for each block content_block_start, its deltas and
content_block_stop, then message_delta (stop reason, cumulative usage) and message_stop.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from holdfast.testing.answers import ERROR_TYPES, Answer, Block, RawJson

_DELTA_FIELDS = ("container", "stop_details")
"""Top-level fields that a stream tells at its end."""
_START_ONLY_USAGE = ("cache_creation", "inference_geo", "service_tier")
"""Parts of the usage that only message_start holds."""
_PIECE = 24
"""Characters of one delta."""
_MOST_PIECES = 64
"""Deltas of one block: a megabyte comes in larger pieces, not in more."""


def message_from(
    answer: Answer, *, message_id: str, model: str, calls_before: int, usage: Mapping[str, Any]
) -> dict[str, Any]:
    """The message that an answer makes: tool calls without an id get `toolu_<n>`, counted after `calls_before`."""
    content: list[Block] = []
    counted = calls_before
    for block in answer.content:
        is_call = block.get("type") == "tool_use"
        counted += is_call
        unnamed = is_call and block.get("id") is None
        content.append({**block, "id": f"toolu_{counted}"} if unnamed else block)
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": answer.model or model,
        "content": content,
        "stop_reason": answer.stop_reason,
        "stop_sequence": None,
        "usage": dict(usage),
        **answer.fields,
    }


def json_body(message: Mapping[str, Any]) -> bytes:
    """The message as the body of an answer that is not streamed."""
    raw: list[str] = []

    def plain(block: Block) -> Block:
        if not isinstance(block.get("input"), RawJson):
            return block
        if block["input"].truncated:
            return {**block, "input": {}}
        raw.append(block["input"].text)
        return {**block, "input": _placeholder(len(raw) - 1)}

    text = _dump({**message, "content": [plain(block) for block in message["content"]]})
    for at, raw_text in enumerate(raw):
        text = text.replace(json.dumps(_placeholder(at)), raw_text, 1)
    return text.encode("utf-8", "surrogatepass")


def event_stream(message: Mapping[str, Any]) -> list[bytes]:
    """The message as the events of a stream, one `event: …` frame each."""
    return [frame(event) for event in _events(message)]


def frame(event: Mapping[str, Any]) -> bytes:
    """One event as it stands in a stream."""
    return f"event: {event['type']}\ndata: {_dump(event)}\n\n".encode()


def error_body(status: int, message: str, request_id: str, *, error_type: str | None = None) -> bytes:
    """The API's own error body. That of a 413 has no outer type and no request id, as in real life."""
    kind = error_type or ERROR_TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    error = {"type": kind, "message": message}
    whole = {"error": error} if status == 413 else {"type": "error", "error": error, "request_id": request_id}
    return _dump(whole).encode()


def error_event(error_type: str, request_id: str) -> bytes:
    """The `error` event that ends a stream."""
    words = error_type.removesuffix("_error").replace("_", " ").capitalize()
    error = {"type": error_type, "message": words}
    return frame({"type": "error", "error": error, "request_id": request_id})


def status_of(error_type: str) -> int:
    """The HTTP status that goes with an error type; 500 for one that is not known."""
    return next((status for status, kind in ERROR_TYPES.items() if kind == error_type), 500)


def _events(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    usage: Mapping[str, Any] = message["usage"]
    late = {name: message[name] for name in _DELTA_FIELDS if name in message}
    opening = {name: value for name, value in message.items() if name not in late}
    opening |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": _usage_so_far(usage)}
    yield {"type": "message_start", "message": opening}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        start, deltas = _block_in_parts(block)
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"], **late},
        "usage": {name: value for name, value in usage.items() if name not in _START_ONLY_USAGE},
    }
    yield {"type": "message_stop"}


def _usage_so_far(usage: Mapping[str, Any]) -> dict[str, Any]:
    """The usage at the start of a stream: all of the input, and the first token of the output."""
    if isinstance(usage.get("output_tokens"), int):
        return {**usage, "output_tokens": min(1, usage["output_tokens"])}
    return dict(usage)


def _block_in_parts(block: Block) -> tuple[Block, list[dict[str, Any]]]:
    """What content_block_start shows of a block, and the deltas that follow."""
    match block.get("type"):
        case "text":
            text = [{"type": "text_delta", "text": piece} for piece in _pieces(str(block.get("text", "")))]
            cited = [
                {"type": "citations_delta", "citation": citation} for citation in block.get("citations") or ()
            ]
            start = {**block, "text": ""} | ({"citations": []} if cited else {})
            return start, text + cited
        case "thinking":
            thought = _pieces(str(block.get("thinking", "")))
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in thought]
            signature = {"type": "signature_delta", "signature": block.get("signature", "")}
            return {**block, "thinking": "", "signature": ""}, [*deltas, signature]
        case "tool_use" | "server_tool_use":
            given = block.get("input", {})
            written = given.text if isinstance(given, RawJson) else _dump(given)
            # The API always opens with an empty piece; a call without arguments has no other.
            pieces = [""] if given == {} else ["", *_pieces(written)]
            return {**block, "input": {}}, [
                {"type": "input_json_delta", "partial_json": piece} for piece in pieces
            ]
        case _:
            return block, []


def _pieces(text: str) -> list[str]:
    step = max(_PIECE, -(-len(text) // _MOST_PIECES))
    return [text[at : at + step] for at in range(0, len(text), step)]


def _placeholder(at: int) -> str:
    return f"@raw-json-{at}@"


def _dump(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate: only its escape can be sent
        return json.dumps(value, separators=(",", ":"))
    return text
