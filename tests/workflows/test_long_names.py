"""Whatever people and models write: no name, task or argument is too long for what the server takes."""

from __future__ import annotations

from typing import Any

import pytest

from holdfast import Agent, ProposedCall, UsageError, Verdict, tool
from holdfast.contracts import names
from holdfast.contracts.user_metadata import DETAILS_BYTES, SUMMARY_BYTES
from holdfast.testing import calls, finish
from tests.stage import CLAUDE, SetStage, unique

LONG = "Größe 😀 " * 700
"""5,600 characters of 12,000 bytes."""


def ask_a_committee(_: ProposedCall) -> Verdict:
    """Ask somebody with a name that no search attribute can hold."""
    return Verdict.ask(LONG, by=LONG)


@tool(effect="irreversible", waiver="nothing happens", guards=[ask_a_committee])
async def note(text: str) -> str:
    """Take a note."""
    return f"noted {len(text)} characters"


AGENT = Agent(name="clerk", instructions="Take notes.", tools=[note], ladder=[CLAUDE], autonomy="reversible")


async def test_a_run_outlives_every_long_name(stage: SetStage) -> None:
    """A user, an approver, a task, arguments and a question of any length neither end nor hide the run."""
    script = [calls(("note", {"text": LONG}), ("ask_human", {"question": LONG})), finish(result="Noted.")]
    async with stage(AGENT, script) as on:
        run = await on.start(LONG, user="ü" * 300)
        approval = await run.next_request(kind="approval")
        question = await run.next_request(kind="question")
        assert (approval.by, question.why) == (LONG, LONG)
        await run.approve(approval, by="dana")
        await run.answer(question, LONG, by="dana")
        assert await run.result() == "Noted."
        history = await on.client.temporal.get_workflow_handle(run.id).fetch_history()
    texts = [event.user_metadata for event in history.events]
    assert len([text for text in texts if text.summary.data]) >= 4
    assert max(len(text.summary.data) for text in texts) <= SUMMARY_BYTES
    assert max(len(text.details.data) for text in texts) <= DETAILS_BYTES


async def test_a_run_with_a_long_name_can_be_found_by_whom_it_waits_for(stage: SetStage) -> None:
    """What is shown in lists is the beginning of a name; the inbox knows all of it."""
    async with stage(AGENT, [calls(("note", {"text": "hello"})), finish(result="Noted.")]) as on:
        run = await on.start("Note it.")
        request = await run.next_request()
        described = await on.client.temporal.get_workflow_handle(run.id).describe()
        waiting_for = dict(described.search_attributes)[names.SA_WAITING_FOR]
        assert str(waiting_for[0]).startswith("approval:Größe")
        await run.approve(request, by="dana")
        assert await run.result() == "Noted."


@pytest.mark.parametrize(
    "options,words",
    [
        ({"id": "x" * 1001}, "WorkflowId exceeds"),
        ({"user": "x" * 301}, "at most 300"),
        ({"id": unique("a"), "user": "\ud800"}, "user"),
    ],
)
async def test_what_the_server_would_refuse_is_told_to_the_caller(
    stage: SetStage, options: dict[str, Any], words: str
) -> None:
    """An id or a user that no run can have is the caller's mistake, and nothing is started."""
    async with stage(AGENT) as on:
        with pytest.raises(UsageError, match=words):
            await on.client.start(AGENT, "Note it.", **options)
