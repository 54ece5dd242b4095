"""A run on a page, step by step: what `holdfast show` prints."""

from __future__ import annotations

import shlex

from rich.console import Console

from holdfast.cli.rendering import words
from holdfast.cli.rendering.requests import print_request
from holdfast.cli.rendering.screen import Part, line, one_line, safe, unwrapped
from holdfast.contracts.base import Json
from holdfast.contracts.calls import CallRecord, Failure
from holdfast.contracts.requests import Decision, Request
from holdfast.contracts.run import RunOutcome, RunView, StepRecord
from policies.labels import still_stands
from policies.limits import told_raised

TEXT_SHOWN = 600
"""Characters of a plan's words; `--json` has all that is kept."""


def print_run(console: Console, view: RunView, *, status: str, ui_url: str | None = None) -> None:
    """Head and steps of a run."""
    print_head(console, view, status=status, ui_url=ui_url)
    for step in view.steps:
        console.print()
        print_step(console, step)
    if view.failures:
        console.print()
        print_failures(console, view.failures)
    if view.outcome is not None and view.steps and not view.steps[-1].calls and not view.steps[-1].text:
        line(console, (f"hands in its result: {view.outcome.status}", "dim"), indent=2)
    print_decisions(console, view)


def print_head(console: Console, view: RunView, *, status: str, ui_url: str | None = None) -> None:
    """Who the run is and where it stands."""
    dry = (" · dry run", "yellow") if view.dry_run else ""
    line(console, (view.run, "bold"), " ", (status, words.status_style(status)), dry)
    user = f" by {view.user}" if view.user else ""
    took = words.duration(words.seconds_between(view.started_at, view.finished_at))
    ended = "took" if view.finished_at else "open for"
    facts = [
        ("agent", f"{view.agent} (version {view.digest[:8]})"),
        ("task", one_line(view.task, TEXT_SHOWN)),
        ("started", f"{words.day_and_clock(view.started_at)}{user}, {ended} {took}"),
    ]
    if view.fork is not None:
        by = f" by {view.fork.by}" if view.fork.by else ""
        changed = f"; changed: {', '.join(view.fork.changed)}" if view.fork.changed else ""
        facts.append(
            ("fork of", f"{view.fork.run} at step {view.fork.at}{by}, writes: {view.fork.writes}{changed}")
        )
    if view.rewind is not None:
        why = f": {one_line(view.rewind.reason, 400)}" if view.rewind.reason else ""
        told = f"to step {view.rewind.to} by {one_line(view.rewind.by)}{why}. {still_stands(view.rewind)}"
        facts.append(("rewound", told))
    for name, value in facts:
        line(console, value, indent=9, label=(name, "dim"))
    if view.artifacts:
        facts_of = f"{len(view.artifacts)}, {sum(ref.bytes for ref in view.artifacts):,} bytes in all"
        line(console, facts_of, indent=9, label=("kept", "dim"))
    if view.compactions:
        last = view.compactions[-1]
        said = f"{len(view.compactions)} times, last before step {last.step} by {last.by}: {last.kept} messages kept"
        line(console, said, indent=9, label=("summed", "dim"))
    if ui_url:
        unwrapped(console, ("ui       ", "dim"), ui_url)
    if view.paused:
        why = f": {one_line(view.paused.reason, 400)}" if view.paused.reason else ""
        told = f"by {one_line(view.paused.by)} at {words.clock(view.paused.at)}{why}"
        line(console, told, indent=9, label=("paused   ", "bold yellow"))
        unwrapped(console, " " * 9, (f"holdfast resume {shlex.quote(view.run)}", "cyan"))
    for raised in view.raises:
        why = f": {one_line(raised.reason, 400)}" if raised.reason else ""
        told = (
            f"raised to {told_raised(raised.after)} by {one_line(raised.by)} at {words.clock(raised.at)}{why}"
        )
        line(console, told, indent=9, label=("limits   ", "dim"))
    for message in view.messages:
        told = f"{one_line(message.by)}: {one_line(message.text, 400)}"
        line(console, told, (" (told with the next plan)", "dim"), indent=9, label=("message  ", "dim"))


def print_step(console: Console, step: StepRecord) -> None:
    """A step: its plan, then its calls."""
    print_failures(console, step.failures)
    print_plan(console, step)
    for call in step.calls:
        print_call(console, call, indent=2)
    for note in step.notes:
        line(console, (one_line(note, TEXT_SHOWN), "dim"), indent=8, label=("  told: ", "dim"))


def print_failures(console: Console, failures: list[Failure]) -> None:
    """Planners that failed before the next plan was made."""
    for failure in failures:
        counts = f" ({failure.category})" if failure.category else ""
        line(console, words.failure(failure), (counts, "dim"), indent=11, label=("✗ planner: ", "yellow"))


def print_plan(console: Console, step: StepRecord, *, indent: int = 0, label: Part = "") -> None:
    """A plan: who made it, how long it took, what it cost, and its words."""
    cost = f" · {words.tokens_and_cost(step.usage)}" if step.usage.model_calls else ""
    odd = (
        "" if step.stop_reason in ("tool_use", "end_turn", "rules", "") else f" · stopped: {step.stop_reason}"
    )
    took = f" · {words.duration(step.seconds)}"
    title = (f"step {step.number}  ", "bold")
    fallen = f" · rung {step.rung + 1} of the ladder" if step.rung else ""
    facts = (f"{fallen}{took}{cost}{odd}", "dim")
    line(console, title, f"plan by {step.planner}", facts, indent=indent, label=label)
    text = step.text.strip()
    if text:
        shown = text if len(text) <= TEXT_SHOWN else text[: TEXT_SHOWN - 1] + "…"
        line(console, (shown, "italic"), indent=indent + 2)


