"""Requests as people read them, each with the commands that answer it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from holdfast.cli.rendering import words
from holdfast.cli.rendering.screen import line, one_line, safe, text_of, unwrapped
from holdfast.contracts.base import JsonObject
from holdfast.contracts.requests import Request
from policies.decisions import asks_for_limits
from policies.limits import option_of

SHOWN_IN_FULL = 8
"""Up to so many requests are shown with their commands; more become a table."""


_LEAST_WHAT = 12


@dataclass(frozen=True)
class Way:
    """One way to answer a request: what it means, and the command."""

    label: str
    command: str
    means: str = ""


def ways(request: Request, *, by: str, flags: str = "") -> list[Way]:
    """Every way to answer a request. `by` is who would decide, `flags` the server options to repeat."""
    which = f"{shlex.quote(request.run)} {shlex.quote(request.id)}"
    who = f"--by {shlex.quote(by or 'YOUR-NAME')}{flags}"
    match request.kind:
        case "approval":
            return [
                Way("approve", f"holdfast approve {which} {who}"),
                Way("reject", f"holdfast reject {which} {who} --reason 'WHY'"),
            ]
        case "question":
            return [
                Way("answer", f"holdfast answer {which} 'YOUR ANSWER' {who}"),
                Way("reject", f"holdfast reject {which} {who} --reason 'WHY'"),
            ]
        case "unknown_effect":
            return [
                Way("happened", f"holdfast answer {which} happened {who} --result 'JSON'", "it took effect"),
                Way("run", f"holdfast answer {which} run {who}", "it did not: run the call again"),
                Way("skip", f"holdfast answer {which} skip {who}", "leave it; the agent is told"),
            ]
        case "limit" if asks_for_limits(request):
            shown = request.arguments or {}
            again = shown.get("as_much_again", "as much")
            more = f"holdfast raise {shlex.quote(request.run)} {option_of(shown['reached'])} {who}"
            return [
                Way("raise", f"holdfast answer {which} raise {who}", f"go on, with {again} more"),
                Way("raise", more, "go on, with as much as you say"),
                Way("finish", f"holdfast answer {which} finish {who}", "end with what there is"),
            ]
        case "limit":
            return [
                Way("raise", f"holdfast answer {which} raise {who} --result 'JSON'", "go on, with more"),
                Way("finish", f"holdfast answer {which} finish {who}", "end with what there is"),
            ]
        case "takeover":
            tool = next(iter((request.arguments or {}).get("tools") or ()), "TOOL")
            calls = shlex.quote(json.dumps([{"tool": tool, "arguments": {}}]))
            plan = f"holdfast answer {which} plan {who} --result {calls}"
            return [
                Way("plan", plan, "make these calls next"),
                Way(
                    "finish", f"holdfast answer {which} finish {who} --result 'JSON'", "end with this result"
                ),
                Way("pass", f"holdfast answer {which} pass {who}", "ask the better planners again"),
            ]
        case "parked":
            return [
                Way("redrive", f"holdfast answer {which} redrive {who}", "go on from where it stopped"),
                Way("discard", f"holdfast answer {which} discard {who}", "end the run"),
            ]
        case "rollback":
            return [
                Way("retry", f"holdfast answer {which} retry {who}", "try the undos again that failed"),
                Way("leave", f"holdfast answer {which} leave {who}", "let these effects stand; end the run"),
            ]


def print_request(
    console: Console,
    request: Request,
    *,
    by: str,
    flags: str = "",
    indent: int = 0,
    with_run: bool = False,
    commands: bool = True,
) -> None:
    """A request in full: never cut, because a person decides about exactly this."""
    run = f" · run {request.run}" if with_run else ""
    age = f" · {words.duration(words.seconds_between(request.opened_at, None))} ago" if with_run else ""
    kind = request.kind.replace("_", " ")
    line(console, (f"{kind} for {request.asked}", "bold yellow"), (f"{run}{age}", "dim"), indent=indent)
    inner = indent + 2
    if request.tool is not None:
        dry = (" (dry run: nothing will change)", "yellow") if request.dry_run else ""
        undo = (" (can be undone)", "dim") if request.reversible else ""
        line(console, (request.tool, "bold"), dry or undo, indent=inner)
        print_arguments(console, request, indent=inner + 2)
    line(console, request.why, indent=inner)
    if asks_for_limits(request) and (handed := (request.arguments or {}).get("handed_back")) is not None:
        shown = one_line(handed if isinstance(handed, str) else words.as_json(handed), 600)
        line(console, ("handed back so far: ", "dim"), shown, indent=inner)
    if request.kind == "takeover":
        _print_takeover(console, request.arguments or {}, indent=inner)
    if request.escalated_at is not None:
        line(
            console,
            (f"{request.by} did not answer: {request.escalate_to} is asked too", "yellow"),
            indent=inner,
        )
    elif request.escalate_at is not None:
        when = words.day_and_clock(request.escalate_at)
        line(console, (f"{request.escalate_to} is asked too if unanswered by {when}", "dim"), indent=inner)
    if request.deadline is not None:
        unanswered = "left to the next planner, or parked," if request.kind == "takeover" else "denied"
        line(
            console,
            (f"{unanswered} if unanswered by {words.day_and_clock(request.deadline)}", "dim"),
            indent=inner,
        )
    left = " " * min(inner, 4)  # far left, so that a command fits on one line of a narrow screen
    for way in ways(request, by=by, flags=flags) if commands else ():
        if way.means:
            unwrapped(console, left, (f"# {way.label}: {way.means}", "dim"))
        unwrapped(console, left, (way.command, "cyan"))


def _print_takeover(console: Console, shown: JsonObject, *, indent: int) -> None:
    """What a person needs who plans in a model's place: what came last, and the tools with their arguments."""
    if shown.get("told"):
        line(console, ("what the planner hears now", "dim"), indent=indent)
        for part in safe(str(shown["told"])).splitlines():
            line(console, part, indent=indent + 2)
    for tool, takes in (shown.get("tools") or {}).items():
        line(console, (tool, "bold"), (f"  {takes}", "dim"), indent=indent)


