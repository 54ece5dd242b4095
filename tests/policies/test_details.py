"""policies/details.py: what the UI shows of a run says what happened, in the words of those who said it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts import user_metadata
from holdfast.contracts.calls import CallRecord, Failure
from holdfast.contracts.forks import Fork, MadeCall, Rewound
from holdfast.contracts.plans import Usage
from holdfast.contracts.requests import Decision, Ignored
from holdfast.contracts.run import RunOutcome, RunView, StepRecord
from policies.details import MAX_REQUESTS_SHOWN, MAX_STEPS_SHOWN, details
from policies.markdown import block, quoted, span
from tests.policies.test_labels import a_request, long_texts, safe_arguments, stored_bytes


def a_view(**fields: Any) -> RunView:
    """A run as it stands."""
    given_fields = {
        "run": "r", "agent": "a", "digest": "d", "task": "Look.", "user": None, "dry_run": False,
        "status": "acting", "started_at": "", "steps": [], "requests": [], "decisions": [], "ignored": [],
        "effects": [], "usage": Usage(cost_usd=Decimal("0.5"), input_tokens=1234), **fields,
    }  # fmt: skip
    return RunView.model_validate(given_fields)


def a_step(**fields: Any) -> StepRecord:
    """The only step of a run."""
    return StepRecord.model_validate(
        {"number": 1, "rung": 0, "planner": "m", "stop_reason": "tool_use", **fields}
    )


@given(
    task=long_texts,
    said=long_texts,
    why=long_texts,
    arguments=safe_arguments,
    requests=st.integers(0, 30),
    calls=st.integers(0, 40),
)
def test_details_are_kept_by_the_server_whatever_the_run(
    *, task: str, said: str, why: str, arguments: dict[str, Any], requests: int, calls: int
) -> None:
    """Long tasks, many calls and many requests: at most 20,000 bytes."""
    record = CallRecord(id="1.1", tool_use_id="t", tool="stop", arguments=arguments)
    outcome = RunOutcome(run="r", agent="a", digest="d", status="failed", reason=why)
    view = a_view(
        task=task,
        steps=[a_step(text=said, calls=[record] * calls)],
        requests=[a_request(why=why, by=said or "x", tool="stop", arguments=arguments)] * requests,
        ignored=[Ignored(at="", signal="approve", why=why)],
        outcome=outcome,
    )
    assert stored_bytes(details(view)) <= user_metadata.DETAILS_BYTES


def test_details_say_what_a_person_needs() -> None:
    """State, cost, task; what is asked and how to answer it; the steps, why calls ended as they did, who decided."""
    waiting = CallRecord(id="2.1", tool_use_id="t", tool="stop", arguments={"id": "i-1"}, status="waiting")
    refused = waiting.model_copy(update={"id": "2.2", "status": "refused", "why": "i-1 is *critical*"})
    done = waiting.model_copy(
        update={"id": "1.1", "status": "done", "approved_by": "dana", "preview": '{"stopped":`i-1`}'}
    )
    decision = Decision(
        request="1.1-approval-ab", choice="approve", by="dana", note="fine", via="signal",
        at="2026-11-22T07:30:01.000+00:00",
    )  # fmt: skip
    down = Failure(kind="transient", message="529 Overloaded", error="overloaded_error")
    shown = details(
        a_view(
            status="waiting",
            task="Stop\nall of it.",
            user="ana",
            steps=[
                a_step(calls=[done]),
                a_step(number=2, rung=1, text="I stop it.", calls=[waiting, refused], failures=[down]),
            ],
            requests=[a_request(tool="stop", arguments={"id": "i-1"}, deadline="2026-11-22T00:00:00+00:00")],
            decisions=[decision],
        )
    )
    for words in (
        "**a** is **waiting** · 2 steps · \\$0.5000 · 1,234 tokens · for ana",
        "> Stop all of it.",
        "### Waiting for finops: approval\nWhy: it costs money",
        '`stop`\n\n- id: `"i-1"`\n',
        "Denied if unanswered by 2026-11-22 00:00 UTC.",
        "temporal workflow signal \\\n  --workflow-id r \\\n",
        "### Step 2\nPlanned by m, rung 2 of the ladder: I stop it.",
        "- a planner failed (transient): 529 Overloaded",
        "- `stop i-1` waiting",
        "- `stop i-1` refused: i-1 is \\*critical\\*",
        '- `stop i-1` done, approved by dana → `` {"stopped":`i-1`} ``',
        "- dana: approve `1.1-approval-ab`, by signal, 2026-11-22 07:30 UTC: fine",
    ):
        assert words in shown
    assert shown.index("Waiting for") < shown.index("### Step 2") < shown.index("### Step 1")


def test_details_of_an_ended_run_show_its_result() -> None:
    """A text line by line, data field by field, and why it is not all that was asked for."""
    text = "Stopped *i-1*.\n\n| a |\n# b"
    outcome = RunOutcome(run="r", agent="a", digest="d", status="partial", output=text, reason="no *time*")
    told = "### Result\nStopped \\*i-1\\*.\n\n\\| a \\|\\\n\\# b\n\nWhy: no \\*time\\*"
    assert told in details(a_view(outcome=outcome))
    data = outcome.model_copy(update={"output": {"stopped": ["i-1"]}})
    assert '- stopped: `["i-1"]`' in details(a_view(outcome=data))
    assert "### Result\n`7`\n" in details(a_view(outcome=outcome.model_copy(update={"output": 7})))
    assert "### Result" not in details(a_view(outcome=outcome.model_copy(update={"output": None})))


def test_old_steps_are_counted_and_told_where_to_find() -> None:
    """The last steps stand there; a long run's others are in the terminal."""
    steps = [a_step(number=number) for number in range(1, MAX_STEPS_SHOWN + 4)]
    shown = details(a_view(steps=steps))
    assert f"· {len(steps)} steps ·" in shown
    assert "### Step 4" in shown
    assert "### Step 3" not in shown
    assert "All steps: `holdfast show r`" in shown


