"""What `holdfast dev` does: runs the local stack until it is told to stop, or sets up a server that runs already."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

from holdfast.connection import Target, connect_to, find_target
from holdfast.dev_state import DevState
from workers.dev_config import DevConfig, load_dev_config
from workers.dev_server import DevServer
from workers.server_setup import ensure_namespace, ensure_search_attributes

Say = Callable[[str], None]
"""Shows one line to a person. Lines hold no markup."""


async def run_dev(
    config: DevConfig | None = None,
    *,
    address: str | None = None,
    namespace: str | None = None,
    profile: str | None = None,
    config_file: str | Path | None = None,
    start: bool = True,
    say: Say = print,
    on_ready: Callable[[DevState], None] = lambda _: None,
    stop: asyncio.Event | None = None,
) -> None:
    """Runs the local server until Ctrl-C or SIGTERM; or, if a server is named, sets that one up and returns.

    A server is named by `address`, `profile`, `config_file`, TEMPORAL_ADDRESS or TEMPORAL_PROFILE, or by
    `start=False`, which stands for the one that other commands would use. On a named server nothing is changed
    but what is missing: its namespace and the search attributes.

    Args:
        config: The stack; by default what temporal-dev.yaml says.
        address: Host and port of a server that runs already.
        namespace: The namespace to use there; on the local server it replaces the file's.
        profile: A profile of `temporal.toml`.
        config_file: Another file than the usual `temporal.toml`.
        start: False never starts a server.
        say: Shows one line to a person.
        on_ready: Told once how to reach the local server when it is ready.
        stop: Ends the local server when set, as Ctrl-C does.

    Raises:
        DevServerError: The local server cannot run, or has ended by itself.
        ServerSetupError: The named server lacks something that cannot be added.
        ConnectionFailed: The named server cannot be reached.
    """
    config = config or load_dev_config()
    target = find_target(address, namespace, profile, config_file)
    if target.named or not start:
        await _set_up_existing(config, target, say)
        return
    if namespace is not None:
        config = config.but(namespace=namespace)
    stop = stop or asyncio.Event()
    # From the first moment: a Ctrl-C while the server starts must not leave half of it behind.
    async with _until_told(stop, say) as told, DevServer.start(config, on_progress=say) as server:
        told.server = server
        _welcome(server.state, say)
        if target.source.startswith("profile "):
            say(
                f"Note: other commands use {target.address} ({target.source}) unless you pass --address {server.address}."
            )
        on_ready(server.state)
        await _first_of(stop.wait(), server.wait())
        say(
            "stopping the server; what it recorded is kept"
            if server.state.database
            else "stopping the server"
        )


async def _set_up_existing(config: DevConfig, target: Target, say: Say) -> None:
    client = await connect_to(target)
    say(f"using the Temporal server at {target.address} ({target.source}); none is started")
    if await ensure_namespace(client, config.retention):
        say(f"registered the namespace {target.namespace}")
    added = await ensure_search_attributes(client, config.search_attributes)
    say(f"added the search attributes {', '.join(added)}" if added else "its search attributes are all there")


def _welcome(state: DevState, say: Say) -> None:
    say(f"Temporal server  {state.address}, namespace {state.namespace}")
    say(f"Web UI           {state.ui_url or 'off'}")
    say(f"Server metrics   {state.metrics_url}")
    say(f"Database         {state.database or 'in memory: everything is forgotten when it stops'}")
    say(f"Log              {state.log}")
    say("Next, in another terminal of this folder:")
    say("  holdfast worker your_package.your_module    serves the agents of that module")
    say('  holdfast start your-agent "the task"        starts a run')
    say("Ctrl-C stops the server.")


class _Told:
    """Where the handler of Ctrl-C finds the server once there is one."""

    server: DevServer | None = None


@contextlib.asynccontextmanager
async def _until_told(stop: asyncio.Event, say: Say) -> AsyncIterator[_Told]:
    """Turns the first Ctrl-C, SIGTERM or hang-up into `stop`, and a second one into the end of the server."""
    loop, told, task = asyncio.get_running_loop(), _Told(), asyncio.current_task()

    def on_signal() -> None:
        if told.server is None and task is not None and not stop.is_set():
            task.cancel()
        elif told.server is not None and stop.is_set():
            say("killing the server")
            told.server.kill()
        stop.set()

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in signals:
        loop.add_signal_handler(number, on_signal)
    try:
        yield told
    except asyncio.CancelledError:
        if task is None or not stop.is_set() or told.server is not None:
            raise
        task.uncancel()  # it was ours: the server was still starting
        say("stopped before the server was ready")
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Waits for the first to end, and raises what it raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
