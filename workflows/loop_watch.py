"""Watching for loops: which calls are answered from memory, and what the planner is told after each step."""

from holdfast.contracts.base import JsonObject
from holdfast.contracts.calls import CallRecord
from holdfast.contracts.digests import digest
from holdfast.contracts.messages import text_block
from holdfast.contracts.run import StepRecord
from holdfast.contracts.spec import ToolSpec
from policies import feedback, loops
from policies.json_safety import shorten
from workflows.call_execution import Answer
from workflows.failure_counting import went_in_circles
from workflows.limit_watch import limits_of
from workflows.run_state import RunState

MAX_REMEMBERED_CHARS = 2_000
"""An answer from memory is shorter than a large result: the planner has that already."""


def remember(record: CallRecord, answer: Answer) -> None:
    """Keep what tells this result from others."""
    record.result_digest = digest([answer.text, answer.is_error])


def from_memory(state: RunState, record: CallRecord, tool: ToolSpec) -> Answer | None:
    """The answer of a call that need not, or must not, be made again; None: make it."""
    if tool.polls:
        return None
    known = loops.answered_before(state.ledger, record, since=state.loop.fresh_from)
    if known is None:
        return None
    record.answered_by = known.id
    if tool.writes:
        record.status, record.why = "refused", loops.REPEATED_WRITE.format(times=loops.SAME_RESULTS)
        return Answer(feedback.refused(record.why), is_error=True)
    record.status, record.why = "skipped", f"answered from memory: the same as call {known.id}"
    text = _text_of(state, known) or known.preview
    return Answer(shorten(text, MAX_REMEMBERED_CHARS), is_error=known.status == "failed")


def _text_of(state: RunState, call: CallRecord) -> str | None:
    """What the planner was told of a call, as the transcript has it."""
    for message in reversed(state.transcript.messages):
        for block in message.content:
            if block.get("type") != "tool_result" or block["tool_use_id"] != call.tool_use_id:
                continue
            text, is_error = block["content"], block.get("is_error", False)
            if isinstance(text, str) and digest([text, is_error]) == call.result_digest:
                return text
    return None


def told_beside(state: RunState, step: StepRecord, content: list[JsonObject]) -> list[JsonObject]:
    """What the planner is told after a step: the results, then the engine's words, which the record keeps too."""
    polled = frozenset(tool.name for tool in state.spec.tools if tool.polls)
    last_two = state.steps[-2:]  # the one before may be archived
    before = last_two[0] if len(last_two) == 2 else None
    state.loop.circles = state.loop.circles + 1 if loops.brings_nothing_new(step, before, polled) else 0
    if state.loop.circles == 1:
        went_in_circles(state)
    notes = loops.notes(
        state.ledger, step, circles=state.loop.circles, calls=limits_of(state).calls, polled=polled
    )
    for note in notes:
        state.event("notice", f"nudge: {note}")
    told = [*content, *map(text_block, notes)]
    step.notes = [block["text"] for block in told if block["type"] == "text"]
    return told
