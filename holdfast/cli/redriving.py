"""Moving parked runs on, one or many: which, what may be repeated, and what became of each."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from temporalio.service import RPCError

from holdfast.cli.ending import NOBODY_ANSWERS, NOT_COMPLETED
from holdfast.contracts.parked import Redrive
from holdfast.errors import HoldfastError, NoWorkerAnswers, UsageError
from policies import redriving

if TYPE_CHECKING:
    from holdfast.client import Client

AT_ONCE = 10
AT_MOST = 10_000


@dataclass(frozen=True)
class Chosen:
    """Which runs are meant, as the command line says it."""

    runs: tuple[str, ...]
    group: str | None
    agent: str | None
    every: bool


@dataclass(frozen=True)
class Move:
    """What is done with them, by whom and why."""

    kind: Literal["redrive", "discard"]
    by: str
    reason: str
    from_step: int | None
    latest: bool

    @property
    def verb(self) -> str:
        """`Redrive` or `Discard`."""
        return self.kind.capitalize()

    def check(self) -> None:
        """Raises UsageError for what cannot be meant."""
        if not self.by.strip():
            raise UsageError("Say who decides by --by NAME, or set HOLDFAST_USER.")
        if self.kind == "discard" and not self.reason.strip():
            raise UsageError("Say why by --reason: it is what the run's outcome tells.")
        if self.kind == "discard" and (self.from_step is not None or self.latest):
            raise UsageError("A run that is discarded does not go on: leave out --from-step and --latest.")


async def choose(client: Client, chosen: Chosen) -> list[str]:
    """The parked runs that are meant. Raises UsageError when nothing, or too much, was said."""
    bulk = chosen.group is not None or chosen.agent is not None or chosen.every
    if bool(chosen.runs) == bulk:
        raise UsageError("Say which: run ids; or --group FINGERPRINT, --agent NAME, both of them, or --all.")
    if chosen.runs:
        return list(dict.fromkeys(chosen.runs))
    found = await client.parked(agent=chosen.agent, fingerprint=chosen.group, limit=AT_MOST)
    return [one.run for one in found]


async def dry_run(client: Client, runs: list[str], move: Move, *, as_json: bool) -> int | None:
    """Say what a move would do to each run, and change nothing."""
    from holdfast.cli.rendering.parked import print_rehearsal

    gate = asyncio.Semaphore(AT_ONCE)
    rows = await asyncio.gather(*(_rehearsed(client, run, move, gate) for run in runs))
    if as_json:
        print(json.dumps([row.as_data() for row in rows], indent=2))
    else:
        from holdfast.cli.rendering.screen import out

        print_rehearsal(out(), rows, move.kind)
    return NOT_COMPLETED if any(row.problem for row in rows) else None


@dataclass(frozen=True)
class Rehearsed:
    """What a move would do to one run."""

    run: str
    writes: list[redriving.RepeatedWrite]
    step: int = 0
    problem: str = ""

    def as_data(self) -> dict[str, object]:
        """For --json."""
        writes = [one.model_dump(mode="json") for one in self.writes]
        return {"run": self.run, "steps": self.step, "may_repeat": writes, "problem": self.problem or None}


async def _rehearsed(client: Client, run: str, move: Move, gate: asyncio.Semaphore) -> Rehearsed:
    from holdfast.cli.looking import look

    async with gate:
        try:
            seen = await look(client, run)
        except (HoldfastError, RPCError) as error:
            return Rehearsed(run, [], problem=str(error))
    steps = seen.view.total_steps
    if seen.status != "parked":
        return Rehearsed(run, [], steps, f"it is not parked but {seen.status}")
    if (why := redriving.problem(Redrive(from_step=move.from_step), steps)) is not None:
        return Rehearsed(run, [], steps, why)
    return Rehearsed(run, redriving.writes_since(run, seen.view.steps, move.from_step), steps)


async def move_all(client: Client, runs: list[str], move: Move, *, as_json: bool) -> int | None:
    """Move every run on; show how far it is, the failures, and a count. Returns the exit code."""
    from rich.progress import Progress

    from holdfast.cli.rendering.screen import err, line, out

    problems: dict[str, Exception] = {}
    gate = asyncio.Semaphore(AT_ONCE)
    console = err()
    with Progress(console=console, transient=True, disable=as_json or not console.is_terminal) as progress:
        bar = progress.add_task(move.kind, total=len(runs))

        async def one(run: str) -> None:
            async with gate:
                try:
                    await _moved(client, run, move)
                except (HoldfastError, RPCError) as error:
                    problems[run] = error
            progress.advance(bar)

        await asyncio.gather(*map(one, runs))
    done = [run for run in runs if run not in problems]
    if as_json:
        failed = {run: str(error) for run, error in problems.items()}
        print(json.dumps({"action": move.kind, "by": move.by, "done": done, "failed": failed}, indent=2))
    else:
        for run, error in problems.items():
            line(console, (f"{run}: ", "bold"), (str(error), "red"))
        ended = f", {len(problems)} not" if problems else ""
        past = "redriven" if move.kind == "redrive" else "discarded"
        line(out(), (f"{len(done)} {past} by {move.by}{ended}", "bold yellow" if problems else "bold green"))
    if not problems:
        return None
    nobody = not done and all(isinstance(error, NoWorkerAnswers) for error in problems.values())
    return NOBODY_ANSWERS if nobody else NOT_COMPLETED


async def _moved(client: Client, run: str, move: Move) -> None:
    handle = client.run(run)
    if move.kind == "discard":
        await handle.discard(by=move.by, reason=move.reason)
        return
    agent: Literal["latest"] | None = "latest" if move.latest else None
    await handle.redrive(by=move.by, note=move.reason, from_step=move.from_step, agent=agent)
