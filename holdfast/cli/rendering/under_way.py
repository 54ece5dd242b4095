"""What of a run is under way, and what waits for its next try."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from holdfast.cli.rendering import words
from holdfast.cli.rendering.screen import Part, line, one_line
from holdfast.contracts.calls import CallRecord
from holdfast.contracts.names import PLAN
from holdfast.contracts.pending import PendingWork
from holdfast.contracts.run import RunOutcome, RunView

AWAY_SECONDS = 1.0
"""A next try that is nearer than this, or over, waits for a worker."""


def print_pending(console: Console, view: RunView, pending: Sequence[PendingWork]) -> None:
    """Each piece of work with its attempt, when the next one is due, and why the one before failed."""
    if not pending:
        return
    console.print()
    line(console, ("Under way", "bold"))
    calls = {call.id: call for step in view.steps[-1:] for call in step.calls}
    for one in pending:
        call = calls.get(one.call or "")
        mark: Part = ("▸ ", "cyan") if one.running else ("… ", "bold yellow")
        line(console, (_name(view, one, call), "bold"), indent=4, label=["  ", mark])
        line(console, (_when(one), "" if one.running and one.attempt == 1 else "yellow"), indent=6)
        if one.last_failure is not None:
            line(console, "the last attempt failed: ", words.failure(one.last_failure), indent=6)


def _name(view: RunView, one: PendingWork, call: CallRecord | None) -> str:
    """`plan of step 3`, `3.1 look(where="there")`."""
    if one.work == PLAN:
        return f"plan of step {(view.total_steps or len(view.steps)) + 1}"
    if call is None:
        return one.work
    return f"{call.id} {one_line(words.call(call.tool, call.arguments), 100)}"


def _when(one: PendingWork) -> str:
    """`attempt 2 of 5, next try in 4 s (14:03:59)`."""
    of = f" of {one.attempts_at_most}" if one.attempts_at_most else ""
    attempt = f"attempt {one.attempt}{of}"
    if one.running:
        since = (
            f", for {words.duration(words.seconds_between(one.started_at, None))}" if one.started_at else ""
        )
        return f"{attempt} is running{since}"
    left = -words.seconds_between(one.next_try, None) if one.next_try else 0.0
    if one.next_try is None or left < AWAY_SECONDS:
        return (
            f"{attempt} waits for a free worker" if left < -AWAY_SECONDS else f"{attempt} is about to begin"
        )
    return f"{attempt} in {words.duration(left)} (at {words.clock(one.next_try)})"


def print_so_far(console: Console, outcome: RunOutcome, *, status: str) -> None:
    """What a run has to show beside its result: why there is none, what was said last, and what was done."""
    reason = f": {outcome.reason}" if outcome.reason else ""
    line(console, (outcome.run, "bold"), " ", (status, words.status_style(status)), reason)
    totals = [
        words.count(outcome.steps, "step"),
        words.count(outcome.calls, "call"),
        words.usage(outcome.usage),
    ]
    line(console, (" · ".join(part for part in totals if part), "dim"))
    if outcome.failure_counts:
        line(console, ("failed: ", "dim"), words.failures(outcome.failure_counts))
    for effect in outcome.effects:
        shown = one_line(words.call(effect.tool, effect.arguments), max(40, console.width * 2))
        line(
            console, shown, indent=4, label=["  ", (f"{effect.outcome} ", "dim"), (f"{effect.call} ", "dim")]
        )
    if outcome.output is None and outcome.words:
        line(console, (one_line(outcome.words, 2000), "italic"), indent=11, label=("said last: ", "dim"))
