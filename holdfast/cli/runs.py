"""`holdfast start`, `holdfast runs` and `holdfast cancel`."""

from __future__ import annotations

import asyncio
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from holdfast.cli.command import AsJson, RunId, Server, command
from holdfast.cli.steering import By, Reason
from holdfast.errors import NoWorkerAnswers, UsageError

if TYPE_CHECKING:
    from holdfast.client import Client

_PANEL = "Runs"

_START_EXAMPLES = """\
  holdfast start cloud-costs "Cut our spend in eu-west-1" --follow
  holdfast start cloud-costs "Cut our spend" --id ticket-88 --user ana
  holdfast start cloud-costs "Cut our spend" --dry-run --json
  holdfast start cloud-costs "Explain these bills" --attach bills.csv --attach notes.md

With --id it is safe to start twice: the same again is the same run.
Any language can start one:
  temporal workflow start --type AgentRun --task-queue holdfast \\
    --input '{"agent": "cloud-costs", "task": "Cut our spend"}'"""

_RUNS_EXAMPLES = """\
  holdfast runs                        what goes on, and what went on last
  holdfast runs --status parked        those that only a person can move on
  holdfast runs --agent cloud-costs --user ana --json"""

_CANCEL_EXAMPLES = """\
  holdfast cancel ticket-88
  holdfast cancel ticket-88 --reason "wrong account\""""

_BEGINS_WITHIN = 3.0


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""

    @command(app, "start", panel=_PANEL, examples=_START_EXAMPLES)
    async def start(
        *,
        server: Server,
        agent: Annotated[str, typer.Argument(metavar="AGENT", help="The agent's name.", show_default=False)],
        task: Annotated[str, typer.Argument(metavar="TASK", help="What it is to do.", show_default=False)],
        id: Annotated[  # noqa: A002  # the option's name
            str | None,
            typer.Option(
                "--id", metavar="ID", help="The run's id, if one is not to be made up.", show_default=False
            ),
        ] = None,
        user: Annotated[
            str | None,
            typer.Option(metavar="NAME", help="For whom it runs; they cannot approve its actions."),
        ] = None,
        dry_run: Annotated[
            bool | None,
            typer.Option(
                "--dry-run/--apply",
                help="Simulate every write, or make them as the agent's autonomy allows; else as the agent says.",
                show_default=False,
            ),
        ] = None,
        attach: Annotated[
            list[Path] | None,
            typer.Option(
                "--attach",
                metavar="FILE",
                help="A file that the task speaks of; may be given several times. Of a large one the agent reads pages.",
                show_default=False,
            ),
        ] = None,
        follow: Annotated[
            bool, typer.Option("--follow", "-f", help="Show what happens until it ends.")
        ] = False,
        as_json: AsJson = False,
    ) -> int | None:
        """Start a run of an agent.

        The run waits safely if no worker serves the agent yet. With --json --follow every line is one JSON
        object: the run, its events, and last its outcome.
        """
        client = await server.client()
        run = (
            await client.start(agent, task, id=id, user=user, dry_run=dry_run, attachments=attach or ())
        ).id
        served = await _begins(client, run)
        _print_started(server, run, agent, served=served, following=follow, as_json=as_json)
        if not follow:
            return None
        from holdfast.cli.following import follow as follow_it

        return await follow_it(server, client, run, as_json=as_json)

    @command(app, "runs", panel=_PANEL, examples=_RUNS_EXAMPLES)
    async def runs(
        *,
        server: Server,
        agent: Annotated[str | None, typer.Option(metavar="NAME", help="Runs of this agent only.")] = None,
        status: Annotated[
            str | None,
            typer.Option(
                metavar="STATUS",
                help="running, waiting, parked, completed, partial, failed or cancelled runs only.",
            ),
        ] = None,
        user: Annotated[str | None, typer.Option(metavar="NAME", help="Runs for this user only.")] = None,
        limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 50,
        as_json: AsJson = False,
    ) -> None:
        """List runs: open ones first, then the last that ended.

        The server's index lags by about a second.
        """
        client = await server.client()
        _check_status(status)
        found = await client.runs(agent=agent, status=status, user=user, limit=limit)
        if as_json:
            print(json.dumps([run.model_dump(mode="json") for run in found], indent=2))
            return
        from holdfast.cli.rendering.screen import err, line, out
        from holdfast.cli.rendering.tables import print_runs

        if not found:
            wanted = any(value is not None for value in (agent, status, user))
            line(
                err(), "No runs match." if wanted else "No runs yet. `holdfast start AGENT TASK` starts one."
            )
            return
        print_runs(out(), found)
        if len(found) == limit:
            line(err(), (f"The first {limit}; --limit shows more.", "dim"))

    @command(app, "cancel", panel=_PANEL, examples=_CANCEL_EXAMPLES)
    async def cancel(
        *, server: Server, run: RunId, by: By, reason: Reason = "", as_json: AsJson = False
    ) -> None:
        """End a run; what it has done stays done.

        The answer lists that. A call under way is told to stop. A run whose worker is away ends when one is back.
        """
        await _cancel(server, run, by=by, reason=reason, as_json=as_json)


