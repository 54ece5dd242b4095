"""The ceiling of a worker's memory, with a memory that a test sets."""

from __future__ import annotations

import asyncio

from workers.memory import MemoryWatch, megabytes, resident_bytes


async def test_near_the_ceiling_caches_go_and_at_it_the_worker_is_full() -> None:
    """Below 80 % nothing happens; above it caches are let go once; what is still too much is told."""
    used, shed, gone = [79], list[int](), asyncio.Event()

    def let_go() -> int:
        shed.append(used[0])
        gone.set()
        return 7

    watch = MemoryWatch(100, let_go, read=lambda: used[0], look_every=0.001)
    async with asyncio.timeout(10), watch.watching():
        await asyncio.sleep(0.02)
        assert shed == []
        used[0] = 85
        await gone.wait()
        await asyncio.sleep(0.02)
        assert shed == [85]
        assert not watch.full.is_set()
        used[0] = 100
        await watch.full.wait()


def test_a_process_has_some_memory() -> None:
    """The reading is in bytes."""
    assert 20e6 < resident_bytes() < 20e9
    assert megabytes(812_345_678) == "812 MB"
