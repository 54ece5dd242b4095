"""A Python process beside the test, for what only a process can show: signals, and being killed."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 60.0
"""Seconds after which a process that says or does nothing has failed the test: on a busy machine loading takes 20."""


@dataclass
class PythonProcess:
    """A running Python process, with its output and errors as one stream of lines."""

    process: subprocess.Popen[bytes]

    def read_line(self) -> str:
        """The next line; fails the test when none comes in time, and is empty at the end of the output."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        assert ready, "the process says nothing"
        return self.process.stdout.readline().decode()

    def read_until(self, part: str) -> str:
        """All lines up to one that holds the text; fails the test when the output ends before."""
        lines = ""
        while part not in lines:
            line = self.read_line()
            assert line, f"ended without {part!r}:\n{lines}"
            lines += line
        return lines

    def rest(self) -> str:
        """Waits for the end of the process; all that it still said."""
        return self.process.communicate(timeout=PATIENCE)[0].decode()

    def until(self, condition: Callable[[], bool]) -> None:
        """Waits until something holds that no event tells of."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, "it never came to be"
            time.sleep(0.01)


@contextlib.contextmanager
def python_process(code: str, *, cwd: Path, env: Mapping[str, str] | None = None) -> Iterator[PythonProcess]:
    """Runs Python code that can import this repository, and kills it at the end if it still runs."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TEMPORAL_")}
    with subprocess.Popen(
        [sys.executable, "-u", "-c", code],
        cwd=cwd,
        env={**clean, "PYTHONPATH": str(REPOSITORY), "HOME": str(cwd), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
    ) as process:
        try:
            yield PythonProcess(process)
        finally:
            process.kill()


def is_gone(pid: int) -> bool:
    """Whether there is no such process any more, or only its remains (where /proc can tell)."""
    with contextlib.suppress(FileNotFoundError):
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    return True
