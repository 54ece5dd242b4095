"""The last line of a live view: what is going on right now, between two events.

It comes from the activities that are pending and the details of their heartbeats, which is how the words of a
model reach us while it speaks; neither leaves anything in the run's history.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.status import Status
from temporalio.service import RPCError

from holdfast.cli.rendering.screen import one_line, text_of
from holdfast.contracts.names import PLAN

if TYPE_CHECKING:
    from holdfast.client import Client

_EVERY = 0.4


@contextlib.asynccontextmanager
async def live_status(client: Client, run: str, console: Console, *, wanted: bool) -> AsyncIterator[None]:
    """Shows below what is printed what the run is doing, for the `async with`."""
    if not wanted:
        yield
        return
    with console.status("") as status:
        task = asyncio.create_task(_keep_up(client, run, console, status))
        try:
            yield
        finally:
            task.cancel()


async def _keep_up(client: Client, run: str, console: Console, status: Status) -> None:
    handle = client.temporal.get_workflow_handle(run)
    while True:
        with contextlib.suppress(RPCError):  # the server is away: what was shown stays
            pending = (await handle.describe()).raw_description.pending_activities
            doing = [_doing(one) for one in pending]
            room = max(20, console.width - 4)
            status.update(text_of((one_line("; ".join(doing) or "waiting", room), "dim")))
        await asyncio.sleep(_EVERY)


def _doing(pending: Any) -> str:
    """`plan: …the model's last words`, or `deliver, attempt 2 after: the door is locked`."""
    name = pending.activity_type.name
    if pending.attempt > 1:
        return f"{name}, attempt {pending.attempt} after: {one_line(pending.last_failure.message, 80)}"
    words = _words(pending) if name == PLAN else ""
    return f"{name}: {words}" if words else name


def _words(pending: Any) -> str:
    """The end of what the model has said in this plan so far."""
    try:
        text = str(json.loads(pending.heartbeat_details.payloads[0].data)["text"])
    except (IndexError, KeyError, TypeError, ValueError):
        return ""
    flat = one_line(text)
    return flat if len(flat) <= 60 else "…" + flat[-59:]
