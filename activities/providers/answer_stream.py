"""From the events of a stream to one answer, keeping whatever we do not know.

The SDK's typed events drop unknown event types and parse a tool's growing input again at every delta, which is
quadratic for a large one. Here events are plain JSON, and inputs stay text until they are complete.
"""

from typing import Any

from holdfast.contracts.base import JsonObject
from policies.handoff import Unparsed, parse

MAX_ANSWER_CHARS = 8_000_000
"""An answer larger than this is no answer; it is cut off rather than held in memory."""


class BrokenStream(Exception):  # named for what is wrong
    """The answer cannot be used: cut, garbled or too large. Another attempt may go better."""


class StreamError(Exception):  # named for what it is in the API
    """An `error` event inside a stream whose status was 200."""

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type


class AnswerStream:
    """Put events in with `feed`; when `complete`, take the answer out."""

    def __init__(self) -> None:
        self.message: JsonObject = {}
        self.usage: JsonObject = {}
        self.stop_reason: str | None = None
        self.complete = False
        self.chars = 0
        self._blocks: dict[int, JsonObject] = {}
        self._inputs: dict[int, list[str]] = {}

    def feed(self, event: JsonObject) -> None:
        """Take in one event. Unknown ones are passed over. Raises StreamError and BrokenStream."""
        try:
            self._take(event)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            kind = event.get("type")
            raise BrokenStream(f"a {kind} event has not its documented form ({error!r})") from None

    def _take(self, event: JsonObject) -> None:
        match event.get("type"):
            case "message_start":
                self.message = dict(event.get("message") or {})
                self._use(self.message.get("usage"))
            case "content_block_start":
                index = _index(event)
                self._blocks[index] = dict(event["content_block"])
                self._inputs.pop(index, None)
            case "content_block_delta":
                self._delta(_index(event), event["delta"])
            case "message_delta":
                delta = event.get("delta") or {}
                self.stop_reason = delta.get("stop_reason") or self.stop_reason
                self._use(event.get("usage"))
            case "message_stop":
                self.complete = True
            case "error":
                error = event.get("error") or {}
                raise StreamError(str(error.get("type", "api_error")), str(error.get("message", "")))
            case _:
                pass

    def whole(self, message: JsonObject) -> None:
        """Take in an answer that came in one piece, as some gateways send it. Raises BrokenStream."""
        content = message.get("content") or []
        if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
            raise BrokenStream("its content is no list of blocks")
        self.message, self.complete = message, True
        self.stop_reason = message.get("stop_reason")
        self._use(message.get("usage"))
        self._blocks = dict(enumerate(content))

    def content(self) -> list[Any]:
        """The blocks in order; the inputs of tool_use blocks are `Unparsed` unless they came whole."""
        found = []
        for index in sorted(self._blocks):
            block = self._blocks[index]
            if index in self._inputs:
                text = Unparsed("".join(self._inputs[index]))
                block = {**block, "input": text if block.get("type") == "tool_use" else _parsed(text)}
            found.append(block)
        return found

    def text(self) -> str:
        """What has been said so far."""
        return "".join(str(b.get("text", "")) for b in self._blocks.values() if b.get("type") == "text")

    def _delta(self, index: int, delta: JsonObject) -> None:
        block = self._blocks.setdefault(index, {"type": "text", "text": ""})
        match delta.get("type"):
            case "text_delta":
                self._append(block, "text", delta.get("text"))
            case "thinking_delta":
                self._append(block, "thinking", delta.get("thinking"))
            case "signature_delta":
                block["signature"] = delta.get("signature")
            case "citations_delta":
                block["citations"] = [*(block.get("citations") or []), delta.get("citation")]
            case "input_json_delta":
                part = str(delta.get("partial_json") or "")
                self._count(len(part))
                self._inputs.setdefault(index, []).append(part)
            case _:
                pass

    def _append(self, block: JsonObject, key: str, part: Any) -> None:
        text = str(part or "")
        self._count(len(text))
        block[key] = (block.get(key) or "") + text

    def _count(self, chars: int) -> None:
        self.chars += chars
        if self.chars > MAX_ANSWER_CHARS:
            raise BrokenStream(f"the answer is longer than {MAX_ANSWER_CHARS:,} characters")

    def _use(self, usage: Any) -> None:
        """Usage grows through the stream: later figures replace earlier ones, field by field."""
        if isinstance(usage, dict):
            self.usage.update({key: value for key, value in usage.items() if value is not None})


def _index(event: JsonObject) -> int:
    index = event["index"]
    if not isinstance(index, int):
        raise TypeError(f"its index is {index!r}")
    return index


def _parsed(text: str) -> Any:
    """The input of a provider's own tool, which is kept, not run."""
    try:
        return parse(text) if text.strip() else {}
    except ValueError:
        return {}
