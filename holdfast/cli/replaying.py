"""`holdfast replay` and `record`: does today's code still make the decisions that a run's history records?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.command import AsJson, RunId, Server, command, silence_core
from holdfast.cli.ending import NOT_COMPLETED, OK
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from temporalio.client import WorkflowHistory

    from workers.replay import ReplayReport

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

        Its history is replayed, of a long run that of every execution; nothing is executed again. Says where today's
        code decides otherwise, and why. Exits with 0 if it agrees, else with 1.
        """
        from workers.replay import replay as replay_it

        silence_core()
        found, complete = ([_read(Path(what))], True) if _is_file(what) else await _fetch(server, what)
        reports = [await replay_it(history, strict=False) for history in found]  # as a worker does
        if as_json:
            print(json.dumps(_as_document(reports, complete=complete), indent=2))
        else:
            _print_reports(reports, complete=complete)
        return OK if all(one.ok for one in reports) else NOT_COMPLETED


def _as_document(reports: Sequence[ReplayReport], *, complete: bool) -> dict[str, Any]:
    """What was found: on the whole, and of each execution. Event and reason are those of the first that differs."""
    executions: list[dict[str, Any]] = [
        {
            "ok": one.ok, "events": one.events, "event_id": one.event_id, "reason": one.reason,
            "changed": [str(each) for each in one.changed],
        }
        for one in reports
    ]  # fmt: skip
    at = next((number for number, one in enumerate(reports) if not one.ok), None)
    shown = executions[at if at is not None else -1]
    return {
        "ok": at is None,
        "events": sum(one.events for one in reports),
        "execution": None if at is None else at + 1,
        "event_id": shown["event_id"],
        "reason": shown["reason"],
        "changed": [each for one in executions for each in one["changed"]],
        "complete": complete,
        "executions": executions,
    }


def _print_reports(reports: Sequence[ReplayReport], *, complete: bool) -> None:
    from dataclasses import replace

    from holdfast.cli.rendering.screen import line, out

    for number, one in enumerate(reports, start=1):
        name = f"execution {number} of {len(reports)}: " if len(reports) > 1 else ""
        line(out(), name, (str(replace(one, changed=())), "green" if one.ok else "red"))
        for each in one.changed:
            line(out(), (str(each), "yellow"), indent=2)
    if not complete:
        line(out(), ("The server keeps no older executions of this run: they were not replayed.", "yellow"))


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
        """Store a run's history for a test that replays it; of a long run, one file for each execution.

        Folders, hosts and processes are taken out; what the run said and did stays in, so look at it before you
        publish it.
        """
        from holdfast.testing.replay import without_traces

        histories, complete = await _fetch(server, run)
        files = _one_for_each(file, len(histories))
        if taken := [str(one) for one in files if one.exists() and not force]:
            raise UsageError(f"{', '.join(taken)} exists already: choose another file, or give --force.")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            for one, history in zip(files, histories, strict=True):
                one.write_text(without_traces(history) + "\n", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{error.filename or file} cannot be written: {error.strerror}.") from None
        if as_json:
            stored = [
                {"file": str(one), "events": len(history.events)}
                for one, history in zip(files, histories, strict=True)
            ]
            print(json.dumps({"run": run, "files": stored, "complete": complete}))
            return
        _print_recorded(files, histories, complete=complete)


def _print_recorded(files: Sequence[Path], histories: Sequence[WorkflowHistory], *, complete: bool) -> None:
    from holdfast.cli.rendering.screen import line, out, unwrapped

    for one, history in zip(files, histories, strict=True):
        line(out(), f"{len(history.events)} events stored in ", (str(one), "bold"))
    if not complete:
        line(out(), ("The server keeps no older executions of this run: they are not stored.", "yellow"))
    line(out(), ("In a test:", "dim"))
    for one in files:
        unwrapped(out(), (f"await assert_replays(Path({json.dumps(str(one))}))", "cyan"))


def _one_for_each(file: Path, executions: int) -> list[Path]:
    """One file for each execution: `refund.json`, or `refund-1.json`, `refund-2.json` where there are several."""
    if executions == 1:
        return [file]
    return [file.with_name(f"{file.stem}-{number}{file.suffix}") for number in range(1, executions + 1)]


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


async def _fetch(server: Server, run: str) -> tuple[list[WorkflowHistory], bool]:
    """The histories of its executions, oldest first, and whether the server still has all of them."""
    from holdfast.cli.looking import describe
    from holdfast.testing.replay import histories_of

    client = await server.client()
    await describe(client, run)
    return await histories_of(client.temporal, run)
