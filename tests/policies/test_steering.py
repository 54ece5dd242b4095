"""policies/steering.py: what may be said to a running agent, and in which words it hears it."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast.contracts.messages import Message, user_text
from holdfast.contracts.steering import MessageInput, PersonMessage, SteerInput
from policies.steering import MAX_QUEUED_BYTES, NOT_BEGUN, cancelled_reason, misfit, missing_results, told

AT = "2026-11-21T03:00:00.000+00:00"


def said(text: str, by: str = "ana") -> PersonMessage:
    """A message that waits."""
    return PersonMessage(text=text, by=by, at=AT)


@pytest.mark.parametrize("given", [MessageInput(text="ü", by="ana"), SteerInput(by="ana")])
def test_plain_words_are_taken(given: MessageInput | SteerInput) -> None:
    """There is nothing to object to."""
    assert misfit(given) is None


@pytest.mark.parametrize(
    "given",
    [
        MessageInput(text="a\x00b", by="ana"),
        MessageInput(text="a", by="\x00"),
        SteerInput(by="a", reason="\x00"),
    ],
)
def test_text_that_cannot_be_stored_is_refused(given: MessageInput | SteerInput) -> None:
    """A NUL would break whoever reads the history."""
    assert "NUL" in (misfit(given) or "")


def test_what_waits_for_one_plan_is_bounded() -> None:
    """All waiting messages together must fit into one answer to a worker."""
    waiting = [said("x" * 250_000)] * 4
    assert MAX_QUEUED_BYTES >= 4 * 250_000
    assert misfit(MessageInput(text="x", by="ana"), waiting) is not None
    assert misfit(MessageInput(text="x", by="ana"), waiting[:3]) is None


def test_messages_are_told_in_order_with_their_authors() -> None:
    """One block for each; a name cannot break out of its line."""
    blocks = told([said("one"), said("two", by="b\nob")]).content
    assert [block["text"] for block in blocks] == ["Message from ana: one", "Message from b ob: two"]


@pytest.mark.parametrize(
    "words,reason",
    [
        ("", "the run was cancelled"),
        (" \n", "the run was cancelled"),
        ("by ana", "the run was cancelled by ana"),
        ("by ana: wrong\naccount", "the run was cancelled by ana: wrong account"),
        ("too slow", "the run was cancelled: too slow"),
    ],
)
def test_the_reason_is_a_sentence(words: str, reason: str) -> None:
    """Whoever cancels by the Temporal CLI may say anything."""
    assert cancelled_reason(words) == reason


def test_calls_without_results_get_one_each() -> None:
    """A transcript that ends in calls could not be sent again."""
    calls: list[dict[str, Any]] = [
        {"type": "tool_use", "id": one, "name": "look", "input": {}} for one in ("a", "b")
    ]
    ending = [user_text("Go."), Message(role="assistant", content=[{"type": "text", "text": "x"}, *calls])]
    results = missing_results(ending)
    assert [one["tool_use_id"] for one in results] == ["a", "b"]
    assert {one["content"] for one in results} == {NOT_BEGUN}


@pytest.mark.parametrize("messages", [[], [user_text("Go.")], [Message(role="assistant", content=[])]])
def test_a_whole_transcript_gets_nothing(messages: list[Message]) -> None:
    """There is nothing to add where nothing is open."""
    assert missing_results(messages) == []