async def _begins(client: Client, run: str) -> bool:
    """Whether a worker has taken up the run; False when none is there.

    Waits no longer than that takes. Raises AgentNotServed: the workers there know no such agent.
    """
    from holdfast.cli.looking import describe
    from holdfast.cli.workers_seen import is_served

    execution = await describe(client, run)
    if execution.close_time is not None:
        await client.run(run).outcome()
        return True
    if not await is_served(client.temporal, execution.task_queue):
        return False
    try:
        async with asyncio.timeout(_BEGINS_WITHIN):
            while True:
                try:
                    await client.run(run).requests()
                    return True
                except NoWorkerAnswers:
                    if (await describe(client, run)).close_time is not None:
                        await client.run(run).outcome()  # raises what was wrong
                        return True
                await asyncio.sleep(0.05)
    except TimeoutError:
        return False


def _print_started(
    server: Server, run: str, agent: str, *, served: bool, following: bool, as_json: bool
) -> None:
    ui_url, follow = server.ui_url(run), f"holdfast show {shlex.quote(run)} --follow{server.flags}"
    if as_json:
        started = {
            "run": run, "agent": agent, "task_queue": server.task_queue, "served": served, "ui_url": ui_url,
            "follow": follow,
        }  # fmt: skip
        print(json.dumps(started, indent=None if following else 2), flush=True)
        return
    from holdfast.cli.rendering.screen import line, out, unwrapped

    console = out()
    unwrapped(console, ("started  ", "dim"), (run, "bold"))
    if ui_url:
        unwrapped(console, ("ui       ", "dim"), ui_url)
    if not following:
        unwrapped(console, ("follow   ", "dim"), (follow, "cyan"))
    if not served:
        line(
            console,
            (f"No worker answers on task queue {server.task_queue!r}: the run waits for one. ", "yellow"),
            ("holdfast worker package.module starts one.", "yellow"),
        )


def _check_status(status: str | None) -> None:
    known = ("running", "waiting", "paused", "parked", "completed", "partial", "failed", "cancelled")
    if status is not None and status not in known:
        raise UsageError(f"There is no status {status!r}. A run is one of: {', '.join(known)}.")


async def _cancel(server: Server, run: str, *, by: str, reason: str, as_json: bool) -> None:
    from holdfast.cli.looking import describe, look
    from holdfast.cli.workers_seen import is_served

    client = await server.client()
    execution = await describe(client, run)
    if execution.close_time is not None:
        raise UsageError(
            f"Run {run} has ended already, and was not changed. `holdfast show {run}` shows how it ended."
        )
    await client.run(run).cancel(by=by, reason=reason)
    ended = False
    if await is_served(client.temporal, execution.task_queue):
        for _ in range(50):
            ended = (await describe(client, run)).close_time is not None
            if ended:
                break
            await asyncio.sleep(0.1)
    from holdfast.cli.rendering.run_page import print_end
    from holdfast.cli.rendering.screen import line, out, unwrapped

    seen = await look(client, run) if ended else None
    if as_json:
        effects = [one.model_dump(mode="json") for one in seen.view.effects] if seen else None
        status = seen.status if seen else "cancelling"
        print(json.dumps({"run": run, "ended": ended, "status": status, "effects": effects}, indent=2))
    elif seen is not None:
        print_end(out(), seen.view, status=seen.status)
    else:
        line(out(), f"Run {run} is asked to end; it does when a worker is free to tell it. Watch it:")
        unwrapped(out(), "  ", (f"holdfast show {shlex.quote(run)} --follow{server.flags}", "cyan"))
