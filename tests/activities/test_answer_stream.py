"""From a provider's events to one answer: everything is kept, nothing runs that was cut off."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.providers import answer_stream
from activities.providers.answer_stream import AnswerStream, BrokenStream, StreamError
from holdfast.contracts.base import JsonObject
from policies.handoff import Unparsed, contain
from tests.strategies import hostile_texts, json_objects, json_values

START = {
    "type": "message_start",
    "message": {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-4-5",
        "content": [],
        "stop_reason": None,
        "usage": {"input_tokens": 25, "cache_read_input_tokens": 100, "output_tokens": 1},
    },
}
STOP = {"type": "message_stop"}


def opened(index: int, **block: Any) -> JsonObject:
    """A block begins."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def grown(index: int, kind: str, **delta: Any) -> JsonObject:
    """A block grows."""
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **delta}}


def ended(stop_reason: str | None, **usage: Any) -> JsonObject:
    """The answer ends."""
    return {"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": usage}


def fed(*events: JsonObject) -> AnswerStream:
    """A stream that has taken in these events."""
    stream = AnswerStream()
    for event in events:
        stream.feed(event)
    return stream


def in_pieces(text: str, size: int) -> list[str]:
    """A text cut into pieces."""
    return [text[at : at + size] for at in range(0, len(text), size)]


