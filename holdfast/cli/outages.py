"""`holdfast breakers`: which models and services are left alone for now, and why."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.command import AsJson, Server, by_option, command
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from holdfast.contracts.breakers import Breaker

_EXAMPLES = """\
  holdfast breakers                                those that ever counted a failure
  holdfast breakers --reset crm --by dana          it is mended: call it again now
  holdfast breakers --json"""


def add_to(app: typer.Typer) -> None:
    """Registers the command."""

    @command(app, "breakers", panel="Operate", examples=_EXAMPLES)
    async def breakers(
        *,
        server: Server,
        reset: Annotated[
            str | None,
            typer.Option(metavar="NAME", help="Close this one by hand; calls are made again at once."),
        ] = None,
        by: Annotated[
            str,
            by_option("Who resets it"),
        ],
        as_json: AsJson = False,
    ) -> None:
        """Show the circuit breakers of the task queue's workers.

        There is one for each model and for each service that a tool depends on. After five failures in a row it opens:
        for a minute no call is made. Then one trial decides whether calls are made again.
        """
        client = await server.client()
        if reset is not None:
            if not by.strip():
                raise UsageError("Say who resets it by --by NAME, or set HOLDFAST_USER.")
            await client.reset_breaker(reset, by=by)
        found = await client.breakers()
        if as_json:
            print(json.dumps([one.model_dump(mode="json") for one in found], indent=2))
            return
        _print(found)


def _print(found: list[Breaker]) -> None:
    from rich.table import Table

    from holdfast.cli.rendering.screen import err, line, out, text_of

    if not found:
        line(err(), "No breaker has counted a failure on this task queue.")
        return
    styles = {"closed": "green", "open": "bold red", "half_open": "yellow"}
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("dependency", "state", "failures", "next trial", "last failure"):
        table.add_column(title, justify="right" if title == "failures" else "left", overflow="fold")
    for one in found:
        state = one.state.replace("_", "-")
        table.add_row(
            text_of(one.dependency),
            text_of((state, styles[one.state])),
            text_of(str(one.failures) if one.failures else ""),
            text_of(_clock(one.until) if one.state != "closed" else ""),
            text_of(one.last_failure + (f" (reset by {one.reset_by})" if one.reset_by else "")),
        )
    out().print(table)


def _clock(at: datetime | None) -> str:
    from holdfast.cli.rendering.words import day_and_clock

    return day_and_clock(at) if at is not None else ""
