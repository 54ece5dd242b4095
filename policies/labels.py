"""What people read in the Temporal UI: summaries of activities, and the details of a run in Markdown."""

import itertools
import json
from collections.abc import Iterable

from holdfast.contracts import names, user_metadata
from holdfast.contracts.base import JsonObject
from holdfast.contracts.requests import ANSWERS, Request
from holdfast.contracts.run import RunView
from holdfast.contracts.spec import Rung
from holdfast.contracts.steering import Pause, PersonMessage
from policies.json_safety import brief, shorten
from policies.limits import money

MAX_REQUESTS_SHOWN = 10

RESUME_INPUT = '{"by": "your-name"}'


def planner_name(rung: Rung) -> str:
    """The model, the rules' function, or who is asked."""
    match rung.kind:
        case "model":
            return rung.model
        case "rules":
            return f"rules {rung.function}"
        case "human":
            return f"human {rung.by}"


def plan_summary(step: int, rung: Rung, context_tokens: int) -> str:
    """`plan 3 · claude-sonnet-4-5 · 1.2k tokens`."""
    tokens = f" · {context_tokens / 1000:.1f}k tokens" if context_tokens else ""
    return user_metadata.summary(f"plan {step} · {planner_name(rung)}{tokens}")


def compact_summary(step: int, model: str, tokens: int) -> str:
    """`compact before plan 7 · claude-haiku-4-5 · 150.2k tokens`."""
    return user_metadata.summary(f"compact before plan {step} · {model} · {tokens / 1000:.1f}k tokens")


def call_summary(tool: str, arguments: JsonObject, *, simulate: bool = False) -> str:
    """`stop_instance eu-west-1 i-0abc`: the tool and its first two plain arguments."""
    plain = (v for v in arguments.values() if isinstance(v, str | int | float) and not isinstance(v, bool))
    shown = " ".join(brief(str(value), 60) for value in itertools.islice(plain, 2))
    return user_metadata.summary(f"{tool} {shown}" + (" (dry run)" if simulate else ""))


def vet_summary(tools: Iterable[str]) -> str:
    """`vet stop_instance, delete_volume`: what the guards are asked about."""
    return user_metadata.summary("vet " + ", ".join(tools))


def signal_command(request: Request) -> str:
    """The command that answers a request, for whoever has only the Temporal CLI."""
    name, body = signal_of(request)
    run = f"temporal workflow signal --workflow-id {shell_quoted(request.run)}"
    return f"{run} \\\n  --name {name} \\\n  --input {shell_quoted(body)}"


def shell_quoted(text: str) -> str:
    """As `shlex.quote`, whose module reads the environment, which replayed code must not."""
    plain = text.isascii() and all(ch.isalnum() or ch in "-_./:@%+=," for ch in text)
    return text if plain and text else "'" + text.replace("'", "'\"'\"'") + "'"


def signal_of(request: Request) -> tuple[str, str]:
    """The name and the JSON input of a signal that answers a request."""
    name, example = _example(request)
    return name, json.dumps(example, ensure_ascii=False)


def _example(request: Request) -> tuple[str, JsonObject]:
    if request.choices[0] == "approve":
        return "approve", {"request": request.id, "by": "your-name"}
    words = ANSWERS.get(request.kind)
    answer = "|".join(words) if words else "…"
    example: JsonObject = {"request": request.id, "by": "your-name", "answer": answer}
    if request.kind == "takeover":
        example["result"] = [{"tool": "…", "arguments": {}}]
    return "answer", example


