"""`holdfast send`, `pause` and `resume`: what people say to runs that are under way."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.command import AsJson, RunId, Server, by_option, command
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from holdfast.run import Run

_PANEL = "Runs"

_SEND_EXAMPLES = """\
  holdfast send ticket-88 "only the staging account, please"
  holdfast send ticket-88 "look at eu-west-2 too" --by dana"""

_PAUSE_EXAMPLES = """\
  holdfast pause ticket-88 --reason "the API is being upgraded"
  holdfast runs --status paused    all that are paused"""

_RESUME_EXAMPLES = """\
  holdfast resume ticket-88"""

By = Annotated[
    str,
    by_option("Who says so"),
]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept with it.")]


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""

    @command(app, "send", panel=_PANEL, examples=_SEND_EXAMPLES)
    async def send(
        *,
        server: Server,
        run: RunId,
        text: Annotated[
            str, typer.Argument(metavar="TEXT", help="What to say, in quotes.", show_default=False)
        ],
        by: By,
        as_json: AsJson = False,
    ) -> None:
        """Say something to a running agent; it hears it with its next plan.

        The message is kept by the server: no worker needs to be up. Several are told in the order they came.
        """
        found = await found_open(server, run, by)
        await found.send(text, by=by)
        _print(server, run, "sent", by, "The agent hears it with its next plan.", as_json=as_json)

    @command(app, "pause", panel=_PANEL, examples=_PAUSE_EXAMPLES)
    async def pause(
        *, server: Server, run: RunId, by: By, reason: Reason = "", as_json: AsJson = False
    ) -> None:
        """Pause a run: calls under way end, nothing new begins.

        A paused run costs nothing. The deadlines of what it asks people go on.
        """
        found = await found_open(server, run, by)
        await found.pause(by=by, reason=reason)
        resume = f"holdfast resume {shlex.quote(run)}{server.flags}"
        told = "Calls under way come to their end, then it waits. Let it go on with:"
        _print(server, run, "pausing", by, told, then=resume, as_json=as_json)

    @command(app, "resume", panel=_PANEL, examples=_RESUME_EXAMPLES)
    async def resume(
        *, server: Server, run: RunId, by: By, reason: Reason = "", as_json: AsJson = False
    ) -> None:
        """Let a paused run go on from where it stopped."""
        found = await found_open(server, run, by)
        await found.resume(by=by, reason=reason)
        _print(server, run, "resumed", by, "It goes on from where it stopped.", as_json=as_json)


async def found_open(server: Server, run: str, by: str) -> Run[object]:
    """The run, open. Raises RunNotFound, UsageError: it has ended, or nobody says who speaks."""
    from holdfast.cli.looking import describe

    if not by.strip():
        raise UsageError("Say who speaks by --by NAME, or set HOLDFAST_USER.")
    client = await server.client()
    if (await describe(client, run)).close_time is not None:
        raise UsageError(f"Run {run} has ended already. `holdfast show {shlex.quote(run)}` shows how.")
    return client.run(run)


def _print(server: Server, run: str, done: str, by: str, told: str, *, then: str = "", as_json: bool) -> None:
    if as_json:
        print(json.dumps({"run": run, "done": done, "by": by}, indent=2))
        return
    from holdfast.cli.rendering.screen import line, out, unwrapped

    line(out(), (f"{done} by {by}", "bold green"))
    line(out(), told, indent=2)
    follow = f"holdfast show {shlex.quote(run)} --follow{server.flags}"
    unwrapped(out(), "  ", (then or follow, "cyan"))
