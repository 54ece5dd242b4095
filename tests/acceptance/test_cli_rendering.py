"""What people read: it fits the screen, hides nothing that is decided about, and cannot be forged by a model."""

from __future__ import annotations

import io
import shlex
from decimal import Decimal

import pytest
from rich.console import Console

from holdfast.cli.rendering import words
from holdfast.cli.rendering.event_lines import print_event
from holdfast.cli.rendering.requests import print_inbox, print_request, ways
from holdfast.cli.rendering.run_page import print_end, print_requests, print_run
from holdfast.cli.rendering.screen import one_line, safe
from holdfast.contracts.calls import CallRecord, EffectRecord, Failure
from holdfast.contracts.plans import Usage
from holdfast.contracts.requests import CHOICES, Decision, Ignored, Request, RequestKind
from holdfast.contracts.run import RunEvent, RunOutcome, RunView, StepRecord

AT = "2026-03-01T10:00:00.000+00:00"
LATER = "2026-03-01T10:02:05.000+00:00"
LONG = "a rather long sentence that has to be broken somewhere, " * 4
USAGE = Usage(input_tokens=1200, output_tokens=300, cost_usd=Decimal("0.0123"), model_calls=1)


def screen(width: int) -> Console:
    """A screen of a width, without colours, that keeps what it shows."""
    return Console(file=io.StringIO(), width=width, highlight=False, markup=False, emoji=False)


