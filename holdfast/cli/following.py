"""Following a run live, to its end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from rich.console import Console

from holdfast.cli.command import Server, default_user
from holdfast.cli.ending import INTERRUPTED, NOT_COMPLETED, OK
from holdfast.cli.live_status import live_status
from holdfast.cli.looking import Seen, describe, is_worked_on, look
from holdfast.cli.rendering.event_lines import print_event
from holdfast.cli.rendering.run_page import print_end, print_run
from holdfast.cli.rendering.screen import err, line, out, unwrapped
from holdfast.contracts.run import RunEvent

if TYPE_CHECKING:
    from holdfast.client import Client

_SILENCE = 3.0
"""Seconds without an event after which it is looked whether anybody works on the run."""


async def follow(server: Server, client: Client, run: str, *, as_json: bool) -> int:
    """Print what happens until the run has ended; returns the exit code that its end deserves."""
    console = out()
    watch = _WorkerWatch(err() if as_json else console)
    told = False
    try:
        async with live_status(client, run, console, wanted=console.is_terminal and not as_json):
            async for event in _events(client, run, watch):
                if as_json:
                    print(json.dumps(event.model_dump(mode="json")), flush=True)
                else:
                    print_event(console, event, by=default_user(), flags=server.flags)
                told = True
    except asyncio.CancelledError:  # Ctrl-C
        if not as_json:
            line(err(), "The run goes on. Follow it again with:")
            unwrapped(err(), "  ", (f"holdfast show {run} --follow{server.flags}", "cyan"))
        return INTERRUPTED
    return await _end(client, run, told=told, as_json=as_json)


async def _end(client: Client, run: str, *, told: bool, as_json: bool) -> int:
    seen = await _look_at_the_end(client, run)
    outcome = await client.run(run).outcome() if seen.view.outcome is None else seen.view.outcome
    status = seen.closed_as or outcome.status
    if as_json:
        print(json.dumps({"outcome": {**outcome.model_dump(mode="json"), "status": status}}), flush=True)
    else:
        if not told:  # it had ended, and no worker was there to tell how it went
            print_run(out(), seen.view, status=status)
        print_end(out(), seen.view, status=status)
    return OK if status == "completed" else NOT_COMPLETED


async def _look_at_the_end(client: Client, run: str) -> Seen:
    """A run says that it has finished in the same task that closes it: wait for the server to know too."""
    for _ in range(50):
        if (await describe(client, run)).close_time is not None:
            break
        await asyncio.sleep(0.1)
    return await look(client, run)


async def _events(client: Client, run: str, on_silence: Callable[[bool], None]) -> AsyncIterator[RunEvent]:
    """The run's events. In a silence `on_silence` hears whether a worker answers for the run."""
    execution = await describe(client, run)  # a run that is not there is an error, not a long wait
    events = client.run(run).events()
    while True:
        upcoming = asyncio.ensure_future(_next(events))
        try:
            while not (await asyncio.wait({upcoming}, timeout=_SILENCE))[0]:
                answers = await is_worked_on(client, run, execution.task_queue, within=_SILENCE)
                if not answers and (await describe(client, run)).close_time is not None:
                    return  # nobody is there to tell its events, and there will be no more
                on_silence(answers)
            event = upcoming.result()
        finally:
            upcoming.cancel()
        if event is None:
            return
        yield event


async def _next(events: AsyncIterator[RunEvent]) -> RunEvent | None:
    return await anext(events, None)


class _WorkerWatch:
    """Says once that nobody works on the run, and once that somebody does again."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._away = False

    def __call__(self, answers: bool) -> None:
        if self._away == (not answers):
            return
        self._away = not answers
        nobody = "no worker answers: the run waits for one (holdfast worker package.module)"
        line(self._console, ("a worker answers again" if answers else nobody, "yellow"))
