"""The test kit: what Holdfast's own tests use, for yours too.

`MessagesServer` is a scripted model. It speaks the Anthropic Messages API on loopback, plays answers and faults, and
refuses what the real API refuses. No key, no network, no patching: your agent runs with the real SDK.

    from holdfast.testing import MessagesServer, call, fault, finish

    async with MessagesServer([call("list_instances", region="eu-west-1"), fault(529), finish()]) as server:
        os.environ["ANTHROPIC_BASE_URL"] = server.base_url
        ...
"""

from __future__ import annotations

from holdfast.testing.answers import (
    Answer,
    Block,
    Delivery,
    Fault,
    RawJson,
    Step,
    answer,
    call,
    calls,
    cut,
    fault,
    finish,
    hang,
    malformed,
    no_message_stop,
    raw_tool_call,
    say,
    slow,
    stream_error,
    thinking,
    truncated_tool_call,
)
from holdfast.testing.dev_server import DevServer, dev_server, temporal_server, time_skipping_env
from holdfast.testing.messages_server import MessagesServer
from holdfast.testing.model_request import ModelRequest, PlayedCall
from holdfast.testing.replay import assert_replays
from holdfast.testing.script import ByConversation, Script, ScriptRanOut, StepFunction, by_conversation
from holdfast.testing.token_usage import SpentTokens

__all__ = [
    "Answer",
    "Block",
    "ByConversation",
    "Delivery",
    "DevServer",
    "Fault",
    "MessagesServer",
    "ModelRequest",
    "PlayedCall",
    "RawJson",
    "Script",
    "ScriptRanOut",
    "SpentTokens",
    "Step",
    "StepFunction",
    "answer",
    "assert_replays",
    "by_conversation",
    "call",
    "calls",
    "cut",
    "dev_server",
    "fault",
    "finish",
    "hang",
    "malformed",
    "no_message_stop",
    "raw_tool_call",
    "say",
    "slow",
    "stream_error",
    "temporal_server",
    "thinking",
    "time_skipping_env",
    "truncated_tool_call",
]
