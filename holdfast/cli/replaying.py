"""`holdfast replay` and `record`: does today's code still make the decisions that a run's history records?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.command import AsJson, RunId, Server, command, silence_core
from holdfast.cli.ending import NOT_COMPLETED, OK
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from temporalio.client import WorkflowHistory

_EXAMPLES = """\
  holdfast replay ticket-88       a run of this server, open or ended
  holdfast replay history.json    a file from the UI's download, or from
  temporal workflow show -w ticket-88 -o json > history.json

Before you deploy another version of Holdfast: a run that does not
replay cannot go on with it."""


_RECORD = """\
  holdfast record ticket-88 tests/histories/refund.json"""


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    _add_record(app)

    @command(app, "replay", panel="Runs", examples=_EXAMPLES, queue=False)
    async def replay(
        *,
        server: Server,
        what: Annotated[
            str,
            typer.Argument(metavar="RUN|FILE.json", help="A run's id, or its history.", show_default=False),
        ],
        as_json: AsJson = False,
    ) -> int:
        """Check that a run could go on with this version of Holdfast.

        Its history is replayed; nothing is executed again. Says whether the run could go on with it, and exits with 0 if so, else with 1.
        """
        from dataclasses import replace

        from workers.replay import replay as replay_it

        silence_core()
        history = _read(Path(what)) if _is_file(what) else await _fetch(server, what)
        report = await replay_it(history)
        changed = [str(one) for one in report.changed]
        if as_json:
            document = {
                "ok": report.ok, "events": report.events, "event_id": report.event_id, "reason": report.reason,
                "changed": changed,
            }  # fmt: skip
            print(json.dumps(document, indent=2))
        else:
            from holdfast.cli.rendering.screen import line, out

            verdict = str(replace(report, changed=()))
            line(out(), (verdict, "green" if report.ok else "red"))
            for one in changed:
                line(out(), (one, "yellow"), indent=2)
        return OK if report.ok else NOT_COMPLETED


def _add_record(app: typer.Typer) -> None:
    @command(app, "record", panel="Runs", examples=_RECORD, queue=False)
    async def record(
        *,
        server: Server,
        run: RunId,
        file: Annotated[
            Path, typer.Argument(metavar="FILE.json", help="Where to store it.", show_default=False)
        ],
        force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
        as_json: AsJson = False,
    ) -> None:
        """Store a run's history for a test that replays it.

        Folders, hosts and processes are taken out; what the run said and did stays in, so look at it before you
        publish it.
        """
        from holdfast.testing.replay import without_traces

        if file.exists() and not force:
            raise UsageError(f"{file} exists already: choose another file, or give --force.")
        history = await _fetch(server, run)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(without_traces(history) + "\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{file} cannot be written: {error.strerror}.") from None
        if as_json:
            print(json.dumps({"run": run, "file": str(file), "events": len(history.events)}))
            return
        from holdfast.cli.rendering.screen import line, out, unwrapped

        line(out(), f"{len(history.events)} events stored in ", (str(file), "bold"))
        unwrapped(out(), ("await assert_replays(Path(" + json.dumps(str(file)) + "))", "cyan"))


def _is_file(what: str) -> bool:
    return what.endswith(".json") or Path(what).is_file()


def _read(path: Path) -> WorkflowHistory:
    from temporalio.client import WorkflowHistory

    try:
        found = WorkflowHistory.from_json(path.stem, path.read_text(encoding="utf-8"))
        started = found.events[0].workflow_execution_started_event_attributes if found.events else None
        return WorkflowHistory(started.workflow_id if started else path.stem, found.events)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except Exception as error:  # noqa: BLE001  # a file can hold anything
        raise UsageError(
            f"{path} is not the history of a workflow ({str(error).splitlines()[0]}). "
            "`temporal workflow show -w RUN -o json` writes one."
        ) from None


async def _fetch(server: Server, run: str) -> WorkflowHistory:
    from holdfast.cli.looking import describe

    client = await server.client()
    await describe(client, run)
    return await client.temporal.get_workflow_handle(run).fetch_history()
