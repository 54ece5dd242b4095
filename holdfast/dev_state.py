"""`.holdfast/dev.json`: where a running dev server says how to reach it, so that other commands find it.

Written by the process that starts the server and removed when that server is stopped. A file that a killed
server left behind is recognised as stale: nothing but a live process that answers at the address counts.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path

STATE_FILE = Path(".holdfast") / "dev.json"
_ANSWER_WITHIN = 0.5  # seconds; the server is on this machine


@dataclass(frozen=True)
class DevState:
    """How to reach a dev server."""

    address: str
    """Host and port for clients, workers and the `temporal` CLI."""
    namespace: str
    """The namespace that it was set up with."""
    ui_url: str | None
    """The web UI; None when it runs without one."""
    http_url: str
    """The same API as JSON over HTTP."""
    metrics_url: str
    """The server's Prometheus metrics."""
    pid: int
    """The server's process."""
    database: str | None
    """The database file; None when everything is kept in memory."""
    log: str
    """The server's log file."""

    def write(self, base: Path) -> None:
        """Says in `base/.holdfast/dev.json` that this server runs. Readers never see half a file."""
        file = base / STATE_FILE
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}.tmp")
        fresh.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        fresh.replace(file)

    def remove(self, base: Path) -> None:
        """Takes the file away again, unless another server has written its own since."""
        if read_dev_state(base) == self:
            (base / STATE_FILE).unlink(missing_ok=True)

    def is_alive(self) -> bool:
        """Whether that process still runs and something answers at its address. Takes at most half a second."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except (PermissionError, OverflowError):  # another user's process: the address decides
            pass
        host, _, port = self.address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER_WITHIN).close()
        except (OSError, ValueError):
            return False
        return True


def read_dev_state(base: Path) -> DevState | None:
    """What `base/.holdfast/dev.json` says, alive or not; None when there is no such file or it is unreadable."""
    try:
        return DevState(**json.loads((base / STATE_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):  # absent, not JSON, or written by another version
        return None


def find_dev_server(start: Path | None = None) -> DevState | None:
    """The live dev server of the folder `start` (default: the current one) or the nearest one above it."""
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        state = read_dev_state(folder)
        if state is not None and state.is_alive():
            return state
    return None
