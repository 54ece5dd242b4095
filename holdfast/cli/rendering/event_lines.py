"""Events as they happen: what `--follow` prints, a few lines each."""

from __future__ import annotations

from rich.console import Console

from holdfast.cli.rendering import words
from holdfast.cli.rendering.requests import print_request
from holdfast.cli.rendering.run_page import decision_parts, print_call, print_plan
from holdfast.cli.rendering.screen import Part, line, one_line
from holdfast.contracts.calls import CallRecord
from holdfast.contracts.requests import Decision, Request
from holdfast.contracts.run import RunEvent, StepRecord

_INDENT = 10  # the width of a time and its gap


def print_event(console: Console, event: RunEvent, *, by: str, flags: str) -> None:
    """One event. A decision about a request is printed where it is asked, with its commands."""
    at: Part = (words.clock(event.at), "dim")
    match event.kind:
        case "plan":
            print_plan(console, StepRecord.model_validate(event.data), indent=_INDENT, label=at)
        case "call":
            call = CallRecord.model_validate(event.data)
            shown = one_line(words.call(call.tool, call.arguments), max(40, console.width * 2))
            label = (f"{'':<{_INDENT}}· {call.id} ", "dim")
            line(console, shown, indent=_INDENT + len(call.id) + 3, label=label)
        case "result":
            print_call(console, CallRecord.model_validate(event.data), indent=_INDENT)
        case "request":
            print_request(console, Request.model_validate(event.data), by=by, flags=flags, indent=_INDENT)
        case "decision":
            decision = Decision.model_validate(event.data)
            line(console, *decision_parts(decision, with_time=False), indent=_INDENT, label=at)
        case "finished":
            status = str(event.data.get("status", ""))
            rest = event.text.removeprefix(status)
            line(console, (status, words.status_style(status)), rest, indent=_INDENT, label=at)
        case "notice" | "ignored":
            line(console, (event.text, "yellow"), indent=_INDENT, label=at)
        case "started" | "message" | "paused" | "resumed":
            text = one_line(event.text, 600)
            line(console, (f"{event.kind}  ", "bold"), text, indent=_INDENT, label=at)