def print_arguments(console: Console, request: Request, *, indent: int) -> None:
    """The exact arguments, one a line."""
    arguments = request.arguments or {}
    width = min(24, max((len(key) for key in arguments), default=0))
    for key, value in arguments.items():
        line(
            console,
            words.as_json(value),
            indent=indent + width + 2,
            label=(f"{' ' * indent}{safe(key)}  ", "dim"),
        )


def print_inbox(console: Console, requests: Sequence[Request], *, by: str, flags: str) -> None:
    """All requests: a few in full with their commands, many as a table."""
    if len(requests) <= SHOWN_IN_FULL:
        for number, request in enumerate(requests):
            if number:
                console.print()
            print_request(console, request, by=by, flags=flags, with_run=True)
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    rows = [
        (one.run, one.id, one.asked, words.duration(words.seconds_between(one.opened_at, None)))
        for one in requests
    ]
    for title in ("run", "request", "for", "since"):
        table.add_column(title, no_wrap=True)
    taken = sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True))
    room = console.width - taken
    if room >= _LEAST_WHAT:  # else the ids are all that fits, and they are what a person needs
        table.add_column("what", no_wrap=True)
    for row, request in zip(rows, requests, strict=True):
        what = words.call(request.tool, request.arguments or {}) if request.tool else request.why
        table.add_row(*map(text_of, row), *([text_of(one_line(what, room))] if room >= _LEAST_WHAT else []))
    console.print(table)
    console.print()
    unwrapped(console, ("holdfast show RUN", "cyan"), f"{flags}  shows one with the commands that answer it:")
    for command in ("approve RUN REQUEST", "reject RUN REQUEST --reason 'WHY'", "answer RUN REQUEST ANSWER"):
        unwrapped(console, "  ", (f"holdfast {command} --by {by or 'YOUR-NAME'}{flags}", "cyan"))
