"""Moving parked runs on, one or many: which, what may be repeated, and what became of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from holdfast.cli.ending import NOBODY_ANSWERS, NOT_COMPLETED
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from holdfast.client import Client
    from holdfast.dead_letters import Moved

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

    def check(self, *, rehearse: bool) -> None:
        """Raises UsageError for what cannot be meant."""
        if not self.by.strip() and not rehearse:
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
    from holdfast.cli.rendering.screen import out

    rows = await client.rehearse(runs, from_step=move.from_step)
    if as_json:
        print(json.dumps([row.model_dump(mode="json") for row in rows], indent=2))
    else:
        print_rehearsal(out(), rows, move.kind)
    return NOT_COMPLETED if any(row.problem for row in rows) else None


async def move_all(client: Client, runs: list[str], move: Move, *, as_json: bool) -> int | None:
    """Move every run on; show how far it is, the failures, and a count. Returns the exit code."""
    from rich.progress import Progress

    from holdfast.cli.rendering.screen import err, line, out

    console = err()
    with Progress(console=console, transient=True, disable=as_json or not console.is_terminal) as progress:
        bar = progress.add_task(move.kind, total=len(runs))
        ended = await _moved(client, runs, move, lambda _: progress.advance(bar))
    done = [one.run for one in ended if one.problem is None]
    failed = [one for one in ended if one.problem is not None]
    if as_json:
        problems = {one.run: one.problem for one in failed}
        print(json.dumps({"action": move.kind, "by": move.by, "done": done, "failed": problems}, indent=2))
    else:
        for one in failed:
            line(console, (f"{one.run}: ", "bold"), (one.problem or "", "red"))
        rest = f", {len(failed)} not" if failed else ""
        past = "redriven" if move.kind == "redrive" else "discarded"
        line(out(), (f"{len(done)} {past} by {move.by}{rest}", "bold yellow" if failed else "bold green"))
    if not failed:
        return None
    return NOBODY_ANSWERS if not done and all(one.nobody_answers for one in failed) else NOT_COMPLETED


async def _moved(
    client: Client, runs: list[str], move: Move, progress: Callable[[Moved], None]
) -> list[Moved]:
    if move.kind == "discard":
        return await client.discard(runs, by=move.by, reason=move.reason, progress=progress)
    agent: Literal["latest"] | None = "latest" if move.latest else None
    return await client.redrive(
        runs, by=move.by, note=move.reason, from_step=move.from_step, agent=agent, progress=progress
    )
