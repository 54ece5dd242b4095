"""Figures, times, arguments and statuses as people read them."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from holdfast.cli.rendering.screen import one_line, safe
from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.calls import Failure
from holdfast.contracts.plans import Usage
from policies.limits import money

STATUS_STYLES = {
    "completed": "bold green", "partial": "bold yellow", "failed": "bold red", "cancelled": "bold magenta",
    "terminated": "bold magenta", "timed_out": "bold red", "waiting": "bold yellow", "parked": "bold red",
    "paused": "bold yellow",
}  # fmt: skip

CALL_MARKS = {
    "done": ("✓", "green"), "failed": ("✗", "red"), "refused": ("✗", "red"), "rejected": ("✗", "red"),
    "expired": ("✗", "red"), "unknown": ("?", "bold red"), "waiting": ("…", "bold yellow"),
    "running": ("▸", "cyan"), "proposed": ("·", "dim"), "skipped": ("-", "dim"),
    "cancelled": ("-", "magenta"),
}  # fmt: skip


def status_style(status: str) -> str:
    """The style of a run's status."""
    return STATUS_STYLES.get(status, "bold cyan")


def duration(seconds: float) -> str:
    """`4 ms`, `0.3 s`, `42 s`, `2 min 5 s`, `3 h 2 min`, `12 d 3 h`."""
    if seconds < 0.1:
        return f"{max(0, round(seconds * 1000))} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, unit, part, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size} {unit}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def moment(when: str | datetime) -> datetime:
    """A contract's ISO 8601 time, in this machine's time zone."""
    parsed = datetime.fromisoformat(when) if isinstance(when, str) else when
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone()


def clock(when: str | datetime) -> str:
    """`14:03:59`."""
    return f"{moment(when):%H:%M:%S}"


def day_and_clock(when: str | datetime) -> str:
    """`2026-11-21 14:03:59`."""
    return f"{moment(when):%Y-%m-%d %H:%M:%S}"


def seconds_between(start: str | datetime, end: str | datetime | None) -> float:
    """From start to end; to now when there is no end yet."""
    last = moment(end) if end is not None else datetime.now(UTC)
    return (last - moment(start)).total_seconds()


def usage(used: Usage) -> str:
    """`4 model calls · 12.3k tokens · $0.0042`; empty when no model was asked."""
    if not used.model_calls:
        return ""
    plural = "" if used.model_calls == 1 else "s"
    return f"{used.model_calls} model call{plural} · {tokens_and_cost(used)}"


def tokens_and_cost(used: Usage) -> str:
    """`12.3k tokens (9.1k cached) · $0.0042`."""
    cached = f" ({tokens(used.cache_read_tokens)} cached)" if used.cache_read_tokens else ""
    unpriced = " + a model without a known price" if used.unpriced else ""
    return f"{tokens(used.tokens)} tokens{cached} · {money(used.cost_usd)}{unpriced}"


def tokens(count: int) -> str:
    """`840`, `12.3k`, `1.20M`."""
    if count < 1000:
        return str(count)
    return f"{count / 1000:.1f}k" if count < 1_000_000 else f"{count / 1_000_000:.2f}M"


def as_json(value: Json, *, indent: int | None = None) -> str:
    """JSON for people: letters of all languages as they are, what is unsafe on a screen spelled out."""
    return safe(json.dumps(value, ensure_ascii=False, indent=indent, default=str))


def call(tool: str, arguments: JsonObject) -> str:
    """`stop_instance(instance_id="i-2", cost=150)`."""
    return f"{safe(tool)}({', '.join(f'{safe(key)}={as_json(value)}' for key, value in arguments.items())})"


def failure(failed: Failure, limit: int = 400) -> str:
    """`transient ConnectTimeout: …`."""
    error = "" if failed.error.lower() in ("", failed.kind) else f" {failed.error}"
    return f"{failed.kind}{error}: {one_line(failed.message, limit)}"


def failures(counts: dict[str, int]) -> str:
    """`2 integration · 1 tool_call`: how often something failed, by category."""
    return " · ".join(f"{times} {category}" for category, times in sorted(counts.items()))


def count(number: int, thing: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{number} {thing}" + ("" if number == 1 else "s")
