"""What the scripted model plays: answers, faults, and the ways an answer goes wrong on its way.

    say("Hello")                                   a text, end_turn
    call("list_instances", region="eu-west-1")     one tool call
    calls(("a", {}), ("b", {"x": 1}))              several calls in one answer
    finish(status="completed", result={...})       the built-in `finish` call
    answer(content=[...], stop_reason=...)         anything else, verbatim
    raw_tool_call("a", '{"x": NaN}')               arguments as raw text: malformed, huge, strange
    truncated_tool_call("a", '{"regi')             `max_tokens` in the middle of a call

    fault(529)  fault(429, headers=...)            an HTTP error
    malformed(b"{")                                status 200 and a body that is none
    cut(...)  hang(...)  stream_error(...)         an answer that does not arrive whole
    no_message_stop(...)
    slow(say("Hello"), delay=2.0)                  an answer, or a fault, that takes its time

Everything here is a frozen value: one script can be played by many servers.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, TypeVar

Block: TypeAlias = dict[str, Any]
"""One content block as the Messages API writes it."""

ERROR_TYPES: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""The API's error type for each status; any other 4xx is `invalid_request_error`, any other 5xx `api_error`."""


@dataclass(frozen=True, slots=True)
class RawJson:
    """The input of a tool call as text, sent exactly as written instead of being encoded from a value."""

    text: str
    """The JSON text, or what is not quite JSON."""
    truncated: bool = False
    """Whether the model was stopped inside it: a JSON answer then shows `{}`, as the API does."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an answer travels. The default is whole and at once."""

    delay: float = 0.0
    """Seconds before the first byte."""
    between_events: float = 0.0
    """Seconds between two events of a stream."""
    ending: Literal["whole", "cut", "error", "no_message_stop"] = "whole"
    """Whole; the connection cut; an `error` event; or a clean end without `message_stop`."""
    after_bytes: int | None = None
    """Where a cut falls, counted in bytes of the body."""
    after_events: int | None = None
    """Where a cut, an error or an early end falls, counted in events of the stream."""
    silence: float = 0.0
    """Seconds in which nothing is sent before a cut; `math.inf` until the server stops or the client goes."""
    error_type: str = "overloaded_error"
    """The type of the `error` event."""

    @property
    def completes(self) -> bool:
        """Whether the client receives the answer whole."""
        return self.ending == "whole"


@dataclass(frozen=True, slots=True)
class Answer:
    """One message of the model. Build it with `say`, `call`, `calls`, `finish` or `answer`."""

    content: tuple[Block, ...]
    """Content blocks. A `tool_use` without an id gets `toolu_1`, `toolu_2` … counted along its transcript."""
    stop_reason: str | None = "end_turn"
    """Why the model stopped: any string, known to the API or not."""
    usage: Mapping[str, Any] | None = None
    """Token counts, sent exactly as given; None estimates them."""
    model: str | None = None
    """The model that answers; None echoes the one that was asked."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further response headers."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """Further top-level fields of the message, known to the API or not."""
    delivery: Delivery = Delivery()
    """How it travels."""

    def __str__(self) -> str:
        """One line: what is said, and what goes wrong on the way."""
        parts = [_describe_block(block) for block in self.content] or ["nothing"]
        line = f"{', '.join(parts)} ({self.stop_reason})"
        if not self.delivery.completes:
            line += f", then {self.delivery.ending.replace('_', ' ')}"
        return line


@dataclass(frozen=True, slots=True)
class Fault:
    """An HTTP answer that holds no message. Build it with `fault` or `malformed`."""

    status: int
    """The HTTP status; 200 is allowed."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Further response headers, such as `retry-after`."""
    body: bytes | None = None
    """The body; None is the API's own error body for this status."""
    content_type: str | None = None
    """The body's type; None is what the API would say: JSON, or an event stream for status 200 when one was asked."""
    message: str | None = None
    """The error message in the API's own body."""
    delay: float = 0.0
    """Seconds before the first byte."""

    def __str__(self) -> str:
        """One line: the status."""
        return f"fault {self.status}"


