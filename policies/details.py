"""What a run shows of itself in the Temporal UI: its "current details", in Markdown."""

import json

from holdfast.contracts import names, user_metadata
from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.calls import CallRecord, Failure
from holdfast.contracts.requests import Decision, Request
from holdfast.contracts.run import RunOutcome, RunView, StepRecord
from holdfast.contracts.steering import Pause, PersonMessage
from policies import labels
from policies.json_safety import brief, shorten
from policies.markdown import block, dollars, moment, quoted, span

MAX_REQUESTS_SHOWN = 10
MAX_STEPS_SHOWN = 5
MAX_CALLS_SHOWN = 20
MAX_DECISIONS_SHOWN = 10
MAX_FAILURES_SHOWN = 5
MAX_FIELDS_SHOWN = 50


def details(view: RunView) -> str:
    """The run as it stands: what is asked of people first, then what it did, the last step first."""
    lines = [*_head_lines(view), *_open_lines(view), *_past_lines(view)]
    return user_metadata.details("\n".join(lines))


def _head_lines(view: RunView) -> list[str]:
    usage, steps = view.usage, _steps(view)
    lines = [
        f"**{quoted(view.agent, 100)}** is **{view.status}** · {steps} step{'' if steps == 1 else 's'}"
        f" · {dollars(usage.cost_usd)} · {usage.tokens:,} tokens"
        + (f" · for {quoted(view.user, 100)}" if view.user else "")
        + (" · dry run" if view.dry_run else ""),
        "",
        f"> {quoted(view.task, 300)}",
    ]
    if view.fork:
        by = f" by {quoted(view.fork.by, 100)}" if view.fork.by else ""
        changed = f", changed: {quoted(', '.join(view.fork.changed), 300)}" if view.fork.changed else ""
        writes = {"simulate": "simulated", "ask": "asked about", "run": "made"}[view.fork.writes]
        origin = f"Fork of {span(view.fork.run)} at step {view.fork.at}{by}{changed}."
        lines += ["", f"{origin} Writes are {writes}."]
    if view.rewind:
        why = f": {quoted(view.rewind.reason, 300)}" if view.rewind.reason else ""
        told = labels.still_stands(view.rewind)
        lines += ["", f"Rewound to step {view.rewind.to} by {quoted(view.rewind.by, 100)}{why}. {told}."]
    return lines


def _open_lines(view: RunView) -> list[str]:
    lines = ["", *_pause_lines(view.run, view.paused)] if view.paused else []
    for request in view.requests[:MAX_REQUESTS_SHOWN]:
        lines += ["", *_request_lines(request)]
    if len(view.requests) > MAX_REQUESTS_SHOWN:
        lines += ["", f"… and {len(view.requests) - MAX_REQUESTS_SHOWN} more open requests."]
    if view.messages:
        lines += ["", f"Told with the next plan: {_said(view.messages)}"]
    if view.ignored:
        last = view.ignored[-1]
        lines += ["", f"Ignored: signal {span(last.signal)}: {quoted(last.why, 500)}"]
    return lines


def _past_lines(view: RunView) -> list[str]:
    lines = ["", *_outcome_lines(view.outcome)] if view.outcome else []
    if view.failures:
        lines += ["", *map(_failure_line, view.failures[-MAX_FAILURES_SHOWN:])]
    for step in reversed(view.steps[-MAX_STEPS_SHOWN:]):
        lines += ["", *_step_lines(step)]
    if _steps(view) > MAX_STEPS_SHOWN:
        lines += ["", f"All steps: `holdfast show {labels.shell_quoted(view.run)}`"]
    if view.decisions:
        last = reversed(view.decisions[-MAX_DECISIONS_SHOWN:])
        lines += ["", "### Decisions", *map(_decision_line, last)]
    return lines


def _steps(view: RunView) -> int:
    return view.total_steps or len(view.steps)


def _outcome_lines(outcome: RunOutcome) -> list[str]:
    why = [f"Why: {quoted(outcome.reason, 500)}"] if outcome.reason else []
    match outcome.output:
        case None:
            return why
        case str() as text:
            said = [user_metadata.as_written(shorten(text, 2000))]
        case dict() as values:
            said = _fields(values)
        case other:
            said = [span(shorten(_spelled(other), 2000))]
    return ["### Result", *said, "", *why]


