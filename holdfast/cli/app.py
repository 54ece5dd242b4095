"""The command line as a whole: its groups of commands in the order in which a person meets them."""

from __future__ import annotations

from typing import Annotated

import typer

from holdfast.cli import (
    budgets,
    decisions,
    doctor,
    going_back,
    outages,
    parked,
    raising,
    replaying,
    results,
    runs,
    serving,
    showing,
    stack,
    steering,
    undoing,
)
from holdfast.cli.ending import EXIT_CODES, tell

_EXAMPLES = """\
[bold]From nothing to a report[/bold]
  holdfast dev                              in a terminal of its own
  holdfast worker my_agents                 serves the agents of my_agents.py
  holdfast start my-agent "do it" --follow  shows what happens
  holdfast inbox                            what runs ask of people"""

_MISTAKE: type[Exception] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)
"""What typer raises for a command line that it cannot read; it has no public name for it."""


def build_app() -> typer.Typer:
    """The typer application."""
    app = typer.Typer(
        name="holdfast",
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=f"\n{_EXAMPLES}\n\n{EXIT_CODES}",
    )

    @app.callback()
    def holdfast(
        version: Annotated[
            bool,
            typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version),
        ] = False,
    ) -> None:
        """AI agents that survive production: every run is one Temporal workflow."""

    for group in (
        stack,
        serving,
        runs,
        steering,
        raising,
        undoing,
        going_back,
        showing,
        results,
        decisions,
        parked,
        replaying,
        outages,
        budgets,
        doctor,
    ):
        group.add_to(app)
    return app


def run_command_line(arguments: list[str]) -> int:
    """Runs one command; returns its exit code."""
    try:
        return build_app()(arguments, prog_name="holdfast", standalone_mode=False) or 0
    except _MISTAKE as mistake:
        if type(mistake).__name__ == "NoArgsIsHelpError":  # the help is its message, and has been shown
            return 0
        return tell(mistake, as_json="--json" in arguments)
    except (KeyboardInterrupt, typer.Abort):
        return 130


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"holdfast {version('holdfast')}")
        raise typer.Exit
