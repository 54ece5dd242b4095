"""`holdfast result` and what `holdfast show` says of work that waits for its next try: of runs in any state."""

from __future__ import annotations

import io
import json
import uuid
from datetime import UTC, datetime, timedelta

from rich.console import Console

from holdfast.cli.rendering.run_page import print_end, print_run
from holdfast.cli.rendering.under_way import print_pending, print_so_far
from holdfast.contracts.calls import CallRecord, Failure
from holdfast.contracts.pending import PendingWork
from holdfast.contracts.plans import Usage
from holdfast.contracts.run import RunView, StepRecord
from tests.acceptance.command_line import CommandLine

OVERLOADED = Failure(kind="transient", message="overloaded", error="Busy", category="integration")
AT = "2026-03-01T10:00:00.000+00:00"


def new_id() -> str:
    """A run id that no other test uses."""
    return f"run-{uuid.uuid4().hex[:8]}"


def test_the_result_of_a_completed_run_is_all_that_is_on_stdout(served: CommandLine) -> None:
    """A script can pipe it; exit code 0. With --json the whole outcome comes, and the transcript if asked for."""
    served("start", "parcels", "say hello", "--id", (run := new_id()))
    found = served("result", run, "--wait")
    assert (found.code, found.json) == (0, {"delivered": ["say hello"], "left": []})
    assert f"{run} completed" in found.err
    document = served("result", run, "--json", "--transcript").json
    assert (document["outcome"]["status"], document["source"]) == ("completed", "worker")
    assert "say hello" in json.dumps(document["transcript"])


def test_a_parked_run_has_an_outcome_too(served: CommandLine) -> None:
    """`--wait` ends where only a person can go on: exit code 1, and stderr says why; stdout stays empty."""
    served("start", "parcels", "park it", "--id", (run := new_id()))
    found = served("result", run, "--wait", "--transcript")
    assert (found.code, found.out) == (1, "")
    assert f"{run} parked: it waits for a person to move it on: no planner is left" in found.err
    assert "failed: 1 integration" in found.err
    assert "user       park it" in found.err
    shown = served("show", run, "--json").json
    assert (shown["status"], shown["pending"], shown["failure_counts"]) == ("parked", [], {"integration": 1})
    assert served("result", "no-such-run").code == 2


def view() -> RunView:
    """A run with two calls under way, and a rung that has failed."""
    calls = [
        CallRecord(id="1.1", tool_use_id="a", tool="look", arguments={"where": "here"}, status="running"),
        CallRecord(
            id="1.2",
            tool_use_id="b",
            tool="seek",
            arguments={},
            status="refused",
            why="There is no tool 'seek'.",
            failure=Failure(kind="correctable", message="", error="UnknownTool", category="hallucination"),
        ),
    ]
    step = StepRecord(
        number=1,
        rung=1,
        planner="claude-haiku-4-5",
        stop_reason="tool_use",
        text="I look.",
        calls=calls,
        notes=["5 calls made, of 50 at most."],
        failures=[OVERLOADED],
    )
    return RunView(
        run="ticket-88",
        agent="clerk",
        digest="d" * 32,
        task="Look.",
        user=None,
        dry_run=False,
        status="acting",
        started_at=AT,
        steps=[step],
        total_steps=1,
        requests=[],
        decisions=[],
        ignored=[],
        effects=[],
        usage=Usage(),
        failure_counts={"integration": 1, "hallucination": 1},
    )


def test_a_page_says_what_failed_what_was_told_and_what_is_tried_again() -> None:
    """Failed rungs, categories, the words of loop detectors, attempts and when the next try is due."""
    console = Console(file=io.StringIO(), width=120, highlight=False, markup=False, emoji=False)
    due = (datetime.now(UTC) + timedelta(minutes=4)).isoformat()
    pending = [
        PendingWork(
            work="look", call="1.1", attempt=2, attempts_at_most=4, next_try=due, last_failure=OVERLOADED
        ),
        PendingWork(work="plan", running=True, started_at=datetime.now(UTC).isoformat()),
        PendingWork(work="seek", attempt=3, next_try=AT),
    ]
    print_run(console, view(), status="acting")
    print_pending(console, view(), pending)
    print_end(console, view(), status="acting")
    print_so_far(console, view().so_far(), status="acting")
    assert isinstance(console.file, io.StringIO)
    page = console.file.getvalue()
    for part in (
        "✗ planner: transient Busy: overloaded (integration)",
        "refused: There is no tool 'seek'. (hallucination)",
        "told: 5 calls made, of 50 at most.",
        '… 1.1 look(where="here")',
        "attempt 2 of 4 in 4 min",
        "the last attempt failed: transient Busy: overloaded",
        "▸ plan of step 2",
        "attempt 1 is running, for ",
        "attempt 3 waits for a free worker",
        "Failed 1 hallucination · 1 integration",
        "ticket-88 acting: it is under way",
        "said last: I look.",
    ):
        assert part in page, page
