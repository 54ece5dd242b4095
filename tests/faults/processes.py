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
class Mother:
    """A process that has loaded all that workers need; forking her takes milliseconds, loading takes seconds."""

    process: asyncio.subprocess.Process
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @classmethod
    @contextlib.asynccontextmanager
    async def start(cls) -> AsyncIterator[Mother]:
        """A mother; when she is gone, so are her children."""
        outside = ("TEMPORAL_", "ANTHROPIC_")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(outside)}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.faults.worker_process",
            cwd=REPOSITORY,
            env={**clean, "PYTHONPATH": str(REPOSITORY)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            assert await asyncio.wait_for(process.stdout.readline(), 100) == b"ready\n"  # on a busy machine
            yield cls(process)
        finally:
            process.stdin.close()
            await asyncio.wait_for(process.wait(), 10)

    async def bear(self, told: dict[str, Any]) -> int:
        """The number of a new worker process, which does as it is told."""
        async with self._lock:
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            self.process.stdin.write(json.dumps(told).encode() + b"\n")
            return int(await asyncio.wait_for(self.process.stdout.readline(), 30))


@dataclass
class WorkerPool:
    """Starts worker processes; all are gone when the pool is left."""

    address: str
    env: dict[str, str]
    folder: Path
    """Where each queue's workers log."""
    mother: Mother
    _started: list[WorkerProcess] = field(default_factory=list)

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls, mother: Mother, address: str, journal: str, model: str, folder: Path
    ) -> AsyncIterator[WorkerPool]:
        """A pool whose workers serve the server at `address`."""
        env = {JOURNAL: journal, "ANTHROPIC_BASE_URL": model, "ANTHROPIC_API_KEY": "test"}
        pool = cls(address, env, folder, mother)
        try:
            yield pool
        finally:
            for process in pool._started:
                await process.kill()

    async def worker(self, queue: str, *, points: bool = True, **options: Any) -> WorkerProcess:
        """A new worker process on a task queue; with `points` it reports every one that it comes to."""
        log = self.folder / f"{queue}.log"
        told = {
            "queue": queue, "address": self.address, "env": self.env, "log": str(log),
            "points": points, "options": options,
        }  # fmt: skip
        process = WorkerProcess(await self.mother.bear(told), log)
        self._started.append(process)
        return process

    def said(self, queue: str) -> str:
        """The last that the workers of a queue had to say."""
        log = self.folder / f"{queue}.log"
        return log.read_text(errors="replace")[-3000:] if log.exists() else ""
