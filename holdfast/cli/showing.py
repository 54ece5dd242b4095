"""`holdfast show`: a run step by step, as it stands or live."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.command import AsJson, RunId, Server, command, default_user

if TYPE_CHECKING:
    from rich.console import Console

    from holdfast.contracts.base import JsonObject
    from holdfast.contracts.run import RunView

TEXT_SHOWN = 300
"""Characters of a part of the transcript; `--json` has the whole."""

_EXAMPLES = """\
  holdfast show ticket-88             steps, calls, cost and result
  holdfast show ticket-88 --follow    live, until it ends
  holdfast show ticket-88 --at 7      as it was after step 7
  holdfast show ticket-88 --json | jq '.steps[-1].calls'"""


def add_to(app: typer.Typer) -> None:
    """Registers the command."""

    @command(app, "show", panel="Runs", examples=_EXAMPLES)
    async def show(
        *,
        server: Server,
        run: RunId,
        follow: Annotated[
            bool, typer.Option("--follow", "-f", help="Show what happens until it ends.")
        ] = False,
        at: Annotated[
            int | None, typer.Option("--at", metavar="STEP", min=0, help="As it was after this step.")
        ] = None,
        as_json: AsJson = False,
    ) -> int | None:
        """Show a run step by step, as it stands or live.

        Plans, calls, verdicts, decisions, results, effects, failures, time and cost; of what is under way its attempt, and
        when the next try is due. Open requests are shown with the exact commands that answer them. When no worker answers, the run is
        rebuilt here from its history. With --json --follow every line is one JSON object: an event, and last
        the outcome; then the exit code tells how the run ended.
        """
        client = await server.client()
        if at is not None:
            view = await client.run(run).inspect(at=at)
            if as_json:
                print(view.model_dump_json(indent=2))
                return None
            _print_past(view, at)
            return None
        if follow:
            from holdfast.cli.following import follow as follow_it

            return await follow_it(server, client, run, as_json=as_json)
        from holdfast.cli.looking import look

        seen = await look(client, run)
        if as_json:
            source = "history" if seen.offline else "worker"
            pending = [one.model_dump(mode="json") for one in seen.pending]
            document = {
                **seen.view.model_dump(mode="json"),
                "status": seen.status,
                "pending": pending,
                "source": source,
            }
            print(json.dumps(document, indent=2))
            return None
        from holdfast.cli.rendering.run_page import print_end, print_requests, print_run
        from holdfast.cli.rendering.screen import line, out
        from holdfast.cli.rendering.under_way import print_pending

        console = out()
        print_run(console, seen.view, status=seen.status, ui_url=server.ui_url(run))
        print_pending(console, seen.view, seen.pending)
        print_requests(console, seen.requests, by=default_user(), flags=server.flags)
        print_end(console, seen.view, status=seen.status, why=seen.closed_why)
        if seen.offline:
            line(console, ("No worker answered: this was rebuilt offline, from the run's history.", "yellow"))
        return None


def _print_past(view: RunView, at: int) -> None:
    from holdfast.cli.rendering.run_page import print_end, print_run
    from holdfast.cli.rendering.screen import line, out

    console = out()
    status = view.status if view.outcome else f"after step {at}"
    until = view.steps[-1].finished_at if view.steps else view.started_at
    then = view.model_copy(update={"finished_at": view.finished_at or until})
    print_run(console, then, status=status)
    print_end(console, then, status=status)
    console.print()
    line(console, ("Transcript", "bold"))
    for message in view.transcript or []:
        for block in message.content:
            print_block(console, message.role, block)


def print_block(console: Console, role: str, block: JsonObject) -> None:
    """A part of the transcript, in a few lines; `--json` has the whole."""
    from holdfast.cli.rendering import words
    from holdfast.cli.rendering.screen import line, one_line

    kind, said = block.get("type"), block.get("text") or block.get("content") or ""
    text = said if isinstance(said, str) else words.as_json(said)
    who, style = ("model" if role == "assistant" else "user"), ""
    if kind == "tool_use":
        text = "calls " + words.call(str(block.get("name")), block.get("input") or {})
    elif kind == "tool_result":
        who, style = "tool", "red" if block.get("is_error") else "dim"
    elif kind == "thinking":
        text, style = f"thinks {block.get('thinking', '')}", "italic"
    line(console, (one_line(text, TEXT_SHOWN), style), indent=9, label=(f"  {who}", "dim"))
