"""The fault tests leave nothing behind, even when they are killed themselves."""

from __future__ import annotations

from pathlib import Path

from holdfast.testing import DevServer
from tests.faults.processes import Mother, WorkerPool


async def test_workers_die_with_their_pool(
    temporal_server: DevServer, mother: Mother, tmp_path: Path
) -> None:
    """When the pool is left, none of its processes is there any more."""
    async with WorkerPool.start(mother, temporal_server.address, "-", "-", tmp_path) as pool:
        workers = [await pool.worker(f"left-{number}") for number in range(2)]
        assert all(_is_there(worker.pid) for worker in workers)

    assert not any(_is_there(worker.pid) for worker in workers)


async def test_workers_die_with_their_mother(temporal_server: DevServer, tmp_path: Path) -> None:
    """When whoever forked them is killed, the kernel kills them too: so does the end of a test that was killed."""
    async with (
        Mother.start() as mortal,
        WorkerPool.start(mortal, temporal_server.address, "-", "-", tmp_path) as pool,
    ):
        worker = await pool.worker("orphan")

        mortal.process.kill()

        await worker.gone()


def _is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
