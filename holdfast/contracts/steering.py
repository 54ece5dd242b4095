"""Steering a run from outside: messages to its agent, pause and resume, and how it was cancelled."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from holdfast.contracts.base import Contract

MAX_MESSAGE_BYTES = 256 * 1024
"""One message: words, not a file."""

MAX_NAME_CHARS = 300
MAX_REASON_CHARS = 2_000


def _name(by: str) -> str:
    if not by.strip():
        raise ValueError("say who speaks")
    return by


def _words(text: str) -> str:
    if not text.strip():
        raise ValueError("the message is empty")
    size = len(text.encode("utf-8", "replace"))
    if size > MAX_MESSAGE_BYTES:
        raise ValueError(
            f"it is {size:,} bytes, and {MAX_MESSAGE_BYTES:,} is the limit: put it where a tool can read it"
        )
    return text


Name = Annotated[str, Field(max_length=MAX_NAME_CHARS), AfterValidator(_name)]


class MessageInput(Contract):
    """The signal `message`: `{"text": "…", "by": "ana"}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Annotated[str, AfterValidator(_words)]
    """At most 256 KiB of UTF-8."""
    by: Name


class SteerInput(Contract):
    """The signals `pause` and `resume`: `{"by": "ana", "reason": "…"}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: Name
    reason: str = Field(default="", max_length=MAX_REASON_CHARS)


class PersonMessage(Contract):
    """What a person told a running agent."""

    text: str
    by: str
    at: str
    """ISO 8601, UTC: when the run heard it."""


class Pause(Contract):
    """Who paused a run, when and why."""

    by: str
    at: str
    reason: str = ""


class Cancellation(Contract):
    """That a run was cancelled, when, and what was said about it."""

    at: str
    reason: str = ""
