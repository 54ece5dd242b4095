"""When a transcript is compacted, and what is kept: the table of `policies/context.py`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.artifacts import ArtifactRef
from holdfast.contracts.calls import CallRecord, EffectRecord, Failure
from holdfast.contracts.compacting import CompactionSpec
from holdfast.contracts.messages import Message, user_text
from holdfast.contracts.spec import AgentSpec, ModelRung, RulesRung
from policies import context

RUNG = ModelRung(kind="model", model="big", context_window=1_000)
CHEAP = ModelRung(kind="model", model="cheap", thinking={"type": "enabled", "budget_tokens": 2048})
SPEC = AgentSpec(name="a", instructions="", ladder=(RUNG, CHEAP), compaction=CompactionSpec(keep=4))


def roles(count: int) -> list[str]:
    """A task, then answers and results in turn, the results last."""
    return ["user", *["assistant", "user"] * count]


@pytest.mark.parametrize(
    "known,planned,sizes,expected",
    [
        (0, 0, [300, 300], 202),
        (500, 2, [300, 300], 500),
        (500, 1, [300, 300], 601),
        (0, 0, [], 0),
    ],
)
def test_tokens_are_the_providers_count_and_an_estimate(
    known: int, planned: int, sizes: list[int], expected: int
) -> None:
    """What the provider has counted is not estimated again."""
    assert context.tokens(known, planned, sizes) == expected


@pytest.mark.parametrize("count,full", [(749, False), (750, True), (2_000, True)])
def test_three_quarters_of_the_window_are_full(count: int, full: bool) -> None:
    """150,000 of 200,000, by default."""
    assert context.is_full(SPEC, RUNG, count) is full


@pytest.mark.parametrize(
    "steps,size,forced,expected",
    [
        (10, 90, False, 17),  # the last four messages
        (10, 400, False, 19),  # of which there is room for two
        (10, 2_000, False, 21),  # and for none
        (1, 400, False, None),  # nothing lies between the task and the last exchange
        (3, 3, False, None),  # nothing to be gained
        (3, 3, True, 5),  # but it must be tried
    ],
)
def test_the_last_messages_are_kept_as_there_is_room(
    steps: int, size: int, forced: bool, expected: int | None
) -> None:
    """As many as the agent says, fewer where they are large, none where even the last exchange is too large."""
    found = roles(steps)
    assert context.kept_from(found, [size] * len(found), SPEC, RUNG, forced=forced) == expected


@given(st.lists(st.sampled_from(["user", "assistant"]), max_size=30), st.data(), st.booleans())
def test_what_is_kept_begins_with_an_answer(said: list[str], data: st.DataObject, forced: bool) -> None:
    """So no call is split from its result: whatever the roles and sizes, and unless nothing is kept."""
    found = ["user", *said]
    sizes = data.draw(st.lists(st.integers(0, 5_000), min_size=len(found), max_size=len(found)))
    at = context.kept_from(found, sizes, SPEC, RUNG, forced=forced)
    if at is not None and at < len(found):
        assert (found[at - 1], found[at]) == ("user", "assistant")
        assert at >= 3


@pytest.mark.parametrize(
    "kind,error,expected",
    [
        ("limit", "request_too_large", True),
        ("limit", "RequestTooLargeError", True),
        ("limit", "ContentTooLargeError", True),
        ("limit", "invalid_request_error", True),
        ("limit", "model_context_window_exceeded", True),
        ("limit", "refusal", False),
        ("limit", "AnswerTooLarge", False),
        ("fatal", "invalid_request_error", False),
    ],
)
def test_only_a_prompt_that_is_too_long_is_an_overflow(kind: str, error: str, expected: bool) -> None:
    """A refusal, or an answer that is too long, is not mended by a shorter prompt."""
    failure = Failure.model_validate({"kind": kind, "message": "m", "error": error})
    assert context.overflowed(failure) is expected


def test_the_last_model_of_the_ladder_summarises() -> None:
    """Unless the agent names another; without a model there is nobody."""
    found = context.summariser(SPEC)
    assert found is not None
    assert (found.model, found.thinking, found.max_tokens) == ("cheap", None, 2_048)
    named = context.summariser(SPEC.model_copy(update={"compaction": CompactionSpec(model="mini")}))
    assert named is not None
    assert named.model == "mini"
    rules = RulesRung(kind="rules", function="f")
    assert context.summariser(SPEC.model_copy(update={"ladder": (rules,)})) is None


def test_the_material_is_the_dropped_messages_in_short() -> None:
    """The task and every kind of block, thinking left out; of a long result its ends; never more than fits."""
    messages = [
        user_text("The task."),
        Message(
            role="assistant",
            content=[
                {"type": "thinking", "thinking": "secret", "signature": "s"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "t1", "name": "look", "input": {"at": "here"}},
            ],
        ),
        Message(
            role="user",
            content=[{"type": "tool_result", "tool_use_id": "t1", "content": "x" * 9_000, "is_error": True}],
        ),
        Message(role="assistant", content=[{"type": "text", "text": "kept"}]),
    ]
    told = context.material(messages, 3, CHEAP)
    assert told.startswith(
        "TASK: The task.\n\nAGENT: I look.\nCALL t1: look {'at': 'here'}\n\nRESULT t1 (failed): xxx"
    )
    assert "secret" not in told
    assert "kept" not in told
    assert len(told) < 4_000
    assert len(context.material(messages, 3, CHEAP.model_copy(update={"context_window": 400}))) <= 600


def test_writes_and_artifacts_are_named_whatever_the_summary_says() -> None:
    """They come from the record, not from a model."""
    effect = EffectRecord(
        call="3.1", tool="stop", arguments={"i": "i-1"}, idempotency_key="k", outcome="done", reversible=True
    )
    text = context.opening("Nothing much.", 12, [effect], [ArtifactRef(id="f" * 32, bytes=7, call="2.1")])
    assert text.startswith("[The 12 messages that followed are replaced by this summary")
    assert "done: stop i-1 (call 3.1)" in text
    assert f"{'f' * 32} (result of call 2.1, 7 bytes)" in text


def test_the_record_is_a_summary_of_any_length() -> None:
    """The latest calls of many, and how many there were before."""
    ledger = [
        CallRecord(
            id=f"{n}.1", tool_use_id="t", tool="look", arguments={"n": n}, status="done", preview="p" * 400
        )
        for n in range(1_000)
    ]
    text = context.from_record(ledger, "no worker")
    assert len(text) < context.MAX_SUMMARY_CHARS + 200
    assert "- look 999: done" in text
    assert "earlier calls" in text
