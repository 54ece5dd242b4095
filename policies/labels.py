"""What people read in the Temporal UI beside a run: summaries of activities, and the commands that answer."""

import itertools
import json
from collections.abc import Iterable

from holdfast.contracts import names, user_metadata
from holdfast.contracts.base import JsonObject
from holdfast.contracts.forks import Rewound
from holdfast.contracts.requests import ANSWERS, Request
from holdfast.contracts.spec import Rung
from policies.json_safety import brief

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
    return user_metadata.summary("vet " + ", ".join(dict.fromkeys(tools)))


def still_stands(rewind: Rewound) -> str:
    """What a rewind did not take back, as a sentence without its full stop."""
    made = len(rewind.made)
    if not made:
        return "Nothing had been done since"
    calls = ", ".join(f"{one.call} {one.tool}" for one in rewind.made[:3])
    return f"That took nothing back of what was done since: {calls}" + (
        f" and {made - 3} more" if made > 3 else ""
    )


def signal_command(request: Request) -> str:
    """The command that answers a request, for whoever has only the Temporal CLI."""
    name, body = signal_of(request)
    run = f"temporal workflow signal \\\n  --workflow-id {shell_quoted(request.run)} \\\n"
    return f"{run}  --name {name} \\\n  --input {shell_quoted(body)}"


def shell_quoted(text: str) -> str:
    """As `shlex.quote`, whose module reads the environment, which replayed code must not."""
    plain = text.isascii() and all(ch.isalnum() or ch in "-_./:@%+=," for ch in text)
    return text if plain and text else "'" + text.replace("'", "'\"'\"'") + "'"


def signal_of(request: Request) -> tuple[str, str]:
    """The name and the JSON input of a signal that answers a request."""
    name, example = _example(request)
    fields = (f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in example.items())
    return name, "{" + ",\n ".join(fields) + "}"  # the UI cuts long lines off


def _example(request: Request) -> tuple[str, JsonObject]:
    if request.choices[0] == "approve":
        return "approve", {"request": request.id, "by": "your-name"}
    words = ANSWERS.get(request.kind)
    answer = "|".join(words) if words else "…"
    example: JsonObject = {"request": request.id, "by": "your-name", "answer": answer}
    if request.kind == "takeover":
        example["result"] = [{"tool": "…", "arguments": {}}]
    return "answer", example


def resume_command(run: str) -> str:
    """The command that lets a paused run go on, for whoever has only the Temporal CLI."""
    return (
        f"temporal workflow signal \\\n  --workflow-id {shell_quoted(run)} \\\n"
        f"  --name {names.RESUME} --input {shell_quoted(RESUME_INPUT)}"
    )
