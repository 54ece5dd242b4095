"""README's example is a program that runs: against the real server, as a user would run it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from holdfast.testing.dev_server import dev_server
from tests.documents import ROOT, blocks


async def test_the_example_prints_what_readme_says(tmp_path: Path) -> None:
    """README's example, saved and run, prints the text that README shows below it.

    On a server of its own: it serves the default task queue, where other tests leave runs of other agents.
    """
    readme = ROOT / "README.md"
    (example,), (printed,) = blocks(readme, "python"), blocks(readme, "text")
    program = tmp_path / "refunds.py"
    program.write_text(example.text, encoding="utf-8")
    async with dev_server(tmp_path / "server") as server:
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, program.name],
            cwd=tmp_path,
            env={**os.environ, "TEMPORAL_ADDRESS": server.address},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stdout == printed.text
    assert "Traceback" not in done.stderr
    # The SDK's threads now and then abort an interpreter that has nothing left to do.
    assert done.returncode in (0, -signal.SIGABRT), done.stderr


def test_the_example_is_short() -> None:
    """README's example fits on a screen."""
    (example,) = blocks(ROOT / "README.md", "python")
    assert len([line for line in example.text.splitlines() if line.strip()]) <= 45