def _failure_line(failure: Failure) -> str:
    return f"- a planner failed ({failure.kind}): {quoted(failure.message, 300)}"


def _step_lines(step: StepRecord) -> list[str]:
    rung = f", rung {step.rung + 1} of the ladder" if step.rung else ""
    cost = f", {dollars(step.usage.cost_usd)}" if step.usage.cost_usd else ""
    said = f": {quoted(step.text, 300)}" if step.text else ""
    lines = [f"### Step {step.number}", f"Planned by {quoted(step.planner, 100)}{rung}{cost}{said}", ""]
    lines += map(_failure_line, step.failures[-MAX_FAILURES_SHOWN:])
    lines += map(_call_line, step.calls[:MAX_CALLS_SHOWN])
    if len(step.calls) > MAX_CALLS_SHOWN:
        lines.append(f"- … and {len(step.calls) - MAX_CALLS_SHOWN} more calls")
    return lines


def _call_line(call: CallRecord) -> str:
    told = call.status + (", dry run" if call.dry_run else "")
    told += f", approved by {quoted(call.approved_by, 100)}" if call.approved_by else ""
    why = call.why or (call.failure.message if call.failure else "")
    said = f": {quoted(why, 200)}" if why and call.status != "done" else ""
    came = f" → {span(brief(call.preview, 120))}" if call.preview and not said else ""
    return f"- {span(labels.call_summary(call.tool, call.arguments))} {told}{said}{came}"


def _decision_line(decision: Decision) -> str:
    words = decision.note or decision.reason or decision.answer
    return (
        f"- {quoted(decision.by, 100)}: {decision.choice} {span(decision.request)}, by {decision.via},"
        f" {moment(decision.at)}" + (f": {quoted(words, 200)}" if words else "")
    )


def _pause_lines(run: str, pause: Pause) -> list[str]:
    why = f": {quoted(pause.reason, 500)}" if pause.reason else ""
    return [
        f"### Paused by {quoted(pause.by, 100)}{why}",
        "Calls under way come to their end; nothing new begins.",
        "",
        f"Here: More Actions, Send a Signal, name `{names.RESUME}`, data:",
        *block(labels.RESUME_INPUT),
        "Or in a terminal:",
        *block(labels.resume_command(run)),
    ]


def _said(messages: list[PersonMessage]) -> str:
    shown = "; ".join(f"{quoted(one.by, 60)}: {quoted(one.text, 200)}" for one in messages[:5])
    return shown + (f"; and {len(messages) - 5} more" if len(messages) > 5 else "")


def _fields(values: JsonObject) -> list[str]:
    """A line for each. The UI wraps these, and cuts the lines of a block off."""
    shown = list(values.items())[:MAX_FIELDS_SHOWN]
    more = len(values) - len(shown)
    return [
        *(f"- {quoted(name, 100)}: {span(shorten(_spelled(value), 1000))}" for name, value in shown),
        *([f"- … and {more} more"] if more else []),
    ]


def _spelled(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _request_lines(request: Request) -> list[str]:
    name, body = labels.signal_of(request)
    by, other = quoted(request.by, 100), quoted(request.escalate_to, 100)
    undo = " (can be undone)" if request.reversible else ""
    unanswered = "Parked" if request.kind == "takeover" else "Denied"
    return [
        f"### Waiting for {quoted(request.asked, 200)}: {request.kind.replace('_', ' ')}",
        f"Why: {quoted(request.why, 500)}" + (" (dry run: nothing will change)" if request.dry_run else ""),
        "",
        *([span(request.tool) + undo, "", *_fields(request.arguments or {}), ""] if request.tool else []),
        *([f"{unanswered} if unanswered by {moment(request.deadline)}.", ""] if request.deadline else []),
        *([f"{by} did not answer, so {other} is asked too.", ""] if request.escalated_at else []),
        f"Here: More Actions, Send a Signal, name `{name}`"
        + (f" (or `{request.choices[1]}`)" if len(request.choices) > 1 else "")
        + ", data:",
        *block(body),
        "Or in a terminal:",
        *block(labels.signal_command(request)),
    ]
