"""Following a run live, to its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from temporalio.service import RPCError

from holdfast.cli.command import Server, default_user
from holdfast.cli.ending import INTERRUPTED, NOT_COMPLETED, OK
from holdfast.cli.looking import Seen, describe, is_served, look
from holdfast.cli.rendering.event_lines import print_event
from holdfast.cli.rendering.run_page import print_end
from holdfast.cli.rendering.screen import err, line, out, unwrapped
from holdfast.contracts.run import RunEvent
from holdfast.errors import HoldfastError

if TYPE_CHECKING:
    from holdfast.client import Client

_SILENCE = 3.0
"""Seconds without an event after which it is looked whether anybody works on the run."""


async def follow(server: Server, client: Client, run: str, *, as_json: bool) -> int:
    """Print what happens until the run has ended; returns the exit code that its end deserves."""
    console = out()
    try:
        async for event in _events(client, run, quiet=as_json):
            if as_json:
                print(json.dumps(event.model_dump(mode="json")), flush=True)
            else:
                print_event(console, event, by=default_user(), flags=server.flags)
    except asyncio.CancelledError:  # Ctrl-C
        if not as_json:
            line(err(), "The run goes on. Follow it again with:")
            unwrapped(err(), "  ", (f"holdfast show {run} --follow{server.flags}", "cyan"))
        return INTERRUPTED
    return await _end(client, run, as_json=as_json)


async def _end(client: Client, run: str, *, as_json: bool) -> int:
    seen = await _look_at_the_end(client, run)
    outcome = await client.run(run).outcome() if seen.view.outcome is None else seen.view.outcome
    status = seen.closed_as or outcome.status
    if as_json:
        print(json.dumps({"outcome": {**outcome.model_dump(mode="json"), "status": status}}), flush=True)
    else:
        print_end(out(), seen.view, status=status)
    return OK if status == "completed" else NOT_COMPLETED


async def _look_at_the_end(client: Client, run: str) -> Seen:
    """A run says that it has finished in the same task that closes it: wait for the server to know too."""
    for _ in range(50):
        if (await describe(client, run)).close_time is not None:
            break
        await asyncio.sleep(0.1)
    return await look(client, run)


async def _events(client: Client, run: str, *, quiet: bool) -> AsyncIterator[RunEvent]:
    """The run's events; says so when it waits for a worker that is not there."""
    execution = await describe(client, run)  # a run that is not there is an error, not a long wait
    events = client.run(run).events()
    told = False
    while True:
        upcoming = asyncio.ensure_future(anext(events, None))
        try:
            while not (await asyncio.wait({upcoming}, timeout=_SILENCE))[0]:
                if not told and not quiet and not await _is_worked_on(client, execution.task_queue):
                    told = True
                    line(err(), (f"No worker serves the task queue {execution.task_queue!r} now.", "yellow"))
                    line(err(), ("The run waits for one: holdfast worker package.module", "yellow"))
            event = upcoming.result()
        finally:
            upcoming.cancel()
        if event is None:
            return
        told = False
        yield event


async def _is_worked_on(client: Client, task_queue: str) -> bool:
    try:
        return await is_served(client.temporal, task_queue)
    except (HoldfastError, RPCError):
        return True  # the server itself is away: another matter
