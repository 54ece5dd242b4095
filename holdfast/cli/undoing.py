"""`holdfast undo`: takes back what a run did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.command import AsJson, RunId, Server, by_option, command
from holdfast.cli.ending import NOT_COMPLETED
from holdfast.errors import NoWorkerAnswers, UsageError

if TYPE_CHECKING:
    from holdfast.contracts.undo import UndoneCall, UndoOutcome

_EXAMPLES = """\
  holdfast undo ticket-88                        all that it did
  holdfast undo ticket-88 --call 3.1 --call 3.2  only what these calls did
  holdfast undo ticket-88 --to 3                 what it did after step 3
  holdfast undo ticket-88 --forgotten            what it did before it was rewound
  holdfast undo ticket-88 --note "wrong region\""""


def add_to(app: typer.Typer) -> None:
    """Registers the command."""

    @command(app, "undo", panel="Runs", examples=_EXAMPLES)
    async def undo(
        *,
        server: Server,
        run: RunId,
        calls: Annotated[
            list[str] | None,
            typer.Option("--call", metavar="ID", help="Only this call; may be given several times."),
        ] = None,
        by: Annotated[
            str,
            by_option("Who asks"),
        ],
        to: Annotated[
            int | None,
            typer.Option("--to", metavar="STEP", min=0, help="Only what was done after this step."),
        ] = None,
        forgotten: Annotated[
            bool, typer.Option("--forgotten", help="Only what it has gone back behind, by a rewind.")
        ] = False,
        note: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept with the undo.")] = "",
        as_json: AsJson = False,
    ) -> int | None:
        """Take back what a run did, last call first, and say what could not be.

        The run's own workers do it, as a workflow of its own: it survives crashes, and asking twice undoes
        once; what failed is tried again. A run that is still open is cancelled first (`holdfast cancel`).
        """
        from holdfast.cli.looking import describe
        from holdfast.cli.workers_seen import is_served

        if not by.strip():
            raise UsageError("Say who asks by --by NAME, or set HOLDFAST_USER.")
        client = await server.client()
        execution = await describe(client, run)
        if not await is_served(client.temporal, execution.task_queue):
            raise NoWorkerAnswers(
                f"Not undone: no worker answers on task queue {execution.task_queue!r}. Start one with the agent's "
                "tools (`holdfast worker package.module`), and ask again."
            )
        outcome = await client.run(run).undo(
            by=by, calls=calls or None, to_step=to, forgotten=forgotten, note=note
        )
        if as_json:
            print(outcome.model_dump_json(indent=2))
        else:
            _print(outcome)
        return None if all(one.outcome == "undone" for one in outcome.calls) else NOT_COMPLETED


def _print(outcome: UndoOutcome) -> None:
    from holdfast.cli.rendering.screen import line, out

    console = out()
    if not outcome.calls:
        what = "was not rewound behind anything" if outcome.forgotten else "changed nothing"
        line(console, f"Run {outcome.run} {what} that could be undone.")
    for one in outcome.calls:
        style = "green" if one.outcome == "undone" else "red"
        when = " (before it was rewound)" if one.forgotten else ""
        line(console, (one.outcome, style), f"  {one.call} {one.tool}{when}", _why(one))


def _why(one: UndoneCall) -> str:
    if one.outcome == "irreversible":
        return ": nothing can take it back"
    return f": {one.failure.message}" if one.failure else ""
