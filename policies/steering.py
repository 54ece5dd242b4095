"""What people may say to a running agent, and in which words the agent hears it.

A message waits in the run and is told with the next plan, behind the results of the step before. A pause lets calls
under way come to their end and starts nothing new. A cancelled run tells its calls to stop, gives them a bounded time
to clean up, and answers every call in its transcript.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from holdfast.contracts.base import JsonObject
from holdfast.contracts.messages import Message, text_block
from holdfast.contracts.steering import MAX_REASON_CHARS, MessageInput, PersonMessage, SteerInput
from policies.feedback import tool_result
from policies.json_safety import faults

MAX_QUEUED_BYTES = 1_000_000
"""All messages that wait for one plan: they must fit into what a worker can ask a run for."""

CLEAN_UP_SECONDS = 30.0
"""How long a call may take to end after its run was cancelled. Then it is left alone, and a write is unknown."""


def misfit(given: MessageInput | SteerInput, queued: Iterable[PersonMessage] = ()) -> str | None:
    """Why what people say cannot be taken, though it can be read; None when it can."""
    if found := faults(given.model_dump(mode="json")):
        return found[0]
    if isinstance(given, MessageInput):
        size = _size(given.text) + sum(_size(one.text) for one in queued)
        if size > MAX_QUEUED_BYTES:
            return (
                f"more than {MAX_QUEUED_BYTES:,} bytes of messages wait already: send it after the next plan"
            )
    return None


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def told(messages: list[PersonMessage]) -> Message:
    """The messages as the agent hears them, in the order in which they came."""
    said = [text_block(f"Message from {' '.join(one.by.split())}: {one.text}") for one in messages]
    return Message(role="user", content=said)


HELD = "The run does not end yet: a message came while you were at work. Take it into account, then call finish again."
"""The answer to a `finish` that had not heard a message which came before it."""

NOT_BEGUN = "Not done: the run was cancelled before this call began."
STOPPED = "The run was cancelled while this was under way; it had no result."
NOBODY_KNOWS = "The run was cancelled while this was under way: it may or may not have had its effect."
"""What the transcript of a cancelled run says of its calls."""


def cancelled_reason(said: str) -> str:
    """Why the run ended, in a sentence; `said` is what came with the cancellation, if anything did."""
    said = " ".join(said.split())[:MAX_REASON_CHARS]
    if not said:
        return "the run was cancelled"
    return f"the run was cancelled {said}" if said.startswith("by ") else f"the run was cancelled: {said}"


def missing_results(messages: Sequence[Message]) -> list[JsonObject]:
    """Results for the calls at the end of a transcript that have none: without them it could not be sent again."""
    if not messages or messages[-1].role != "assistant":
        return []
    calls: list[Any] = [block["id"] for block in messages[-1].content if block.get("type") == "tool_use"]
    return [tool_result(identity, NOT_BEGUN, is_error=True) for identity in calls]
