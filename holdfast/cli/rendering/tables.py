"""Runs in a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from holdfast.cli.rendering import words
from holdfast.cli.rendering.screen import text_of

if TYPE_CHECKING:
    from holdfast.client import RunSummary
    from holdfast.contracts.accounts import AccountView


_EVERY = ("run", "status", "waiting for", "agent", "user", "steps", "cost", "started", "took")
_PARKED = ("run", "group", "agent", "user", "steps", "cost", "started")


def print_runs(console: Console, runs: Sequence[RunSummary], *, parked: bool = False) -> None:
    """One line a run; what the width has no room for is left out from the right, never the run's id.

    Runs that are all `parked` have their group instead of what they have in common.
    """
    columns = list(_PARKED if parked else _EVERY)
    rows = [_cells(run) for run in runs]
    empty = {name for name in columns if not any(row[name].plain for row in rows)}
    columns = [name for name in columns if name not in empty]
    while len(columns) > 2 and _width(columns, rows) > console.width:
        # The least telling first; the id and the status always stay.
        for name in ("user", "cost", "steps", "took", "agent", "started", "waiting for"):
            if name in columns:
                columns.remove(name)
                break
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in columns:
        right = name in ("steps", "cost", "took")
        table.add_column(name, justify="right" if right else "left", overflow="fold", no_wrap=name != "run")
    for row in rows:
        table.add_row(*(row[name] for name in columns))
    console.print(table)


def print_accounts(console: Console, accounts: Sequence[AccountView]) -> None:
    """One line an account: its limit, and what became of it today."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in ("account", "a day", "spent", "presumed", "reserved", "waiting", "set by"):
        table.add_column(name, justify="left" if name in ("account", "set by") else "right", overflow="fold")
    for one in accounts:
        nearly = one.spent_usd + one.reserved_usd >= one.limit_usd * 4 / 5
        table.add_row(
            text_of(one.account),
            text_of(f"${one.limit_usd:.2f}"),
            text_of((f"${one.spent_usd:.4f}", "bold yellow" if nearly else "")),
            text_of(f"${one.presumed_usd:.4f}" if one.presumed_usd else ""),
            text_of(f"${one.reserved_usd:.4f}" if one.reserved_usd else ""),
            text_of(str(len(one.waiting)) if one.waiting else ""),
            text_of(one.set_by),
        )
    console.print(table)


def _cells(run: RunSummary) -> dict[str, Text]:
    took = words.duration(words.seconds_between(run.started_at, run.closed_at))
    return {
        "run": text_of(run.run),
        "status": text_of((run.status, words.status_style(run.status))),
        "group": text_of(run.fingerprint or ""),
        "waiting for": text_of((run.waiting_for or "").replace("_", " ").replace(":", " by ", 1)),
        "agent": text_of(run.agent or ""),
        "user": text_of(run.user or ""),
        "steps": text_of("" if run.steps is None else str(run.steps)),
        "cost": text_of(f"${run.cost_usd:.4f}" if run.cost_usd else ""),
        "started": text_of(words.day_and_clock(run.started_at)),
        "took": text_of(took),
    }


def _width(columns: Sequence[str], rows: Sequence[dict[str, Text]]) -> int:
    longest = (max(len(name), *(row[name].cell_len for row in rows)) for name in columns)
    return sum(longest) + 2 * (len(columns) - 1)