Step: TypeAlias = Answer | Fault
"""What a script plays for one request."""

AnyStep = TypeVar("AnyStep", Answer, Fault)

_LONG_TEXT = "This answer is on its way and will not arrive. " * 12


def say(text: str) -> Answer:
    """A text, and the model's turn ends.

    `say("Hello")`
    """
    return Answer(content=({"type": "text", "text": text},))


def call(
    tool: str,
    arguments: Mapping[str, Any] | None = None,
    /,
    *,
    id: str | None = None,  # noqa: A002 - the API's own word for it
    text: str | None = None,
    **more: Any,
) -> Answer:
    """One tool call, after a `text` if one is given. Arguments named `id` or `text` go into the mapping.

    `call("list_instances", region="eu-west-1")` is `call("list_instances", {"region": "eu-west-1"})`
    """
    return calls((tool, {**(arguments or {}), **more}, id), text=text)


def calls(
    *tool_and_arguments: tuple[str, Mapping[str, Any]] | tuple[str, Mapping[str, Any], str | None],
    text: str | None = None,
) -> Answer:
    """Several tool calls in one answer, each a (tool, arguments) or (tool, arguments, id).

    `calls(("stop", {"instance": "i-1"}), ("stop", {"instance": "i-2"}), text="Stopping both.")`
    """
    said: list[Block] = [] if text is None else [{"type": "text", "text": text}]
    asked = [
        _tool_use(item[0], dict(item[1]), item[2] if len(item) == 3 else None) for item in tool_and_arguments
    ]
    return Answer(content=(*said, *asked), stop_reason="tool_use")


def finish(status: str = "completed", result: Any = None, *, text: str | None = None, **more: Any) -> Answer:
    """A call of the built-in `finish` tool; further keywords are further arguments of it.

    `finish(status="completed", result={"stopped": ["i-1"]})`
    """
    return calls(("finish", {"status": status, "result": result, **more}), text=text)


def answer(
    content: Sequence[Block] = (),
    *,
    stop_reason: str | None = "end_turn",
    usage: Mapping[str, Any] | None = None,
    model: str | None = None,
    headers: Mapping[str, str] | None = None,
    **fields: Any,
) -> Answer:
    """Any message at all: raw blocks, any stop reason, exact usage, unknown top-level fields.

    `answer([thinking("Hm."), {"type": "text", "text": "Yes."}], stop_reason="pause_turn", container={"id": "c_1"})`
    """
    return Answer(tuple(content), stop_reason, usage, model, headers or {}, fields)


def thinking(text: str, signature: str | None = None) -> Block:
    """A thinking block, signed with a hash of its text unless a signature is given.

    `answer([thinking("Two are idle."), {"type": "tool_use", "name": "stop", "input": {}}], stop_reason="tool_use")`
    """
    signed = signature if signature is not None else "sig_" + hashlib.sha256(text.encode()).hexdigest()
    return {"type": "thinking", "thinking": text, "signature": signed}


def raw_tool_call(
    tool: str,
    raw_json: str,
    *,
    id: str | None = None,  # noqa: A002 - the API's own word for it
    text: str | None = None,
) -> Answer:
    r"""A tool call whose arguments are sent as this text: NaN, lone surrogates, a list, half an object, a megabyte.

    `raw_tool_call("stop", '{"instance": "\\u0000"}')`
    """
    said: list[Block] = [] if text is None else [{"type": "text", "text": text}]
    return Answer(content=(*said, _tool_use(tool, RawJson(raw_json), id)), stop_reason="tool_use")


