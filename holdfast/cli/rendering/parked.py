"""Parked runs as people read them: the groups, one run with what is kept, and a rehearsal."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from holdfast.cli.rendering import words
from holdfast.cli.rendering.screen import line, one_line, unwrapped
from holdfast.contracts.parked import ParkedNote, Rehearsal
from holdfast.contracts.run import RunView

if TYPE_CHECKING:
    from holdfast.client import ParkedGroup

MAX_WRITES_SHOWN = 20


def print_groups(console: Console, groups: Sequence[ParkedGroup], *, flags: str) -> None:
    """Each cause: how many runs it has stopped, of which agents, why, and the command that looks further."""
    for number, group in enumerate(groups):
        if number:
            console.print()
        runs = f"{len(group.runs)} run" + ("" if len(group.runs) == 1 else "s")
        line(console, (group.fingerprint or "(none)", "bold"), f"  {runs} of {', '.join(group.agents)}")
        note = group.example
        if note is None:
            line(
                console, ("no worker answers: `holdfast parked show` reads a run's history", "dim"), indent=2
            )
        else:
            line(
                console, one_line(f"{note.where}: {note.failure.kind}: {note.failure.message}", 400), indent=2
            )
        if group.fingerprint:
            command = f"holdfast parked redrive --group {group.fingerprint} --dry-run{flags}"
            unwrapped(console, "  ", (command, "cyan"))


def print_parked(
    console: Console, view: RunView, note: ParkedNote, *, status: str, by: str, flags: str
) -> None:
    """What is kept of a run that stopped, and the commands that move it on."""
    line(console, (view.run, "bold"), " ", (status, words.status_style(status)))
    facts = [
        ("agent", f"{view.agent} (version {view.digest[:8]})"),
        ("task", one_line(view.task, 600)),
        ("stopped", f"{note.where}, {_place(view)}"),
        ("why", note.why),
        ("group", note.fingerprint),
        ("since", words.day_and_clock(note.since)),
        ("tried", f"{words.count(note.attempts, 'time')}, last {words.day_and_clock(note.last_attempt_at)}"),
    ]
    if note.redrives:
        facts.append(("redriven", f"{words.count(note.redrives, 'time')} for this"))
    for name, value in facts:
        line(console, value, indent=10, label=(name, "dim"))
    if status != "parked":
        return
    run, who = shlex.quote(view.run), f"--by {shlex.quote(by or 'YOUR-NAME')}{flags}"
    console.print()
    for means, command in (
        ("go on from where it stopped: nothing that was done is done again", f"redrive {run} {who}"),
        ("which writes may be repeated from a step on", f"redrive {run} --from-step N --dry-run {who}"),
        ("end it", f"discard {run} --reason 'WHY' {who}"),
    ):
        unwrapped(console, ("# " + means, "dim"))
        unwrapped(console, (f"holdfast parked {command}", "cyan"))


def _place(view: RunView) -> str:
    """Where it stopped: in the middle of a step, whose refused calls are made again, or between two."""
    under_way = bool(view.steps) and view.steps[-1].finished_at is None
    return f"in step {len(view.steps)}" if under_way else f"before step {len(view.steps) + 1}"


def print_rehearsal(console: Console, rows: Sequence[Rehearsal], kind: str) -> None:
    """Which runs a move is about, and which writes their models may ask for again."""
    for row in rows:
        if row.problem:
            line(console, (row.run, "bold"), "  ", (row.problem, "red"))
            continue
        line(console, (row.run, "bold"), f"  {_told(row, kind)}")
        for call in row.made_again if kind == "redrive" else ():
            refused = ("made again; it was refused, and had no effect", "dim")
            line(console, one_line(call, 200), "; ", refused, indent=2)
        for write in row.may_repeat[:MAX_WRITES_SHOWN]:
            told = "kept from it by its key" if write.kept_by_key else "may be made again"
            shown = one_line(words.call(write.tool, write.arguments), 200)
            style = "dim" if write.kept_by_key else "yellow"
            line(console, f"{write.call} {shown}: {write.outcome}; ", (told, style), indent=2)
        if (more := row.total_may_repeat - MAX_WRITES_SHOWN) > 0:
            line(console, f"… and {more} more; --json lists them", indent=2)
    able = [row for row in rows if not row.problem]
    again = sum(not write.kept_by_key for row in able for write in row.may_repeat)
    line(
        console,
        (f"{len(able)} of {len(rows)} runs; {again} writes may be repeated; nothing was changed", "bold"),
    )


def _told(row: Rehearsal, kind: str) -> str:
    if kind == "discard":
        return "would be ended; what it did stays done"
    return f"{words.count(row.total_may_repeat, 'write')} since" if row.may_repeat else "repeats no write"
