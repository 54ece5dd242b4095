"""`holdfast show`: a run step by step, as it stands or live."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.command import AsJson, RunId, Server, command, default_user

if TYPE_CHECKING:
    from holdfast.contracts.run import RunView

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

        Plans, calls, verdicts, decisions, results, effects, time and cost.         Open requests are shown with the exact commands that answer them. When no worker answers, the run is
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
            document = {**seen.view.model_dump(mode="json"), "status": seen.status, "source": source}
            print(json.dumps(document, indent=2))
            return None
        from holdfast.cli.rendering.run_page import print_end, print_requests, print_run
        from holdfast.cli.rendering.screen import line, out

        console = out()
        print_run(console, seen.view, status=seen.status, ui_url=server.ui_url(run))
        print_requests(console, seen.requests, by=default_user(), flags=server.flags)
        print_end(console, seen.view, status=seen.status)
        if seen.offline:
            line(console, ("No worker answered: this was rebuilt offline, from the run's history.", "yellow"))
        return None


def _print_past(view: RunView, at: int) -> None:
    from holdfast.cli.rendering.run_page import print_end, print_run
    from holdfast.cli.rendering.screen import line, one_line, out

    console = out()
    line(console, (f"As it was after step {at}:", "yellow"))
    print_run(console, view, status=view.status)
    print_end(console, view, status=view.status)
    line(console, ("Transcript", "bold"))
    for message in view.transcript or []:
        for block in message.content:
            said = block.get("text") or block.get("content") or block.get("input") or ""
            text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
            kind = str(block.get("type", ""))
            line(console, one_line(text, 400), indent=4, label=(f"  {message.role} {kind}  ", "dim"))
