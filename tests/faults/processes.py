"""Worker processes as a test sees them: start one, kill it, stop it, let it go on."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.reporting import JOURNAL

REPOSITORY = Path(__file__).parents[2]


@dataclass
class WorkerProcess:
    """One worker process."""

    pid: int
    log: Path
    _fd: int = -1

    def __post_init__(self) -> None:
        self._fd = os.pidfd_open(self.pid)  # names this process, whoever gets its number later

    async def kill(self) -> None:
        """Kill it, and wait until it is gone."""
        self._signal(signal.SIGKILL)
        await self.gone()

    def stop(self) -> None:
        """Stop it where it is; it knows nothing of it."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    async def gone(self) -> None:
        """Wait until it is gone."""
        if self._fd < 0:
            return
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self._fd, ended.set)
        try:
            async with asyncio.timeout(10):
                await ended.wait()
        finally:
            loop.remove_reader(self._fd)
        os.close(self._fd)
        self._fd = -1

    def _signal(self, number: int) -> None:
        if self._fd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._fd, number)


@dataclass
class WorkerPool:
    """Starts worker processes; all are gone when the pool is left."""

    address: str
    env: dict[str, str]
    folder: Path
    """Where each queue's workers log."""
    mother: asyncio.subprocess.Process
    _started: list[WorkerProcess] = field(default_factory=list)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls, address: str, journal: str, model: str, folder: Path) -> AsyncIterator[WorkerPool]:
        """A pool whose workers serve the server at `address`."""
        clean = {
            key: value for key, value in os.environ.items() if not key.startswith(("TEMPORAL_", "ANTHROPIC_"))
        }
        mother = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.faults.worker_process",
            cwd=REPOSITORY,
            env={**clean, "PYTHONPATH": str(REPOSITORY)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        env = {JOURNAL: journal, "ANTHROPIC_BASE_URL": model, "ANTHROPIC_API_KEY": "test"}
        pool = cls(address, env, folder, mother)
        try:
            yield pool
        finally:
            for process in pool._started:
                await process.kill()
            assert mother.stdin is not None
            mother.stdin.close()
            await asyncio.wait_for(mother.wait(), 10)

    async def worker(self, queue: str, *, points: bool = True, **options: Any) -> WorkerProcess:
        """A new worker process on a task queue; with `points` it reports every one that it comes to."""
        log = self.folder / f"{queue}.log"
        told = {
            "queue": queue, "address": self.address, "env": self.env, "log": str(log),
            "points": points, "options": options,
        }  # fmt: skip
        async with self._lock:
            assert self.mother.stdin is not None
            assert self.mother.stdout is not None
            self.mother.stdin.write(json.dumps(told).encode() + b"\n")
            pid = int(await asyncio.wait_for(self.mother.stdout.readline(), 30))
        process = WorkerProcess(pid, log)
        self._started.append(process)
        return process

    def said(self, queue: str) -> str:
        """The last that the workers of a queue had to say."""
        log = self.folder / f"{queue}.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""
