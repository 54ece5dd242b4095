"""`holdfast raise`: give a run more than its limits allow."""

from __future__ import annotations

import json
import shlex
from typing import Annotated

import typer

from holdfast.cli.command import AsJson, RunId, Server, command
from holdfast.cli.steering import By, Reason, found_open
from holdfast.errors import UsageError

_EXAMPLES = """\
  holdfast raise ticket-88 --steps +20               twenty more steps
  holdfast raise ticket-88 --cost-usd 2 --calls 200  new limits
  holdfast raise ticket-88 --wall-clock +1h30m --reason "the API is slow today"
  holdfast inbox                                     which runs ask for more"""

_COUNT = {"metavar": "N|+N", "show_default": False}
_TIME = {"metavar": "TIME|+TIME", "show_default": False}


def add_to(app: typer.Typer) -> None:
    """Registers the command."""

    @command(app, "raise", panel="Runs", examples=_EXAMPLES)
    async def raise_(
        *,
        server: Server,
        run: RunId,
        by: By,
        steps: Annotated[str | None, typer.Option(help="Plans.", **_COUNT)] = None,
        calls: Annotated[str | None, typer.Option(help="Calls of tools.", **_COUNT)] = None,
        tokens: Annotated[str | None, typer.Option(help="Tokens, in and out.", **_COUNT)] = None,
        cost_usd: Annotated[
            str | None, typer.Option(metavar="USD|+USD", help="Money.", show_default=False)
        ] = None,
        wall_clock: Annotated[
            str | None, typer.Option(help="Time since its start: 90s, +30m, 2h, 1d.", **_TIME)
        ] = None,
        working_time: Annotated[
            str | None, typer.Option(help="The same without waits for people.", **_TIME)
        ] = None,
        reason: Reason = "",
        signal: Annotated[
            bool, typer.Option("--signal", help="Leave it with the server: it counts once a worker is up.")
        ] = False,
        as_json: AsJson = False,
    ) -> None:
        """Raise limits of a run, before it reaches them or when it asks for more.

        40 is the new limit, +20 is twenty more than now. A run that asks for more goes on from where it stopped.
        """
        given = {"steps": steps, "calls": calls, "tokens": tokens, "cost_usd": cost_usd}
        given |= {"wall_clock": wall_clock, "working_time": working_time}
        if not any(given.values()):
            raise UsageError("Say which limit is raised, such as --steps +20.")
        open_run = await found_open(server, run, by)
        done = await open_run.raise_limits(
            by=by,
            reason=reason,
            steps=steps,
            calls=calls,
            tokens=tokens,
            cost_usd=cost_usd,
            wall_clock=wall_clock,
            working_time=working_time,
            later=signal,
        )
        if as_json:
            changed = done.model_dump(mode="json") if done else None
            print(
                json.dumps({"run": run, "by": by, "counted": done is not None, "raised": changed}, indent=2)
            )
            return
        from holdfast.cli.rendering.screen import line, out, unwrapped
        from policies.limits import amount

        left = " (left by signal: it counts when a worker is up)" if done is None else ""
        line(out(), (f"raised by {by}", "bold green"), left)
        if done is not None:
            for field, now in done.after.items():
                line(out(), f"from {amount(field, done.before[field])} to {amount(field, now)}", indent=2)
        unwrapped(out(), "  ", (f"holdfast show {shlex.quote(run)} --follow{server.flags}", "cyan"))