def print_call(console: Console, call: CallRecord, *, indent: int) -> None:
    """A call: tool, arguments, how it went and why, who approved it, and the beginning of its result."""
    mark, style = words.CALL_MARKS.get(call.status, ("·", ""))
    took = ""
    if call.started_at and call.finished_at:
        took = f" · {words.duration(words.seconds_between(call.started_at, call.finished_at))}"
    label: list[Part] = [" " * indent, (f"{mark} ", style), (f"{call.id} ", "dim")]
    shown = one_line(words.call(call.tool, call.arguments), max(40, console.width * 2))
    line(console, (shown, "bold"), indent=indent + len(call.id) + 3, label=label)
    inner = indent + 4
    dry = (" · dry run", "yellow") if call.dry_run else ""
    approved = f" · approved by {call.approved_by}" if call.approved_by else ""
    line(console, (call.status, style), dry, approved, (took, "dim"), *_reason(call), indent=inner)
    if call.preview and call.status in ("done", "skipped"):
        unwrapped(
            console, " " * inner, (f"→ {one_line(call.preview, max(20, console.width - inner - 2))}", "")
        )


def _reason(call: CallRecord) -> list[Part]:
    """Why it went as it did: the failure, or what the engine, a guard or a person said of it."""
    if call.failure is not None:
        before = " · after a failure: " if call.status == "done" else ": "
        told = one_line(call.why, 400) if call.status == "refused" else words.failure(call.failure)
        return [before + told, (f" ({call.failure.category})" if call.failure.category else "", "dim")]
    if call.why:
        asked = call.status == "done" and call.approved_by
        return [
            (f" · asked because {one_line(call.why, 400)}", "dim")
            if asked
            else f": {one_line(call.why, 400)}"
        ]
    return []


def print_decisions(console: Console, view: RunView) -> None:
    """What people decided, and the decisions by signal that changed nothing."""
    if view.decisions or view.ignored:
        console.print()
        line(console, ("Decisions", "bold"))
    for decision in view.decisions:
        line(console, *decision_parts(decision), indent=2)
    for ignored in view.ignored:
        line(
            console,
            (f"{words.clock(ignored.at)}  ", "dim"),
            (f"signal {ignored.signal} changed nothing: {ignored.why}", "yellow"),
            indent=2,
        )


def decision_parts(decision: Decision, *, with_time: bool = True) -> list[Part]:
    """A decision in one line."""
    verb = {"approve": "approved", "reject": "rejected", "answer": "answered", "expire": "expired"}
    when: Part = (f"{words.clock(decision.at)}  ", "dim") if with_time else ""
    what = f"{decision.request} {verb[decision.choice]}"
    by = f" by {decision.by} ({decision.via})" if decision.choice != "expire" else " unanswered: denied"
    said = "; ".join(part for part in (decision.answer, decision.reason, decision.note) if part)
    changed = f", with {words.as_json(decision.arguments)}" if decision.arguments is not None else ""
    return [when, what, by, changed, f": {one_line(said, 400)}" if said else ""]


def print_requests(console: Console, requests: list[Request], *, by: str, flags: str) -> None:
    """The open requests, each with the commands that answer it."""
    if not requests:
        return
    console.print()
    line(console, ("Waiting for a person", "bold yellow"))
    for request in requests:
        print_request(console, request, by=by, flags=flags, indent=2)


def print_end(console: Console, view: RunView, *, status: str, why: str = "") -> None:
    """Effects, totals and the outcome."""
    if view.effects:
        console.print()
        line(console, ("Effects", "bold"))
    for effect in view.effects:
        style = {"done": "green", "simulated": "yellow", "unknown": "bold red"}[effect.outcome]
        notes = [f"approved by {effect.approved_by}"] if effect.approved_by else []
        notes += ["can be undone"] if effect.reversible and effect.outcome == "done" else []
        shown = one_line(words.call(effect.tool, effect.arguments), max(40, console.width * 2))
        tail = f"  {', '.join(notes)}" if notes else ""
        label: list[Part] = ["  ", (f"{effect.outcome} ", style), (f"{effect.call} ", "dim")]
        line(console, shown, (tail, "dim"), indent=4 + len(effect.outcome) + len(effect.call), label=label)
    console.print()
    calls = sum(len(step.calls) for step in view.steps)
    totals = [words.count(len(view.steps), "step"), words.count(calls, "call"), words.usage(view.usage)]
    line(console, ("Total  ", "bold"), " · ".join(part for part in totals if part))
    if view.failure_counts:
        line(console, ("Failed ", "bold"), words.failures(view.failure_counts))
    print_outcome(console, view.outcome, status=status, why=why)


def print_outcome(console: Console, outcome: RunOutcome | None, *, status: str, why: str = "") -> None:
    """How it ended, why, and the result."""
    why = why or (outcome.reason if outcome is not None else "")
    reason = f": {why}" if why else ""
    line(console, ("Status ", "bold"), (status, words.status_style(status)), reason)
    for late in outcome.untold if outcome is not None else []:
        line(console, (f"Never heard: {one_line(late.by)}: {one_line(late.text, 400)}", "yellow"))
    if outcome is not None and outcome.output is not None:
        line(console, ("Result", "bold"))
        print_value(console, outcome.output, indent=2)


def print_value(console: Console, value: Json, *, indent: int) -> None:
    """A result: text as text, all else as JSON."""
    shown = value if isinstance(value, str) else words.as_json(value, indent=2)
    for part in safe(shown).splitlines():
        unwrapped(console, " " * indent, part)
