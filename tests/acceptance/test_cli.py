"""The command line as a whole: its help, its exit codes, and what it says of mistakes when there is no server."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.acceptance.command_line import CommandLine
from tests.acceptance.python_process import REPOSITORY

COMMANDS = [
    "demo", "dev", "worker", "start", "runs", "show", "inbox", "approve", "reject", "answer", "cancel", "undo", "replay",
    "send", "pause", "resume", "breakers", "fork", "rewind", "diff", "record",
]  # fmt: skip


def test_help_names_every_command_and_what_exit_codes_mean(nowhere: CommandLine) -> None:
    """`holdfast --help` lists all commands, shows the way from nothing to a report, and explains exit codes."""
    shown = nowhere("--help")
    assert shown.code == 0
    for name in COMMANDS:
        assert f" {name} " in shown.out
    assert "holdfast worker my_agents" in shown.out
    assert "Exit codes" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80


def test_help_loads_neither_the_engine_nor_a_provider() -> None:
    """Help is quick, because no command's work is imported to show it."""
    code = f"""
import sys
from holdfast.cli.app import run_command_line
for name in {COMMANDS}:
    assert run_command_line([name, '--help']) == 0
heavy = ('temporalio', 'anthropic', 'workflows', 'activities', 'workers', 'holdfast.client')
sys.exit(', '.join(name for name in heavy if name in sys.modules) or 0)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("Examples") == len(COMMANDS) - 1  # the demo takes nothing to show
    assert done.stdout.count("--address") >= len(COMMANDS) - 1


def test_without_arguments_it_shows_the_help(nowhere: CommandLine) -> None:
    """`holdfast` alone is `holdfast --help`."""
    assert nowhere().out.split() == nowhere("--help").out.split()


def test_version(nowhere: CommandLine) -> None:
    """`--version` prints name and version."""
    assert nowhere("--version").out.startswith("holdfast 0.")


@pytest.mark.parametrize(
    "command, says",
    [
        (["frobnicate"], "No such command 'frobnicate'"),
        (["show"], "Missing argument 'RUN'. `holdfast show --help` says what is valid."),
        (["show", "r", "--colour"], "No such option: --colour"),
        (["runs", "--limit", "0"], "Invalid value for '--limit'"),
        (["runs", "--limit", "many"], "Invalid value for '--limit'"),
        (["approve", "r", "--arguments", "{x"], "--arguments is not valid JSON"),
        (["approve", "r", "--arguments", "[1]"], "--arguments takes a JSON object"),
        (["answer", "r", "happened", "--result", "{"], "--result is not valid JSON"),
        (["answer", "r", "two", "words", "too many"], "Put the answer in quotes"),
        (["reject", "r", "--by", "dana"], "Say why by --reason"),
        (["approve", "r"], "Say who decides by --by NAME, or set HOLDFAST_USER"),
        (["worker", "no.such.module"], "There is no module 'no.such.module'"),
        (["worker", "json"], "Module json defines no agent"),
        (["worker", "broken"], "Module broken cannot be imported. NameError: name 'oops' is not defined"),
        (["replay", "absent.json"], "absent.json cannot be read"),
        (["replay", "broken.json"], "broken.json is not the history of a workflow"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(nowhere: CommandLine, command: list[str], says: str) -> None:
    """What is wrong with a command is said in one red line that helps, never by a stack trace, with code 2."""
    (nowhere.folder / "broken.py").write_text("oops")
    (nowhere.folder / "broken.json").write_text('{"events": 7}')
    done = nowhere(*command)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert says in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "command", [["runs"], ["start", "a", "b"], ["show", "r"], ["inbox"], ["cancel", "r"]]
)
def test_without_a_server_it_says_where_it_looked(nowhere: CommandLine, command: list[str]) -> None:
    """No server: the address that was tried, who named it, and what to do; exit code 3."""
    done = nowhere(*command)
    assert (done.code, done.out) == (3, "")
    assert "No Temporal server can be used at 127.0.0.1:1 (TEMPORAL_ADDRESS)" in done.err
    assert "holdfast dev" in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize(
    "command, kind, code",
    [
        (["runs", "--json"], "ConnectionFailed", 3),
        (["approve", "r", "--by", "x", "--arguments", "{", "--json"], "UsageError", 2),
        (["show", "--json"], "MissingParameter", 2),
    ],
)
def test_with_json_an_error_is_json_too(
    nowhere: CommandLine, command: list[str], kind: str, code: int
) -> None:
    """With --json stdout stays empty, and stderr holds one JSON object with the message and its kind."""
    done = nowhere(*command)
    assert (done.code, done.out) == (code, "")
    error = json.loads(done.err)
    assert error["kind"] == kind
    assert error["exit_code"] == code
    assert error["error"]


def test_a_profile_that_is_not_there_is_named(nowhere: CommandLine) -> None:
    """A wrong --profile says which file was read and which command lists the profiles."""
    done = nowhere("runs", "--profile", "nope")
    assert done.code == 3
    assert "Profile 'nope' not found" in done.err
    assert "temporal config list" in done.err


def test_without_a_checkout_the_demo_says_where_it_lives() -> None:
    """The demo is part of the repository: an installed package says so instead of failing to import it."""
    code = """
import pathlib, sys
from holdfast.cli import stack
from holdfast.cli.app import run_command_line
stack._CHECKOUT = pathlib.Path('/nowhere')
sys.exit(run_command_line(['demo']))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "The demo lives in Holdfast's repository" in done.stderr