def test_an_answer_is_put_together_from_its_events() -> None:
    """Thinking with its signature, text and a call whose input comes in pieces; pings count for nothing."""
    stream = fed(
        START,
        {"type": "ping"},
        opened(0, type="thinking", thinking="", signature=""),
        grown(0, "thinking_delta", thinking="Let me "),
        grown(0, "thinking_delta", thinking="see."),
        grown(0, "signature_delta", signature="c2ln"),
        {"type": "content_block_stop", "index": 0},
        opened(1, type="text", text=""),
        grown(1, "text_delta", text="I "),
        grown(1, "text_delta", text="look."),
        opened(2, type="tool_use", id="toolu_01", name="look", input={}),
        grown(2, "input_json_delta", partial_json=""),
        grown(2, "input_json_delta", partial_json='{"where":'),
        grown(2, "input_json_delta", partial_json=' "here"}'),
        ended("tool_use", output_tokens=89),
        STOP,
    )
    assert stream.content() == [
        {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_01", "name": "look", "input": '{"where": "here"}'},
    ]
    assert isinstance(stream.content()[2]["input"], Unparsed)
    assert (stream.complete, stream.stop_reason, stream.text()) == (True, "tool_use", "I look.")
    assert stream.message["model"] == "claude-sonnet-4-5"


def test_usage_grows_and_is_never_counted_twice() -> None:
    """Later figures replace earlier ones, field by field, and a figure that is missing leaves the earlier one."""
    stream = fed(START, ended(None, output_tokens=50), ended("end_turn", output_tokens=89, input_tokens=None))
    assert stream.usage == {"input_tokens": 25, "cache_read_input_tokens": 100, "output_tokens": 89}


def test_a_call_without_arguments_has_none() -> None:
    """Models call tools without arguments, and then stream no input, or an empty one."""
    quiet = fed(opened(0, type="tool_use", id="t", name="look", input={}))
    empty = fed(
        opened(0, type="tool_use", id="t", name="look", input={}),
        grown(0, "input_json_delta", partial_json=""),
    )
    for stream in (quiet, empty):
        legal, defects = contain(stream.content(), 1000)
        assert (legal[0]["input"], defects) == ({}, [])


def test_half_an_input_is_a_defect_and_never_half_a_call() -> None:
    """An answer that was cut off in the middle of a call looks runnable: what there is does not parse."""
    stream = fed(
        START,
        opened(0, type="tool_use", id="t", name="pay", input={}),
        grown(0, "input_json_delta", partial_json='{"amount": 1'),
        ended("max_tokens"),
        STOP,
    )
    legal, (defect,) = contain(stream.content(), 1000)
    assert legal[0]["input"] == {}
    assert "not valid JSON" in defect.message
    assert stream.stop_reason == "max_tokens"


def test_a_stream_that_just_ends_is_not_complete() -> None:
    """Without `message_stop` nobody knows what is missing, whatever the stop reason."""
    assert not fed(START, opened(0, type="text", text="Done."), ended("end_turn")).complete


def test_an_error_in_the_middle_is_an_error() -> None:
    """An overload may come after calls have begun, in a stream whose status was 200."""
    stream = fed(START, opened(0, type="tool_use", id="t", name="pay", input={}))
    with pytest.raises(StreamError, match="Overloaded") as caught:
        stream.feed({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
    assert caught.value.error_type == "overloaded_error"
    with pytest.raises(StreamError) as caught:
        stream.feed({"type": "error"})
    assert caught.value.error_type == "api_error"


def test_what_is_not_known_is_kept_or_passed_over() -> None:
    """Unknown blocks go back as they came; unknown events and deltas change nothing."""
    stream = fed(
        START,
        {"type": "from_the_future", "index": "x"},
        opened(0, type="redacted_thinking", data="ZW5j"),
        opened(1, type="hologram", shape={"a": [1, None]}),
        grown(1, "shape_delta", shape="round"),
        ended("end_turn"),
        STOP,
    )
    assert stream.content() == [
        {"type": "redacted_thinking", "data": "ZW5j"},
        {"type": "hologram", "shape": {"a": [1, None]}},
    ]


def test_the_providers_own_tools_are_kept_with_their_input() -> None:
    """A server tool has run already: its input is data, and its citations stay with the text."""
    stream = fed(
        opened(0, type="server_tool_use", id="srvtoolu_01", name="web_search", input={}),
        grown(0, "input_json_delta", partial_json='{"query": "x"}'),
        opened(1, type="text", text="", citations=[]),
        grown(1, "text_delta", text="So."),
        grown(1, "citations_delta", citation={"url": "a"}),
        grown(1, "citations_delta", citation={"url": "b"}),
    )
    assert stream.content() == [
        {"type": "server_tool_use", "id": "srvtoolu_01", "name": "web_search", "input": {"query": "x"}},
        {"type": "text", "text": "So.", "citations": [{"url": "a"}, {"url": "b"}]},
    ]


def test_blocks_stand_in_the_order_of_their_index() -> None:
    """Whatever the order of the events."""
    stream = fed(opened(1, type="text", text="b"), opened(0, type="text", text="a"))
    assert [block["text"] for block in stream.content()] == ["a", "b"]


def test_a_block_that_begins_again_begins_anew() -> None:
    """No piece of an input that was given up gets into the next one."""
    stream = fed(
        opened(0, type="tool_use", id="a", name="look", input={}),
        grown(0, "input_json_delta", partial_json='{"a": 1}'),
        opened(0, type="tool_use", id="b", name="look", input={"b": 2}),
    )
    assert stream.content() == [{"type": "tool_use", "id": "b", "name": "look", "input": {"b": 2}}]


def test_an_answer_in_one_piece_is_taken_whole() -> None:
    """Some gateways answer a request for a stream with a message."""
    block = {"type": "tool_use", "id": "t", "name": "look", "input": {"where": "here"}}
    stream = AnswerStream()
    stream.whole(
        {"type": "message", "content": [block], "stop_reason": "tool_use", "usage": {"output_tokens": 3}}
    )
    assert (stream.content(), stream.stop_reason, stream.complete) == ([block], "tool_use", True)
    assert stream.usage == {"output_tokens": 3}


@pytest.mark.parametrize("content", ["text", {"type": "text"}, ["text"], [None], 5])
def test_an_answer_in_one_piece_has_blocks(content: Any) -> None:
    """What is no list of blocks is no answer."""
    with pytest.raises(BrokenStream):
        AnswerStream().whole({"type": "message", "content": content})


@pytest.mark.parametrize("kind,key", [("text_delta", "text"), ("input_json_delta", "partial_json")])
def test_an_endless_answer_is_cut_off(kind: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that never ends does not fill the memory of a worker."""
    monkeypatch.setattr(answer_stream, "MAX_ANSWER_CHARS", 1000)
    stream = fed(opened(0, type="text", text=""))
    with pytest.raises(BrokenStream, match="longer than 1,000 characters"):
        list(map(stream.feed, itertools.repeat(grown(0, kind, **{key: "x" * 99}))))


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_start"},
        {"type": "content_block_start", "index": "0", "content_block": {}},
        {"type": "content_block_start", "index": 0, "content_block": "text"},
        {"type": "content_block_delta", "index": 0, "delta": "text"},
        {"type": "content_block_delta", "index": [], "delta": {}},
        {"type": "message_start", "message": "hello"},
        {"type": "message_delta", "delta": [1]},
        {"type": "error", "error": "overloaded"},
    ],
)
def test_events_of_another_form_break_the_answer(event: JsonObject) -> None:
    """What does not have its documented form makes the attempt fail, as one that may go better next time."""
    with pytest.raises(BrokenStream, match="documented form"):
        AnswerStream().feed(event)


@given(json_objects, st.integers(1, 9))
def test_inputs_survive_however_they_are_cut(arguments: JsonObject, size: int) -> None:
    """A call's input arrives as it was sent, in pieces of any size."""
    pieces = in_pieces(json.dumps(arguments, ensure_ascii=False), size)
    stream = fed(
        opened(0, type="tool_use", id="t", name="look", input={}),
        *(grown(0, "input_json_delta", partial_json=piece) for piece in pieces),
    )
    (call,), defects = contain(stream.content(), 100_000)
    assert json.dumps(call["input"]) == json.dumps(arguments)
    assert defects == []


anything = st.one_of(json_values, hostile_texts, st.integers(0, 2))
events = st.one_of(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["message_start", "message_delta", "error", "message_stop", "ping"])},
        optional={"message": anything, "delta": anything, "usage": anything, "error": anything},
    ),
    st.builds(
        opened, st.integers(0, 2), type=st.sampled_from(["text", "tool_use", "thinking", "x"]), text=anything
    ),
    st.builds(
        grown,
        st.integers(0, 2),
        st.sampled_from(
            ["text_delta", "thinking_delta", "signature_delta", "input_json_delta", "citations_delta"]
        ),
        text=anything,
        thinking=anything,
        partial_json=anything,
        citation=anything,
    ),
    st.fixed_dictionaries(
        {"type": anything, "index": anything, "content_block": anything, "delta": anything}
    ),
)


@given(st.lists(events, max_size=12))
def test_no_stream_breaks_more_than_its_own_answer(given_events: list[JsonObject]) -> None:
    """Whatever a provider sends is taken in or refused in one of two ways, and what there is can be kept."""
    stream = AnswerStream()
    for event in given_events:
        try:
            stream.feed(event)
        except (StreamError, BrokenStream) as error:
            assert isinstance(str(error), str)  # noqa: PT017  # both are expected; that they can be told is the point
        assert isinstance(stream.text(), str)
    legal, _ = contain(stream.content(), 1000)
    json.dumps(legal).encode()
