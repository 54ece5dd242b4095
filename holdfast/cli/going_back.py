"""`holdfast fork`, `rewind` and `diff`: go on from an earlier step, in a new run or in place; see where two part."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from holdfast.cli.command import AsJson, RunId, Server, by_option, command, confirm
from holdfast.errors import UsageError

if TYPE_CHECKING:
    from holdfast.contracts.forks import MadeCall
    from holdfast.contracts.requests import DecisionInput
    from holdfast.contracts.run import RunView

_FORK = """\
  holdfast fork ticket-88 --at 3 --instructions 'Be careful.'
  holdfast fork ticket-88 --at 3 --answer 3.1='{"state": "running"}'
  holdfast fork ticket-88 --at 3 --decide 3-limit-ab12cd34=raise
  holdfast fork ticket-88 --message 'And now tell Ana.' --writes ask"""

_REWIND = """\
  holdfast rewind ticket-88 --to 3 --reason 'it went astray'
  holdfast undo ticket-88 --to 3       first, where its effects shall go too
  holdfast undo ticket-88 --forgotten  or then, once it has ended again"""

_DIFF = """\
  holdfast diff ticket-88 ticket-88-fork-1a2b3c4d"""

Row = tuple[int, str | None, str | None]
"""A step's number, and what each of two runs did in it."""

By = Annotated[
    str,
    by_option("Who asks"),
]


def add_to(app: typer.Typer) -> None:
    """Registers the commands."""
    _add_fork(app)
    _add_rewind(app)
    _add_diff(app)


def _add_fork(app: typer.Typer) -> None:
    @command(app, "fork", panel="Runs", examples=_FORK)
    async def fork(
        *,
        server: Server,
        run: RunId,
        at: Annotated[
            int | None,
            typer.Option(
                "--at", metavar="STEP", min=0, help="Go on after this step; the last one by default."
            ),
        ] = None,
        instructions: Annotated[
            str | None, typer.Option(metavar="TEXT", help="Go on with these instructions.")
        ] = None,
        model: Annotated[str | None, typer.Option(metavar="NAME", help="Go on with this model.")] = None,
        message: Annotated[
            str | None, typer.Option(metavar="TEXT", help="Tell the agent this before its next plan.")
        ] = None,
        answers: Annotated[
            list[str] | None,
            typer.Option(
                "--answer", metavar="CALL=JSON", help="The result that a call of this step shall have had."
            ),
        ] = None,
        approve: Annotated[
            list[str] | None,
            typer.Option("--approve", metavar="REQUEST", help="A request of this step shall be approved."),
        ] = None,
        reject: Annotated[
            list[str] | None,
            typer.Option("--reject", metavar="REQUEST", help="A request of this step shall be rejected."),
        ] = None,
        decide: Annotated[
            list[str] | None,
            typer.Option(
                "--decide",
                metavar="REQUEST=ANSWER",
                help="A request of this step shall be answered so: a word, a text, or JSON with answer and result.",
            ),
        ] = None,
        writes: Annotated[
            str, typer.Option(metavar="HOW", help="simulate every write, ask about each, or run them.")
        ] = "simulate",
        name: Annotated[str | None, typer.Option("--id", metavar="ID", help="The new run's id.")] = None,
        by: By,
        as_json: AsJson = False,
    ) -> None:
        """Start a new run that goes on from a step of another, which stays as it is.

        What was planned and done up to there is taken over, and not paid for again. Writes are simulated unless
        --writes says otherwise; what the other run wrote later is asked about before it is done again.
        """
        from holdfast.contracts.requests import DecisionInput

        if writes not in ("simulate", "ask", "run"):
            raise UsageError(f"--writes must be simulate, ask or run, not {writes!r}.")
        decisions = {one: DecisionInput(by=by, choice="approve") for one in approve or ()}
        decisions |= {one: DecisionInput(by=by, choice="reject") for one in reject or ()}
        decisions |= _decisions(decide or [], by)
        client = await server.client()
        made = await client.run(run).fork(
            at=at, instructions=instructions, model=model, message=message, answers=_answers(answers or []),
            decisions=decisions, writes=writes, by=by, id=name,  # type: ignore[arg-type]  # checked above
        )  # fmt: skip
        if as_json:
            print(json.dumps({"run": made.id, "parent": run}))
            return
        from holdfast.cli.rendering.screen import line, out, unwrapped

        line(out(), "Run ", (made.id, "bold"), f" goes on from {run}, {_after(at)}; {_WRITES[writes]}.")
        unwrapped(out(), (f"holdfast show {made.id} --follow{server.flags}", "cyan"))


def _add_rewind(app: typer.Typer) -> None:
    @command(app, "rewind", panel="Runs", examples=_REWIND)
    async def rewind(
        *,
        server: Server,
        run: RunId,
        to: Annotated[
            int, typer.Option("--to", metavar="STEP", min=0, help="Forget what came after this step.")
        ],
        reason: Annotated[str, typer.Option(metavar="TEXT", help="Why; kept with the run.")] = "",
        yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
        by: By,
        as_json: AsJson = False,
    ) -> int | None:
        """Go back to an earlier step, in place, and plan from there anew.

        Says first what the run has done since then: that still stands, and is asked about before it is done
        again. Where it shall not stand, undo it first, or once the run has ended again. Messages and decisions of the
        time since are gone too.
        """
        client = await server.client()
        found = client.run(run)
        if not by.strip():
            raise UsageError("Say who asks by --by NAME, or set HOLDFAST_USER.")
        made = await found.rehearse_rewind(to=to)
        if not as_json:
            _print_made(made, run, f"holdfast undo {run} --to {to}{server.flags}", to)
        if not yes:
            if as_json or not sys.stdin.isatty():
                raise UsageError("Not rewound: nobody is there to be asked. Give --yes.")
            confirm(f"Rewind {run} to step {to}?")
        made = await found.rewind(to=to, by=by, reason=reason)
        if as_json:
            print(json.dumps({"run": run, "to": to, "made": [one.model_dump(mode="json") for one in made]}))
            return None
        from holdfast.cli.rendering.screen import line, out, unwrapped

        line(out(), "Rewound. ", (f"holdfast show {run} --follow{server.flags}", "cyan"))
        if any(one.reversible for one in made):
            line(out(), "Where what it did since shall not stand, once it has ended again:")
            unwrapped(out(), "  ", (f"holdfast undo {run} --forgotten{server.flags}", "cyan"))
        return None


