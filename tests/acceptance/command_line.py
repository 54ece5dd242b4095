"""The `holdfast` program as a person or a script starts it: a process, its output and its exit code."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.acceptance.forked_program import Mother
from tests.acceptance.python_process import PATIENCE, REPOSITORY, PythonProcess

PROGRAM = Path(sys.executable).with_name("holdfast")
MOTHER = Mother()
"""Of all commands of this process that are run to their end; those that go on load the program themselves."""

AGENTS = "tests.acceptance.agents.parcels"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, which must be one JSON document and nothing else."""
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        """What it printed, which must be a JSON document a line."""
        return [json.loads(one) for one in self.out.splitlines()]


@dataclass(frozen=True)
class CommandLine:
    """Runs `holdfast` in an empty folder, in an environment that names no server."""

    folder: Path
    options: tuple[str, ...] = ()
    """Added to every command."""
    env: dict[str, str] = field(default_factory=dict)

    def __call__(self, *arguments: str, **env: str) -> Ended:
        """Run a command to its end."""
        if sys.platform == "linux":
            code, out, err = MOTHER.run(
                self._argv(arguments), cwd=self.folder, env=self._environment(env), timeout=PATIENCE
            )
            return Ended(code, out, err)
        done = subprocess.run(
            self._argv(arguments), cwd=self.folder, env=self._environment(env), text=True,
            encoding="utf-8", capture_output=True, stdin=subprocess.DEVNULL, timeout=PATIENCE, check=False,
        )  # fmt: skip
        return Ended(done.returncode, done.stdout, done.stderr)

    @contextlib.contextmanager
    def running(self, *arguments: str, **env: str) -> Iterator[PythonProcess]:
        """A command that goes on, with output and errors as one stream; killed at the end if it still runs."""
        with subprocess.Popen(
            self._argv(arguments), cwd=self.folder, env=self._environment(env), bufsize=0,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process:  # fmt: skip
            try:
                yield PythonProcess(process)
            finally:
                process.kill()

    @contextlib.contextmanager
    def worker(self, *modules: str, **env: str) -> Iterator[PythonProcess]:
        """`holdfast worker`, once it serves; told to stop at the end."""
        with self.running("worker", *(modules or (AGENTS,)), **env) as worker:
            worker.read_until("on task queue")
            yield worker
            worker.process.send_signal(signal.SIGTERM)
            worker.rest()

    def _argv(self, arguments: tuple[str, ...]) -> list[str]:
        return [str(PROGRAM), *arguments, *self.options]

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        outside = ("TEMPORAL_", "HOLDFAST_", "ANTHROPIC_")
        clean = {key: value for key, value in os.environ.items() if not key.startswith(outside)}
        for name in ("COLUMNS", "FORCE_COLOR", "USER"):
            clean.pop(name, None)
        return {**clean, "PYTHONPATH": str(REPOSITORY), "HOME": str(self.folder), **self.env, **more}
