"""The journal: what worker processes report to the test, in order, and where they are held until it lets them go on.

It stands for the outside world. An effect counts when it is entered here, and nothing is ever taken out, so a write
that happens twice shows twice, whatever its end state.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Literal

PATIENCE = 45.0
"""Seconds within which a run must come to a point at which it is awaited."""


@dataclass(frozen=True)
class Entry:
    """One report. `pid` is the process that made it."""

    kind: Literal["point", "effect", "look_up"]
    run: str
    what: str
    pid: int
    key: str = ""


@dataclass
class Hold:
    """Whoever reaches a point stays there until released, or killed."""

    point: str
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)
    pid: int = 0

    async def until_reached(self) -> int:
        """Wait for it; the process that is held."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self.reached.wait()
        except TimeoutError:
            raise AssertionError(f"nobody came to {self.point!r} within {PATIENCE:g} s") from None
        return self.pid


class Journal:
    """Listens on loopback for reports; each is answered when its reporter may go on."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.address = ""
        self._news = asyncio.Condition()
        self._visits: Counter[tuple[str, str]] = Counter()
        self._holds: dict[tuple[str, str, int], Hold] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls) -> AsyncIterator[Journal]:
        """A journal that listens until the `async with` ends."""
        journal = cls()
        server = await asyncio.start_server(journal._serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()[:2]
        journal.address = f"{host}:{port}"
        try:
            yield journal
        finally:
            server.close()
            for task in journal._tasks:
                task.cancel()
            await asyncio.gather(*journal._tasks, return_exceptions=True)

    def hold(self, run: str, point: str, visit: int = 1) -> Hold:
        """Hold whoever comes to this point of this run, at the given visit from now on."""
        hold = Hold(f"{run} {point}")
        self._holds[run, point, self._visits[run, point] + visit] = hold
        return hold

    async def visit(self, run: str, point: str, pid: int = 0) -> None:
        """Come to a point: go on at once, unless it is held."""
        await self._enter(Entry("point", run, point, pid))
        self._visits[run, point] += 1
        hold = self._holds.get((run, point, self._visits[run, point]))
        if hold is not None:
            hold.pid = pid
            hold.reached.set()
            await hold.released.wait()

    async def until_seen(self, run: str, points: set[str], pid: int) -> str:
        """Wait until a process has come to one of the points of a run; which one."""

        def seen() -> str | None:
            mine = (e.what for e in self.entries if (e.run, e.pid) == (run, pid))
            return next((what for what in mine if what in points), None)

        async with asyncio.timeout(PATIENCE), self._news:
            return str(await self._news.wait_for(seen))

    async def _enter(self, entry: Entry) -> None:
        async with self._news:
            self.entries.append(entry)
            self._news.notify_all()

    def is_held(self, run: str, point: str) -> Hold | None:
        """The hold that the next visit would run into, for visitors that cannot wait here; counts as the visit."""
        self._visits[run, point] += 1
        return self._holds.get((run, point, self._visits[run, point]))

    def effects(self, run: str, tool: str) -> list[str]:
        """The keys under which a tool's effect happened, once for each time that it did."""
        return [e.key for e in self.entries if e.kind == "effect" and (e.run, e.what) == (run, tool)]

    def visits(self, run: str) -> list[str]:
        """The points that a run came to, in order."""
        return [entry.what for entry in self.entries if entry.kind == "point" and entry.run == run]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            answer = await self._answer(json.loads(await reader.readline()))
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except (ValueError, OSError, asyncio.CancelledError):
            pass  # the reporter was killed in the middle of a line, or the test ends
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, told: dict[str, Any]) -> Any:
        kind, run, what, key = told["kind"], told["run"], told["what"], told.get("key", "")
        if kind == "point":
            await self.visit(run, what, told["pid"])
            return None
        await self._enter(Entry(kind, run, what, told["pid"], key))
        return len(self.effects(run, what)) if kind == "effect" else key in self.effects(run, what)