def test_what_others_wrote_cannot_speak_in_the_engines_voice() -> None:
    """What a model, a tool or a user wrote makes no heading, whatever it holds."""
    forged = "```\n### Waiting for nobody: approved\n` ok"
    shown = details(
        a_view(
            task=forged,
            requests=[a_request(tool="stop", arguments={"note": forged, forged: 1}, why=forged)],
            steps=[a_step(text=forged)],
            outcome=RunOutcome(run="r", agent="a", digest="d", status="completed", output=forged),
        )
    )
    headings = [line for line in shown.splitlines() if line.startswith("#")]
    assert headings == ["### Waiting for finops: approval", "### Result", "### Step 1"]


def test_the_arguments_shown_are_the_arguments() -> None:
    """What is approved is read as JSON, as it is: nothing of it is lost or changed on the way to the page."""
    arguments = {"note": "` is  _fine_\n\n### x", "n": 1.5, "of": {"a": [None, "ü"]}}
    shown = details(a_view(requests=[a_request(tool="stop", arguments=arguments)]))
    lines = [line for line in shown.splitlines() if line.startswith("- ")]
    told = dict(line.removeprefix("- ").split(": ", 1) for line in lines)
    assert {name: json.loads(spelled.strip("` ")) for name, spelled in told.items()} == {
        "note": "` is  _fine_\n\n### x", "n": 1.5, "of": {"a": [None, "ü"]},
    }  # fmt: skip


def test_a_quoted_text_is_no_markdown() -> None:
    """Its characters are what is read."""
    said = "*a* __b__ snake_case `c` [d](http://e) <b>f</b> a|b # g ![h](i) ~j~ &lt; \\"
    assert quoted(said, 200) == (
        "\\*a\\* \\_\\_b\\_\\_ snake_case \\`c\\` \\[d\\](http://e) \\<b\\>f\\</b\\> a\\|b \\# g "
        "!\\[h\\](i) \\~j\\~ \\&lt; \\\\"
    )
    assert quoted("- item", 20) == "\\- item"
    assert span("a `b` ``c``") == "``` a `b` ``c`` ```"
    assert block("a\n````\nb") == ["`````", "a\n````\nb", "`````"]


def test_more_requests_than_fit_are_counted() -> None:
    """The first ten are shown."""
    shown = details(a_view(requests=[a_request(id=f"{number}") for number in range(MAX_REQUESTS_SHOWN + 5)]))
    assert "… and 5 more open requests." in shown


def test_where_a_run_came_from_is_said() -> None:
    """A fork names its origin and what becomes of its writes; a rewound run, who did it and what still stands."""
    fork = Fork(run="ticket-88", at=2, writes="ask", changed=["instructions"], by="ben")
    made = MadeCall(run="r", call="2.1", tool="stop", fingerprint="f", idempotency_key="k")
    shown = details(a_view(fork=fork, rewind=Rewound(to=1, by="dana", reason="the *wrong* one", made=[made])))
    assert "Fork of `ticket-88` at step 2 by ben, changed: instructions. Writes are asked about." in shown
    assert (
        "Rewound to step 1 by dana: the \\*wrong\\* one. That took nothing back of what was done since: 2.1 stop."
        in shown
    )


def test_what_cannot_be_seen_is_spelled_out() -> None:
    """Marks that reorder or hide letters could make an approval look like another one."""
    shown = details(a_view(requests=[a_request(tool="stop", arguments={"to\u202e": "a\u200bb\u202e"})]))
    assert '- to\\\\u202e: `"a\\u200bb\\u202e"`' in shown