def truncated_tool_call(
    tool: str,
    raw_json: str = '{"',
    *,
    id: str | None = None,  # noqa: A002 - the API's own word for it
    text: str | None = None,
) -> Answer:
    """`max_tokens` reached inside a call: a stream ends its arguments after `raw_json`, a JSON answer shows `{}`.

    `truncated_tool_call("stop", '{"instance": "i-')`
    """
    whole = raw_tool_call(tool, raw_json, id=id, text=text)
    block = {**whole.content[-1], "input": RawJson(raw_json, truncated=True)}
    return replace(whole, content=(*whole.content[:-1], block), stop_reason="max_tokens")


def fault(
    status: int,
    message: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    body: str | bytes | Mapping[str, Any] | None = None,
    content_type: str | None = None,
) -> Fault:
    """An HTTP error, with the API's own body for that status unless a body is given.

    `fault(429, headers={"retry-after": "7"})`, `fault(413, body="<html>…", content_type="text/html")`
    """
    if isinstance(body, Mapping):
        body = json.dumps(body)
    return Fault(
        status, headers or {}, body.encode() if isinstance(body, str) else body, content_type, message
    )


def malformed(body: bytes = b"{", *, content_type: str | None = None) -> Fault:
    r"""Status 200 and a body that is not what the API promises.

    `malformed(b"event: message_start\ndata: {\n\n")`
    """
    return Fault(status=200, body=body, content_type=content_type)


def cut(
    answer: Answer | None = None, *, after_bytes: int | None = None, after_events: int | None = None
) -> Answer:
    """The connection is closed inside the answer, or before its first byte when no place is given.

    A JSON answer has no events: `after_events` then cuts it in the middle.

    `cut(after_bytes=200)`, `cut(call("stop", instance="i-1"), after_events=5)`
    """
    delivery = Delivery(ending="cut", after_bytes=after_bytes, after_events=after_events)
    return replace(answer or say(_LONG_TEXT), delivery=delivery)


def hang(
    seconds: float = math.inf, *, answer: Answer | None = None, after_events: int | None = None
) -> Answer:
    """Nothing comes (or nothing more after some events) for so many seconds, then the connection is closed.

    Without a number it lasts until the server stops or the client gives up.

    `hang()`, `hang(5, answer=say("Hello"), after_events=4)`
    """
    whole = cut(answer, after_events=after_events)
    return replace(whole, delivery=replace(whole.delivery, silence=seconds))


def stream_error(
    answer: Answer | None = None,
    *,
    after_events: int = 4,
    type: str = "overloaded_error",  # noqa: A002 - the API's own word for it
) -> Answer:
    """Status 200, some events, then an `error` event. A JSON answer becomes the HTTP error of that type instead.

    `stream_error(call("stop", instance="i-1"), after_events=4, type="overloaded_error")`
    """
    delivery = Delivery(ending="error", after_events=after_events, error_type=type)
    return replace(answer or say(_LONG_TEXT), delivery=delivery)


def no_message_stop(answer: Answer | None = None, *, after_events: int | None = None) -> Answer:
    """A stream that ends cleanly but without `message_stop` (or earlier, after some events).

    A JSON answer has no such event: it comes whole, with `stop_reason` null.
    """
    return replace(
        answer or say("Hello"), delivery=Delivery(ending="no_message_stop", after_events=after_events)
    )


def slow(step: AnyStep, *, delay: float = 0.0, between_events: float = 0.0) -> AnyStep:
    """The same step, later: `delay` seconds before its first byte, `between_events` seconds between stream events.

    `slow(say("Hello"), delay=2.0)`
    """
    if isinstance(step, Fault):
        return replace(step, delay=delay)
    return replace(step, delivery=replace(step.delivery, delay=delay, between_events=between_events))


def _tool_use(tool: str, arguments: Any, id: str | None) -> Block:  # noqa: A002 - the API's own word for it
    return {"type": "tool_use", "id": id, "name": tool, "input": arguments}


def _describe_block(block: Block) -> str:
    kind = str(block.get("type"))
    if kind == "text":
        text = str(block.get("text", ""))
        return repr(text if len(text) <= 40 else text[:39] + "…")
    return f"{kind} {block['name']}" if "name" in block else kind
