"""The processes of the demo: a Temporal server, a stand-in AWS account, and workers. None outlives the demo."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import workers
from holdfast.connection import find_target
from holdfast.dev_state import find_dev_server
from holdfast.errors import HoldfastError
from workers.dev_config import DevConfig, load_dev_config
from workers.dev_server import DevServer

FOLDER = Path(".holdfast") / "demo"
"""Logs of the demo's processes, below the current folder."""

_ROOT = Path(__file__).resolve().parents[2]
_TIED_PROCESS = Path(workers.__file__).with_name("tied_process.py")
_LINES_SHOWN = 12


class DemoFailed(Exception):  # said to a person, who reads it as a sentence
    """The demo cannot go on; the message says why and where to look."""


@dataclass(frozen=True)
class Stack:
    """The Temporal server that the demo uses."""

    address: str
    namespace: str
    ui_url: str | None
    database: str | None
    already_there: bool
    """It ran before the demo, which leaves it running."""

    @property
    def environment(self) -> dict[str, str]:
        """What leads every `holdfast` and `temporal` command to this server, whatever else is configured."""
        return {"TEMPORAL_ADDRESS": self.address, "TEMPORAL_NAMESPACE": self.namespace}

    def page_of(self, run: str) -> str | None:
        """The run's page in the UI, if there is one."""
        return f"{self.ui_url}/namespaces/{self.namespace}/workflows/{run}" if self.ui_url else None


@contextlib.asynccontextmanager
async def temporal_server() -> AsyncIterator[Stack]:
    """The dev server that runs in this folder; else one is started from temporal-dev.yaml, on ports that are free.

    Raises:
        DevServerError: It cannot be started; the message says why.
    """
    running = find_dev_server()
    if running is not None:
        yield Stack(running.address, running.namespace, running.ui_url, running.database, already_there=True)
        return
    async with DevServer.start(_on_free_ports(load_dev_config())) as server:
        database = str(server.config.database_path) if server.config.database_path else None
        yield Stack(server.address, server.namespace, server.ui_url, database, already_there=False)


def _on_free_ports(config: DevConfig) -> DevConfig:
    """The same stack, with any free port in the place of each one that is taken."""
    ports = ("port", "ui_port", "http_port", "metrics_port")
    taken = [name for name in ports if (port := getattr(config, name)) and not _is_free(config.host, port)]
    changes: dict[str, Any] = dict.fromkeys(taken, 0)
    return config.but(**changes)


def _is_free(host: str, port: int) -> bool:
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(place)
        except OSError:
            return False
    return True


@dataclass
class Commands:
    """The `holdfast` and `temporal` programs of this installation, aimed at one server."""

    stack: Stack

    def shown(self, program: str, *arguments: str) -> str:
        """A command as a person would type it in this folder, to reach the same server."""
        flags = [] if self._found_anyway(program) else ["--address", self.stack.address]
        return shlex.join([self.as_typed(program), *arguments, *flags])

    def argv(self, program: str, *arguments: str) -> list[str]:
        """The same command for starting it. Raises DemoFailed when the program is not installed."""
        file = _beside_python(program)
        if not file.exists():
            raise DemoFailed(f"The program {program} is not installed at {file}: `make demo` installs it.")
        return [str(file), *arguments]

    def environment(self) -> dict[str, str]:
        """For a process: this server, whatever the person's own environment names."""
        own = {key: value for key, value in os.environ.items() if not key.startswith("TEMPORAL_")}
        path = os.pathsep.join(filter(None, [str(_ROOT), own.get("PYTHONPATH")]))
        return {**own, **self.stack.environment, "PYTHONPATH": path}

    async def run(self, program: str, *arguments: str) -> str:
        """Runs one to its end; returns what it said. Raises DemoFailed when it fails."""
        process = await asyncio.create_subprocess_exec(
            *self.argv(program, *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self.environment(),
            start_new_session=True,
        )
        try:
            said = (await process.communicate())[0].decode(errors="replace").strip()
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode != 0:
            raise DemoFailed(f"`{self.shown(program, *arguments)}` ended with {process.returncode}:\n{said}")
        return said

    async def show(self, program: str, *arguments: str) -> None:
        """Runs one that speaks to the terminal itself."""
        process = await asyncio.create_subprocess_exec(
            *self.argv(program, *arguments), stdin=asyncio.subprocess.DEVNULL, env=self.environment()
        )
        await process.wait()

    def _found_anyway(self, program: str) -> bool:
        """Whether the program finds this server by itself, typed in this folder."""
        if program == "holdfast":
            with contextlib.suppress(HoldfastError):
                return find_target().address == self.stack.address
            return False
        named = any(name in os.environ for name in ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE"))
        return self.stack.address in ("127.0.0.1:7233", "localhost:7233") and not named

    @staticmethod
    def as_typed(program: str) -> str:
        """The program's name, with the way to it where the shell would not find it."""
        file, found = _beside_python(program), shutil.which(program)
        if found and Path(found).resolve() == file.resolve():
            return program
        return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)


def _beside_python(program: str) -> Path:
    return Path(sys.executable).with_name(program)


@dataclass
class Worker:
    """One worker process: `holdfast worker …`, as a person would start it."""

    number: int
    argv: list[str]
    environment: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    told_to_end: bool = field(default=False, init=False)

    @property
    def log(self) -> Path:
        """What it says."""
        return FOLDER / f"worker-{self.number}.log"

    @property
    def pid(self) -> int:
        """Its process id; 0 before it is started."""
        return self.process.pid if self.process else 0

    def start(self) -> None:
        """Starts it, in a session of its own, so that Ctrl-C is the demo's business alone."""
        tied = [sys.executable, "-I", "-S", str(_TIED_PROCESS), str(os.getpid())]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*tied, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.environment),
                start_new_session=True,
            )

    def kill(self) -> None:
        """Ends it at once with SIGKILL: it can finish nothing, save nothing and tell nobody."""
        self.told_to_end = True
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def stop(self) -> None:
        """Ends it as a deployment would: it finishes what it does. Killed when that takes longer than 15 seconds."""
        if self.process is None or self.process.poll() is not None:
            return
        try:
            self.told_to_end = True
            self.process.terminate()
            async with asyncio.timeout(15):
                while self.process.poll() is None:  # noqa: ASYNC110  # a process's end sets no event
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pass
        finally:
            self.kill()

    def check(self) -> None:
        """Raises DemoFailed when it has ended by itself."""
        if self.process is None or self.told_to_end:
            return
        if (code := self.process.poll()) is not None:
            lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_SHOWN:]
            raise DemoFailed(
                f"Worker {self.number} ended by itself ({code}). Its log {self.log} ends with:\n"
                + "\n".join(lines)
            )
