"""A ceiling for a worker's memory: near it caches are let go, and at it the worker is to be started anew.

Python gives memory back late, and a worker that is killed for its memory takes its calls with it. So a worker stops by
itself, drained, before somebody else stops it; its supervisor starts another one, and its runs go on there.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import logging
import sys
from collections.abc import AsyncIterator, Callable

import psutil

from activities.background import beside

LOOK_EVERY = 2.0
SHED_EVERY = 30.0
NEAR = 0.8
"""The part of the ceiling at which caches are let go."""

_log = logging.getLogger("holdfast.worker")


def resident_bytes() -> int:
    """The memory of this process that is in RAM (RSS)."""
    return int(psutil.Process().memory_info().rss)


class MemoryWatch:
    """Keeps a process below a ceiling.

    Args:
        ceiling: In bytes.
        shed: Lets go of what can be had again, and returns how many bytes that was.
        read: How much memory is used now.
        look_every: Seconds between two looks.
    """

    def __init__(
        self,
        ceiling: int,
        shed: Callable[[], int],
        *,
        read: Callable[[], int] = resident_bytes,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self.ceiling = ceiling
        self.full = asyncio.Event()
        """Set when letting go was not enough: the process shall end."""
        self._shed = shed
        self._read = read
        self._look_every = look_every

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look while the block runs."""
        async with beside(self._watch()):
            yield

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        shed_at = -SHED_EVERY
        while not self.full.is_set():
            await asyncio.sleep(self._look_every)
            used = self._read()
            if used < NEAR * self.ceiling:
                continue
            if loop.time() >= shed_at + SHED_EVERY:
                shed_at = loop.time()
                freed = self._shed()
                gc.collect()
                _give_back()
                before, used = used, self._read()
                _log.warning(
                    "memory: %s of %s; let caches of %s go, now %s",
                    *map(megabytes, (before, self.ceiling, freed, used)),
                )
            if used >= self.ceiling:
                _log.warning("memory: %s is the ceiling of %s", megabytes(used), megabytes(self.ceiling))
                self.full.set()


def megabytes(number: float) -> str:
    """`812 MB`."""
    return f"{number / 1e6:.0f} MB"


def _give_back() -> None:
    """Ask the C library to give freed memory back to the system, where it can."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # not glibc
            ctypes.CDLL(None).malloc_trim(0)
