"""How the demo looks: one line for each thing that happens, when it happened, and why it matters."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from holdfast.contracts.run import RunEvent

_IDLE = re.compile(r'"instances":\s*(\d+).*?"idle":\s*(\d+).*?"idle_protected":\s*(\d+)', re.DOTALL)
_INDENT = " " * 8
_PIPED_WIDTH = 400  # nobody sees the width of a pipe: programs and logs get whole lines
_MARKS = {
    "done": ("✓", "green"),
    "refused": ("✗", "red"),
    "failed": ("✗", "red"),
    "rejected": ("✗", "yellow"),
    "expired": ("✗", "yellow"),
    "unknown": ("?", "red"),
    "skipped": ("-", "dim"),
}


class Screen:
    """Writes to a terminal, or plainly to a pipe. Times are seconds since it was made."""

    def __init__(self) -> None:
        wide = None if sys.stdout.isatty() or "COLUMNS" in os.environ else _PIPED_WIDTH
        self.console = Console(highlight=False, emoji=False, width=wide)
        self.names: Mapping[str, str] = {}
        """What people call an instance, by its id."""
        self._began = time.monotonic()
        self._status: Status | None = None

    @property
    def seconds(self) -> float:
        """How long the demo has been running."""
        return time.monotonic() - self._began

    @property
    def asks(self) -> bool:
        """Whether a person is there: both what is said and what is typed is at a terminal."""
        return sys.stdout.isatty() and sys.stdin.isatty()

    def heading(self, text: str) -> None:
        """Begins a part of the story."""
        self.rest()
        self.console.print()
        self.console.print(Text(text, style="bold cyan"))

    def say(self, text: str | Text, style: str = "") -> None:
        """One thing that happened now."""
        self._row(f"{self.seconds:.1f}s", _styled(text, style))

    def explain(self, text: str | Text, style: str = "dim") -> None:
        """Why it matters, below what happened."""
        self._row("", _styled(text, style))

    def command(self, text: str) -> None:
        """A command that can be copied as it stands, however long."""
        self.console.print(Text(f"{_INDENT}$ {text}", style="bold"), soft_wrap=True)

    def link(self, text: str) -> None:
        """An address that can be clicked as it stands, however long."""
        self.console.print(Text(f"{_INDENT}{text}", style="blue"), soft_wrap=True)

    def quote(self, text: str) -> None:
        """What another program said."""
        for line in text.splitlines():
            self.console.print(Text(f"{_INDENT}{line}", style="dim"), soft_wrap=True)

    def table(self, table: Table) -> None:
        """A table, indented like everything that is said."""
        self.console.print(Padding(table, (0, 0, 0, len(_INDENT)), expand=False))

    @contextlib.contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Shows at a terminal that something is waited for."""
        self.wait_for(text)
        try:
            yield
        finally:
            self.rest()

    def wait_for(self, text: str) -> None:
        """Shows at a terminal what is waited for, until the next `wait_for` or `rest`."""
        if not self.console.is_terminal:
            return
        if self._status is None:
            self._status = self.console.status(Text(text, style="dim"), spinner="dots")
            self._status.start()
        else:
            self._status.update(Text(text, style="dim"))

    def rest(self) -> None:
        """Nothing is waited for."""
        if self._status is not None:
            self._status.stop()
            self._status = None

    async def read(self, prompt: str) -> str | None:
        """Waits for a line from the terminal without blocking the event loop; None at its end (Ctrl-D)."""
        self.rest()
        self.console.print(Text(f"{_INDENT}{prompt} ", style="bold"), end="")
        loop = asyncio.get_running_loop()
        typed: asyncio.Future[str] = loop.create_future()

        def on_input() -> None:
            if not typed.done():
                typed.set_result(sys.stdin.readline())

        loop.add_reader(sys.stdin.fileno(), on_input)
        try:
            line = await typed
        except asyncio.CancelledError:
            self.console.print()
            raise
        finally:
            loop.remove_reader(sys.stdin.fileno())
        if not line:
            self.console.print()
        return line.strip() if line else None

    def event(self, event: RunEvent) -> None:
        """Something that the run says happened in it."""
        data = event.data
        if event.kind == "plan":
            self.say(_plan_line(event))
        elif event.kind == "call":
            self.say(self._call_line("→", "cyan", data, _written(data)))
        elif event.kind == "result":
            mark, style = _MARKS.get(str(data.get("status")), ("·", ""))
            self.say(self._call_line(mark, style, data, _outcome(data)))
        elif event.kind in {"notice", "ignored"}:
            self.say(event.text, "yellow")

    def name(self, instance_id: object) -> str:
        """An instance as people call it."""
        return self.names.get(str(instance_id), str(instance_id))

    def _call_line(self, mark: str, style: str, data: Mapping[str, Any], remark: str) -> Text:
        arguments = data.get("arguments") or {}
        about = arguments.get("instance_id")
        subject = self.name(about) if about else str(arguments.get("region", ""))
        line = Text.assemble((mark, style), f" {data.get('tool')} ", (subject, "bold"))
        return line.append(f"  {remark}", style="dim") if remark else line

    def _row(self, left: str, right: Text) -> None:
        """One thing, wrapped at words, with what follows the first line below its beginning."""
        width = max(self.console.width - len(_INDENT), 20)
        for number, line in enumerate(right.wrap(self.console, width)):
            margin = Text(f"{left:>6}  ", style="dim") if number == 0 else Text(_INDENT)
            line.rstrip()
            self.console.print(margin + line, soft_wrap=True)


def _styled(text: str | Text, style: str) -> Text:
    return text if isinstance(text, Text) else Text(text, style=style)


def _plan_line(event: RunEvent) -> Text:
    planner = str(event.data.get("planner", ""))
    said = event.text if event.text != "(no words)" else ""
    line = Text.assemble((f"plan {event.data.get('number')}", "bold"), (f"  by {_planner(planner)}", "dim"))
    return line.append(f"  {_short(said, 160)}") if said else line


def _planner(name: str) -> str:
    return "the agent's rules" if name.startswith("rules ") else name


def _written(data: Mapping[str, Any]) -> str:
    return "" if data.get("effect") == "read" else "a write"


def _outcome(data: Mapping[str, Any]) -> str:
    preview = str(data.get("preview", ""))
    if data.get("status") != "done":
        return _short(str(data.get("why") or preview), 160)
    if data.get("tool") == "find_idle_instances" and (found := _IDLE.search(preview)):
        instances, idle, protected = found.groups()
        return f"{idle} of {instances} idle, {protected} of them production"
    return ""


def _short(text: str, length: int) -> str:
    words = " ".join(text.split())
    return words if len(words) <= length else words[: length - 1] + "…"


def many(count: int, thing: str) -> str:
    """`1 call`, `2 calls`."""
    return f"{count} {thing}" + ("" if count == 1 else "s")