def shown(console: Console) -> str:
    """All that a screen shows."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def request(kind: RequestKind = "approval", **changes: object) -> Request:
    """A request of a kind."""
    given = {
        "id": f"2.1-{kind}-0a1b2c3d", "kind": kind, "run": "ticket-88", "agent": "cloud-costs", "digest": "d" * 32,
        "step": 2, "why": LONG, "by": "finops", "call": "2.1", "tool": "stop_instance",
        "arguments": {"instance_id": "i-0abc", "reason": LONG}, "opened_at": AT, **changes,
    }  # fmt: skip
    return Request.model_validate(given)


def call(**changes: object) -> CallRecord:
    """A call."""
    given = {
        "id": "2.1", "tool_use_id": "t", "tool": "stop_instance", "status": "done", "started_at": AT,
        "arguments": {"instance_id": "i-0abc", "reason": LONG}, "finished_at": LATER, "preview": LONG, **changes,
    }  # fmt: skip
    return CallRecord.model_validate(given)


def view() -> RunView:
    """A run with something of everything."""
    broken = Failure(kind="transient", message=LONG, error="ConnectTimeout")
    step = StepRecord(
        number=1, rung=0, planner="claude-sonnet-4-5", stop_reason="max_tokens", text=LONG, usage=USAGE, seconds=1.5,
        calls=[
            call(approved_by="dana", why=LONG), call(status="failed", failure=broken),
            call(status="refused", why=LONG), call(status="waiting", why=LONG), call(status="done", dry_run=True),
        ],
    )  # fmt: skip
    effect = EffectRecord(
        call="2.1", tool="stop_instance", arguments={"reason": LONG}, idempotency_key="k", outcome="unknown",
        reversible=True, approved_by="dana",
    )  # fmt: skip
    decision = Decision(
        request="2.1-approval-0a1b2c3d", choice="reject", by="eve", reason=LONG, via="signal", at=AT
    )
    outcome = RunOutcome(
        run="ticket-88",
        agent="cloud-costs",
        digest="d" * 32,
        status="partial",
        reason=LONG,
        output={"stopped": []},
    )
    return RunView(
        run="ticket-88", agent="cloud-costs", digest="d" * 32, task=LONG, user="ana", dry_run=True, status="partial",
        started_at=AT, finished_at=LATER, steps=[step], requests=[request()], decisions=[decision],
        ignored=[Ignored(at=AT, signal="approve", why=LONG)], effects=[effect], usage=USAGE, outcome=outcome,
    )  # fmt: skip


@pytest.mark.parametrize("width", [80, 120])
def test_a_run_fits_the_screen(width: int) -> None:
    """No line of a run is wider than the screen, but for the commands to copy, which are never broken."""
    console = screen(width)
    print_run(console, view(), status="partial")
    print_requests(console, view().requests, by="dana", flags="")
    print_end(console, view(), status="partial")
    lines = shown(console).splitlines()
    commands = [one.strip() for one in lines if one.strip().startswith("holdfast ")]
    assert [one for one in lines if len(one) > width and one.strip() not in commands] == []
    assert commands == [way.command for way in ways(request(), by="dana")]


def test_a_run_page_says_who_what_why_and_how_much() -> None:
    """Planner, tokens, cost, time, verdicts, approvers, failures, effects and the outcome are all there."""
    console = screen(400)
    print_run(console, view(), status="partial")
    print_end(console, view(), status="partial")
    page = shown(console)
    for part in (
        "ticket-88 partial · dry run",
        "started  ",
        " by ana, took 2 min 5 s",
        "step 1  plan by claude-sonnet-4-5 · 1.5 s · 1.5k tokens · $0.0123 · stopped: max_tokens",
        "done · approved by dana · 2 min 5 s · asked because a rather",
        "failed · 2 min 5 s: transient ConnectTimeout: a rather",
        "refused · 2 min 5 s: a rather",
        "done · dry run",
        "rejected by eve (signal): a rather",
        "signal approve changed nothing: a rather",
        "unknown 2.1 stop_instance(",
        "Total  1 step · 5 calls · 1 model call · 1.5k tokens · $0.0123",
        "Status partial: a rather",
        '"stopped": []',
    ):
        assert part in page


def test_a_request_is_shown_whole() -> None:
    """Arguments that a person approves are never cut, however long they are."""
    console = screen(80)
    long = "x" * 5000
    print_request(console, request(arguments={"query": long}), by="dana")
    assert "".join(shown(console).split()).count("x" * 5000) == 1


@pytest.mark.parametrize("kind", list(CHOICES))
def test_every_kind_of_request_comes_with_commands(kind: RequestKind) -> None:
    """Each decision that a kind takes has a command, which a shell splits into run, request and who decides."""
    asked = request(kind, run="it's mine")
    found = [shlex.split(way.command) for way in ways(asked, by="Dana Scully", flags=" --address here:7233")]
    assert {words[1] for words in found} == set(asked.choices)
    for words_of_it in found:
        assert words_of_it[0] == "holdfast"
        assert words_of_it[2:4] == ["it's mine", asked.id]
        assert words_of_it[words_of_it.index("--by") + 1] == "Dana Scully"
        assert words_of_it[words_of_it.index("--address") + 1] == "here:7233"


def test_many_requests_become_a_table_that_cuts_no_id() -> None:
    """A long inbox is one line a request; runs and requests can still be read in full."""
    console = screen(80)
    asked = [request(run=f"ticket-{number}", id=f"2.{number}-approval-0a1b2c3d") for number in range(30)]
    print_inbox(console, asked, by="dana", flags="")
    lines = shown(console).splitlines()
    assert max(map(len, lines)) <= 80
    for one in asked:
        assert any(one.run in line and one.id in line for line in lines)
    assert any("holdfast approve RUN REQUEST" in line for line in lines)


@pytest.mark.parametrize(
    "text, shows",
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("over\rwritten", "over\\rwritten"),
        ("i-\u202eabc", "i-\\u202eabc"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("half \ud800 letter", "half \\ud800 letter"),
        ("\x9b2J", "\\x9b2J"),
        ("ünïcode 東京 👍", "ünïcode 東京 👍"),
        ("line\nand\ttab", "line\nand\ttab"),
    ],
)
def test_what_a_model_writes_cannot_act_on_the_terminal(text: str, shows: str) -> None:
    """Control characters and marks that reorder or hide letters are spelled out; other letters stay."""
    assert safe(text) == shows


def test_nothing_of_a_request_can_forge_what_is_shown() -> None:
    """Wherever a model's or tool's text stands in a request, it is made safe."""
    console = screen(200)
    evil = "\x1b[2J\u202e"
    print_request(
        console,
        request(tool=f"t{evil}", why=evil, by=evil, run=evil, arguments={f"k{evil}": [evil], "v": evil}),
        by="dana",
        with_run=True,
    )
    assert "\x1b" not in shown(console)
    assert "\u202e" not in shown(console)


def test_every_kind_of_event_can_be_shown() -> None:
    """A live view has words for each kind of event."""
    data = {
        "started": {}, "plan": view().steps[0].model_dump(mode="json", exclude={"calls"}),
        "call": call(status="proposed").model_dump(mode="json"), "result": call().model_dump(mode="json"),
        "request": request().model_dump(mode="json"), "decision": view().decisions[0].model_dump(mode="json"),
        "ignored": {}, "notice": {}, "finished": {"status": "completed"},
    }  # fmt: skip
    for number, (kind, given) in enumerate(data.items()):
        console = screen(80)
        event = RunEvent.model_validate(
            {"number": number, "at": AT, "kind": kind, "step": 1, "text": LONG, "data": given}
        )
        print_event(console, event, by="dana", flags="")
        assert shown(console).strip()
        assert all(len(one) <= 80 or "holdfast " in one for one in shown(console).splitlines())


@pytest.mark.parametrize(
    "seconds, shows",
    [
        (0.004, "4 ms"),
        (0.25, "0.2 s"),
        (42, "42 s"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (1_047_600, "12 d 3 h"),
    ],
)
def test_durations_are_short(seconds: float, shows: str) -> None:
    """Two figures are enough."""
    assert words.duration(seconds) == shows


def test_one_line_says_that_it_was_cut() -> None:
    """White space becomes single spaces, and what is left out is marked."""
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line("abcdef", 4) == "abc…"
