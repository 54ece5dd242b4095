"""`holdfast parked`: the dead-letter queue. Runs that only a person can move on, by what stopped them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.command import AsJson, Server, by_option, command, confirm
from holdfast.cli.redriving import Chosen, Move, choose, dry_run, move_all
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from pydantic import BaseModel

_EXAMPLES = """\
  holdfast parked                                 the runs, newest first
  holdfast parked groups                          what stopped them, and how many
  holdfast parked show ticket-88                  what is kept, and the commands
  holdfast parked redrive ticket-88               go on from where it stopped
  holdfast parked redrive ticket-88 --from-step 3 --dry-run
  holdfast parked redrive --group 3f9c01d2ab47 --reason "the vendor is back" --yes
  holdfast parked redrive --agent refunds --latest --yes
  holdfast parked discard ticket-88 --reason "the order was cancelled\""""

_ACTIONS = ("list", "groups", "show", "redrive", "discard")


def add_to(app: typer.Typer) -> None:
    """Registers the command."""

    @command(app, "parked", panel="People", examples=_EXAMPLES)
    async def parked(
        *,
        server: Server,
        action: Annotated[
            str, typer.Argument(metavar="list|groups|show|redrive|discard", help="What to do.")
        ] = "list",
        runs: Annotated[
            list[str] | None, typer.Argument(metavar="[RUN]...", help="Which runs.", show_default=False)
        ] = None,
        group: Annotated[
            str | None, typer.Option(metavar="FINGERPRINT", help="The runs that this cause stopped.")
        ] = None,
        agent: Annotated[str | None, typer.Option(metavar="NAME", help="Runs of this agent.")] = None,
        all_of_them: Annotated[bool, typer.Option("--all", help="Every parked run.")] = False,
        from_step: Annotated[
            int | None,
            typer.Option(
                min=1, metavar="N", help="Redrive: go back and plan again from step N; what was done stands."
            ),
        ] = None,
        latest: Annotated[
            bool, typer.Option("--latest", help="Redrive: on the agent as its workers define it now.")
        ] = False,
        dry_run: Annotated[
            bool,
            typer.Option(
                "--dry-run", help="Change nothing: say which runs, and which writes may be repeated."
            ),
        ] = False,
        yes: Annotated[
            bool, typer.Option("--yes", help="Do not ask before moving a whole group on.")
        ] = False,
        by: Annotated[
            str,
            by_option("Who decides"),
        ],
        reason: Annotated[
            str, typer.Option("--reason", "--why", metavar="TEXT", help="Why; kept with the decision.")
        ] = "",
        as_json: AsJson = False,
    ) -> int | None:
        """Look at the runs that have stopped, and move them on: one, or all that one cause has stopped.

        A parked run has kept everything. Redriven, it goes on from where it stopped, and nothing that it did is
        done again. With --from-step its model plans again and may repeat writes: --dry-run names them. Exit code 1
        says that some runs could not be moved on; they are listed.
        """
        chosen = Chosen(tuple(runs or ()), group, agent, all_of_them)
        if action not in _ACTIONS:
            raise UsageError(f"There is no `parked {action}`. Say one of: {', '.join(_ACTIONS)}.")
        if action in ("list", "groups"):
            await _list(server, chosen, groups=action == "groups", as_json=as_json)
            return None
        if action == "show":
            await _show(server, chosen, by=by, as_json=as_json)
            return None
        move = Move("redrive" if action == "redrive" else "discard", by, reason, from_step, latest)
        return await _move(server, chosen, move, rehearse=dry_run, yes=yes, as_json=as_json)


async def _list(server: Server, chosen: Chosen, *, groups: bool, as_json: bool) -> None:
    from holdfast.cli.rendering.parked import print_groups
    from holdfast.cli.rendering.screen import err, line, out, unwrapped
    from holdfast.cli.rendering.tables import print_runs

    if chosen.runs:
        raise UsageError(
            "`parked list` and `parked groups` take no runs: `holdfast parked show RUN` shows one."
        )
    client = await server.client()
    if groups:
        found: Sequence[BaseModel] = (gathered := await client.parked_groups(agent=chosen.agent))
        if gathered and not as_json:
            print_groups(out(), gathered, flags=server.flags)
    else:
        found = listed = await client.parked(agent=chosen.agent, fingerprint=chosen.group)
        if listed and not as_json:
            print_runs(out(), listed, parked=True)
            unwrapped(out(), ("holdfast parked groups", "cyan"), f"{server.flags}    what stopped them")
            unwrapped(
                out(),
                ("holdfast parked show RUN", "cyan"),
                f"{server.flags}  what is kept of one, and the commands",
            )
    if as_json:
        print(json.dumps([one.model_dump(mode="json") for one in found], indent=2))
    elif not found:
        line(err(), "No run is parked.")


async def _show(server: Server, chosen: Chosen, *, by: str, as_json: bool) -> None:
    from holdfast.cli.looking import look
    from holdfast.cli.rendering.parked import print_parked
    from holdfast.cli.rendering.screen import out

    if len(chosen.runs) != 1:
        raise UsageError("Say which run: holdfast parked show RUN")
    seen = await look(await server.client(), chosen.runs[0])
    note = seen.view.parked
    if note is None:
        raise UsageError(f"Run {seen.view.run} is not parked; it is {seen.status}.")
    if as_json:
        task = {"run": seen.view.run, "agent": seen.view.agent, "task": seen.view.task, "status": seen.status}
        print(json.dumps({**task, **note.model_dump(mode="json")}, indent=2))
        return
    print_parked(out(), seen.view, note, status=seen.status, by=by, flags=server.flags)


async def _move(
    server: Server, chosen: Chosen, move: Move, *, rehearse: bool, yes: bool, as_json: bool
) -> int | None:
    from holdfast.cli.rendering.screen import err, line

    move.check(rehearse=rehearse)
    client = await server.client()
    runs = await choose(client, chosen)
    if not runs:
        line(err(), "No run is parked that fits. `holdfast parked groups` lists what has stopped runs.")
        if not as_json:
            return None
    if rehearse:
        return await dry_run(client, runs, move, as_json=as_json)
    if not chosen.runs and not yes:
        if as_json or not sys.stdin.isatty():
            raise UsageError(
                f"That is {len(runs)} runs: look at them with --dry-run, then say it again with --yes."
            )
        confirm(f"{move.verb} {len(runs)} runs?")
    return await move_all(client, runs, move, as_json=as_json)