def details(view: RunView) -> str:
    """The run in Markdown, for the UI's "current details"."""
    usage = view.usage
    lines = [
        f"**{view.agent}** is **{view.status}**, step {view.total_steps or len(view.steps)}"
        f" · {money(usage.cost_usd)} · {usage.tokens:,} tokens" + (" · dry run" if view.dry_run else ""),
        "",
        f"> {_line(view.task, 300)}",
    ]
    if view.fork:
        by = f" by {_line(view.fork.by, 100)}" if view.fork.by else ""
        changed = f", changed: {_line(', '.join(view.fork.changed), 300)}" if view.fork.changed else ""
        writes = {"simulate": "simulated", "ask": "asked about", "run": "made"}[view.fork.writes]
        lines += ["", f"Fork of `{view.fork.run}` at step {view.fork.at}{by}{changed}. Writes are {writes}."]
    if view.steps:
        last = view.steps[-1]
        rung = f" (rung {last.rung + 1} of the ladder)" if last.rung else ""
        lines += ["", f"Last plan by {last.planner}{rung}: {_line(last.text, 300) or '(no words)'}"]
        calls = [f"- `{call_summary(call.tool, call.arguments)}`: {call.status}" for call in last.calls[:20]]
        lines += ["", *calls]
    for request in view.requests[:MAX_REQUESTS_SHOWN]:
        lines += ["", *_request_lines(request)]
    if len(view.requests) > MAX_REQUESTS_SHOWN:
        lines += ["", f"… and {len(view.requests) - MAX_REQUESTS_SHOWN} more open requests."]
    if view.paused:
        lines += ["", *_pause_lines(view.run, view.paused)]
    if view.messages:
        lines += ["", f"Told with the next plan: {_said(view.messages)}"]
    if view.ignored:
        lines += ["", f"Ignored: signal `{view.ignored[-1].signal}`: {_line(view.ignored[-1].why, 500)}"]
    if view.outcome and view.outcome.reason:
        lines += ["", f"Why: {_line(view.outcome.reason, 500)}"]
    return user_metadata.details("\n".join(lines))


def resume_command(run: str) -> str:
    """The command that lets a paused run go on, for whoever has only the Temporal CLI."""
    return (
        f"temporal workflow signal --workflow-id {shell_quoted(run)} \\\n"
        f"  --name {names.RESUME} --input {shell_quoted(RESUME_INPUT)}"
    )


def _pause_lines(run: str, pause: Pause) -> list[str]:
    why = f": {_line(pause.reason, 500)}" if pause.reason else ""
    return [
        f"### Paused by {_line(pause.by, 100)}{why}",
        "Calls under way come to their end; nothing new begins.",
        "",
        f"Here: More Actions, Send a Signal, name `{names.RESUME}`, data:",
        "```",
        RESUME_INPUT,
        "```",
        "Or in a terminal:",
        "```",
        resume_command(run),
        "```",
    ]


def _said(messages: list[PersonMessage]) -> str:
    shown = "; ".join(f"{_line(one.by, 60)}: {_line(one.text, 200)}" for one in messages[:5])
    return shown + (f"; and {len(messages) - 5} more" if len(messages) > 5 else "")


def _line(text: str, limit: int) -> str:
    """The beginning of a text on one line, so that it stays within its paragraph or quotation."""
    return brief(" ".join(text.split()), limit)


def _code(arguments: JsonObject) -> str:
    """Arguments as JSON that may stand between backticks, on one line."""
    spelled = shorten(json.dumps(arguments, ensure_ascii=False), 1000)
    return spelled.replace("\n\n", " ").replace("`", "\\u0060")


def _request_lines(request: Request) -> list[str]:
    shown = _code(request.arguments) if request.arguments else ""
    name, body = signal_of(request)
    return [
        f"### Waiting for {request.by}: {request.kind}",
        *([f"`{request.tool}` `{shown}`", ""] if request.tool else []),
        f"Why: {_line(request.why, 500)}" + (" (dry run: nothing will change)" if request.dry_run else ""),
        "",
        *(
            [
                f"{'Parked' if request.kind == 'takeover' else 'Denied'} if unanswered by {request.deadline}.",
                "",
            ]
            if request.deadline
            else []
        ),
        f"Here: More Actions, Send a Signal, name `{name}`"
        + (f" (or `{request.choices[1]}`)" if len(request.choices) > 1 else "")
        + ", data:",
        "```",
        body,
        "```",
        "Or in a terminal:",
        "```",
        signal_command(request),
        "```",
    ]
