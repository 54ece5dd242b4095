"""`holdfast doctor`: is everything well, what is not, and what helps."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.command import AsJson, Server, command
from holdfast.cli.ending import NOBODY_ANSWERS, NOT_COMPLETED
from holdfast.contracts.names import HEALTH_CHECK
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from holdfast.client import Client
    from holdfast.contracts.health import CheckStatus, Finding, HealthReport, HealthSettings

_EXAMPLES = """\
  holdfast doctor                          what is wrong, and the command that helps
  holdfast doctor --json | jq .queues      pollers, backlog and age for an autoscaler
  holdfast doctor --fix                    adds search attributes that are missing
  holdfast doctor --schedule 5m            have it looked at every 5 minutes
  holdfast doctor --unschedule

Exit code 0: nothing holds a run up (there may be warnings; with --strict
there are none). 1: something does. 3: no server, or no worker, answers."""

_STYLES: dict[CheckStatus, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "warning": ("warning", "yellow"),
    "problem": ("problem", "bold red"),
    "unknown": ("unknown", "magenta"),
}
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def add_to(app: typer.Typer) -> None:
    """Registers the command."""

    @command(app, "doctor", panel="Operate", examples=_EXAMPLES)
    async def doctor(
        *,
        server: Server,
        no_progress: Annotated[
            str,
            typer.Option(metavar="TIME", help="A run with no event for so long makes no progress."),
        ] = "15m",
        fix: Annotated[
            bool, typer.Option("--fix", help="Do what is safe: add search attributes that are missing.")
        ] = False,
        strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 for a warning too.")] = False,
        schedule: Annotated[
            str | None,
            typer.Option(
                metavar="TIME",
                help="Have the workers of the task queue make this check every so often, such as 5m.",
                show_default=False,
            ),
        ] = None,
        unschedule: Annotated[
            bool, typer.Option("--unschedule", help="Make an end of the scheduled check.")
        ] = False,
        as_json: AsJson = False,
    ) -> int | None:
        """Look at the server, task queues, runs, breakers, budgets and the artifact store.

        Every finding comes with what helps, and the exact command. Nothing is changed without --fix. It looks at
        every task queue of the namespace on which there are open runs, and at the one of --task-queue.
        """
        if unschedule and schedule is not None:
            raise UsageError("Say either --schedule TIME or --unschedule.")
        from holdfast.contracts.health import HealthSettings

        settings = HealthSettings(
            task_queue=server.task_queue, no_progress_seconds=_seconds(no_progress).total_seconds()
        )
        client = await server.client()
        if schedule is not None or unschedule:
            await _scheduled(client, settings, schedule, as_json=as_json)
            return None
        from activities.health import look
        from workers.dev_config import packaged_dev_config
        from workers.server_setup import ensure_search_attributes

        added = await ensure_search_attributes(client.temporal) if fix else []
        attributes = packaged_dev_config().search_attributes
        report = await look(client.temporal, settings, attributes, writing=False)
        if as_json:
            print(json.dumps({**report.model_dump(mode="json"), "fixed": added}, indent=2))
        else:
            _print(report, server.flags, added)
        return _exit_code(report, server.task_queue, strict=strict)


def _exit_code(report: HealthReport, task_queue: str, *, strict: bool) -> int:
    problems = [one for one in report.findings if strict or one.severity == "problem"]
    if any(one.kind == "no_worker" and one.subject == task_queue for one in problems):
        return NOBODY_ANSWERS
    return NOT_COMPLETED if problems else 0


def _seconds(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", text.strip())
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not 1 <= seconds <= 30 * 86400:
        raise UsageError(f"{text!r} is no length of time: say one from 1s to 30d, such as 90s, 5m or 1h.")
    return timedelta(seconds=seconds)


async def _scheduled(client: Client, settings: HealthSettings, every: str | None, *, as_json: bool) -> None:
    from workers.health_schedule import schedule_check, schedule_id, unschedule_check

    name = schedule_id(settings.task_queue)
    if every is None:
        done = "removed" if await unschedule_check(client.temporal, settings.task_queue) else "none"
        told = f"Removed the schedule {name}." if done == "removed" else "There was no scheduled check."
    else:
        done = "created" if await schedule_check(client.temporal, _seconds(every), settings) else "changed"
        told = (
            f"Schedule {name} is {done}: the workers of task queue {settings.task_queue} check every {every}.\n"
            f"What they find goes to their alert webhook, if they have one, to their log, to the metric\n"
            f"holdfast_findings and to the results of the checks:\n"
            f"  temporal workflow list --query \"WorkflowType = '{HEALTH_CHECK}'\""
        )
    print(json.dumps({"schedule": name, "done": done}) if as_json else told)


def _print(report: HealthReport, flags: str, added: list[str]) -> None:
    from rich.table import Table

    from holdfast.cli.rendering.screen import line, out, text_of, unwrapped

    console = out()
    for name in added:
        line(console, ("fixed ", "bold green"), f"search attribute {name} added")
    checks = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("check", "", "what was seen"):
        checks.add_column(title, overflow="fold")
    for one in report.checks:
        checks.add_row(text_of(one.name), text_of(_STYLES[one.status]), text_of(one.text))
    console.print(checks)
    if report.queues:
        console.print()
        console.print(_queues(report))
    for finding in report.findings:
        console.print()
        style = _STYLES[finding.severity]
        line(console, finding.text, label=(style[0], style[1]), indent=9)
        line(console, finding.helps, indent=9)
        if finding.command:
            unwrapped(console, " " * 9, (_command(finding, flags), "cyan"))
    if report.left_out:
        line(console, f"And {report.left_out} more.")


def _queues(report: HealthReport) -> object:
    from rich.table import Table

    from holdfast.cli.rendering.screen import text_of
    from holdfast.cli.rendering.words import duration

    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("task queue", "tasks", "workers", "backlog", "oldest", "open runs"):
        table.add_column(
            title, justify="left" if title in ("task queue", "tasks") else "right", overflow="fold"
        )
    for one in report.queues:
        table.add_row(
            text_of(one.name),
            text_of(one.kind),
            text_of((str(one.pollers), "" if one.pollers else "bold red")),
            text_of(str(one.backlog) if one.backlog else ""),
            text_of(duration(one.age_seconds) if one.backlog else ""),
            text_of(str(one.waiting) if one.waiting else ""),
        )
    return table


def _command(finding: Finding, flags: str) -> str:
    """The command with the server options that the doctor was given, where it is one of ours."""
    if not finding.command.startswith("holdfast "):
        return finding.command
    given = re.sub(r" --task-queue (\S+|'[^']*')", "", flags) if "--task-queue" in finding.command else flags
    return finding.command + given