def _add_diff(app: typer.Typer) -> None:
    @command(app, "diff", panel="Runs", examples=_DIFF)
    async def diff(
        *,
        server: Server,
        left: Annotated[str, typer.Argument(metavar="RUN_A", help="A run's id.", show_default=False)],
        right: Annotated[str, typer.Argument(metavar="RUN_B", help="Another's.", show_default=False)],
        as_json: AsJson = False,
    ) -> None:
        """Show two runs side by side, step by step, and where they part."""
        from holdfast.cli.looking import look

        client = await server.client()
        a, b = (await look(client, left)).view, (await look(client, right)).view
        count = max(len(a.steps), len(b.steps))
        rows: list[Row] = [(n + 1, _told(a, n), _told(b, n)) for n in range(count)]
        parted = next((n for n, one, other in rows if one != other), None)
        if as_json:
            steps = [{"step": n, "a": one, "b": other, "same": one == other} for n, one, other in rows]
            print(json.dumps({"a": left, "b": right, "part_at": parted, "steps": steps}, indent=2))
            return
        _print_diff(left, right, rows, parted, (a.status, b.status))


_WRITES = {
    "simulate": "its writes are simulated",
    "ask": "a person is asked about each of its writes",
    "run": "it writes as its agent may",
}


def _after(at: int | None) -> str:
    return "after its last step" if at is None else f"after step {at}" if at else "before its first plan"


def _decisions(given: list[str], by: str) -> dict[str, DecisionInput]:
    from pydantic import ValidationError

    from holdfast.contracts.requests import DecisionInput

    found: dict[str, DecisionInput] = {}
    for one in given:
        request, sign, text = one.partition("=")
        if not sign or not request or not text.strip():
            raise UsageError(f"--decide {one!r} must be REQUEST=ANSWER, such as 3-limit-ab12cd34=raise.")
        try:
            said = json.loads(text) if text.lstrip().startswith("{") else {"answer": text}
            found[request] = DecisionInput.model_validate({"by": by, "choice": "answer", **said})
        except (ValueError, ValidationError):
            raise UsageError(
                f"--decide {request}: {text!r} is no decision. Give its answer, or JSON such as "
                """'{"answer": "raise", "result": {"steps": "+5"}}'."""
            ) from None
    return found


def _answers(given: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in given:
        call, sign, text = one.partition("=")
        if not sign or not call:
            raise UsageError(f"--answer {one!r} must be CALL=JSON, such as 3.1='\"ok\"'.")
        try:
            found[call] = json.loads(text)
        except ValueError:
            raise UsageError(
                f"--answer {call}: {text!r} is no JSON; a text stands in double quotes."
            ) from None
    return found


def _print_made(made: list[MadeCall], run: str, undo: str, to: int) -> None:
    from holdfast.cli.rendering.screen import line, one_line, out, unwrapped

    if not made:
        line(out(), f"Since step {to} the run has changed nothing that still stands.")
        return
    line(out(), (f"Done since step {to}, and it will still stand:", "yellow"))
    for one in made:
        kind = "can be undone" if one.reversible else "cannot be undone"
        whose = "" if one.run == run else f" · by run {one.run}"
        shown = f"{one.tool} {one_line(one.shown)}"
        line(out(), shown, (f"  {kind}{whose}", "dim"), indent=7, label=(f"  {one.call}", "dim"))
    if any(one.reversible for one in made):
        line(out(), "Where it shall not stand, undo it before you rewind, if the run has ended:")
        unwrapped(out(), "  ", (undo, "cyan"))


def _told(view: RunView, number: int) -> str | None:
    """A step in a line: its calls with their outcome, or its words, or the end. None: there is no such step."""
    from holdfast.cli.rendering import words

    if number >= len(view.steps):
        return None
    step = view.steps[number]
    ends = view.outcome is not None and step is view.steps[-1]
    calls = [
        f"{words.call(call.tool, call.arguments)} {call.status}" + (" (dry run)" if call.dry_run else "")
        for call in step.calls
    ]
    return "; ".join(calls) or step.text or ("(it ends)" if ends else "(no words)")


def _print_diff(left: str, right: str, rows: list[Row], parted: int | None, ends: tuple[str, str]) -> None:
    from rich.table import Table

    from holdfast.cli.rendering.screen import line, one_line, out, text_of

    console = out()
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("step", "", left, right):
        table.add_column(title)
    for number, one, other in rows:
        mark = "=" if one == other else "≠"
        cells = [
            text_of((one_line(cell or "–", 200), "" if one == other else "yellow")) for cell in (one, other)
        ]
        table.add_row(text_of(str(number)), text_of((mark, "dim" if one == other else "bold yellow")), *cells)
    console.print(table)
    where = "They do not part." if parted is None else f"They part at step {parted}."
    line(console, (where, "bold"), f" {left} is {ends[0]}, {right} is {ends[1]}.")
