"""`holdfast result`: what a run has to show, in whatever state it is."""

from __future__ import annotations

import contextlib
import json
import shlex
from typing import Annotated

import typer

from holdfast.cli.command import AsJson, RunId, Server, command
from holdfast.cli.ending import NOT_COMPLETED, OK

_EXAMPLES = """\
  holdfast result ticket-88                  what there is now
  holdfast result ticket-88 --wait > out     the result alone on stdout, once there is one
  holdfast result ticket-88 --transcript     … and everything that was said
  holdfast result ticket-88 --json | jq .outcome.effects"""

_NEXT = {
    "parked": "holdfast parked show {run}",
    "waiting": "holdfast show {run}",
    "paused": "holdfast resume {run}",
}
"""What moves a run on that only a person can move."""


def add_to(app: typer.Typer) -> None:
    """Registers the command."""

    @command(app, "result", panel="Runs", examples=_EXAMPLES)
    async def result(
        *,
        server: Server,
        run: RunId,
        wait: Annotated[
            bool, typer.Option("--wait", help="Wait until it has ended, or only a person can move it on.")
        ] = False,
        transcript: Annotated[
            bool, typer.Option("--transcript", help="Tell too everything that was said.")
        ] = False,
        as_json: AsJson = False,
    ) -> int:
        """Show what a run has to show: its result, or what there is instead.

        Also of a run that is still open, parked, cancelled or was cut from outside. The result goes to stdout, all else to
        stderr. Exit code 0: the run is completed.
        """
        from holdfast.cli.looking import describe, look
        from holdfast.errors import RunNotCompleted

        client = await server.client()
        await describe(client, run)
        if wait:
            with contextlib.suppress(RunNotCompleted):
                await client.run(run).result(parked="raise")
        seen = await look(client, run, with_transcript=transcript)
        outcome, status = seen.outcome, seen.status
        said = seen.transcript if transcript else None
        if as_json:
            source = "history" if seen.offline else "worker"
            document: dict[str, object] = {
                "outcome": {**outcome.model_dump(mode="json"), "status": status},
                "source": source,
            }
            if said is not None:
                document["transcript"] = [message.model_dump(mode="json") for message in said]
            print(json.dumps(document, indent=2))
        else:
            from holdfast.cli.rendering.run_page import print_value
            from holdfast.cli.rendering.screen import err, out, unwrapped
            from holdfast.cli.rendering.transcript import print_transcript
            from holdfast.cli.rendering.under_way import print_so_far

            print_so_far(err(), outcome, status=status)
            if said is not None:
                print_transcript(err(), said)
            if (command := _NEXT.get(status)) is not None:
                unwrapped(err(), (command.format(run=shlex.quote(run)) + server.flags, "cyan"))
            if outcome.output is not None:
                print_value(out(), outcome.output, indent=0)
        return OK if status == "completed" else NOT_COMPLETED
