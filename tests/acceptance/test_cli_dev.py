"""`holdfast dev` as a command: what it prints for people and programs, and how it fails."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from holdfast.dev_state import find_dev_server
from holdfast.testing import DevServer
from holdfast.testing.dev_server import dev_server
from tests.acceptance.command_line import CommandLine

FREE_PORTS = "port: 0\nui_port: 0\nhttp_port: 0\nmetrics_port: 0\n"


@pytest.fixture
def cli(tmp_path: Path) -> CommandLine:
    """A folder whose local stack takes free ports."""
    (tmp_path / "temporal-dev.yaml").write_text(FREE_PORTS)
    return CommandLine(tmp_path)


def test_commands_in_its_folder_find_it(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs, other commands of the folder use it without being told, and know its UI; afterwards none does."""
    with cli.running("dev") as dev:
        dev.read_until("Ctrl-C stops the server")
        started = cli("start", "nobody", "wait", "--id", "r1", "--json").json
        assert started["ui_url"].endswith("/namespaces/default/workflows/r1")
        assert started["served"] is False
        assert (
            "r1" in cli("runs").out
            or cli("runs").err == "No runs yet. `holdfast start AGENT TASK` starts one.\n"
        )
        dev.process.send_signal(signal.SIGTERM)
        dev.rest()
        assert dev.process.returncode == 0
    monkeypatch.chdir(cli.folder)
    assert find_dev_server() is None
    assert "r1" not in cli("runs").out  # at the default address, where somebody else's server may answer


def test_json_tells_programs_how_to_reach_it(cli: CommandLine) -> None:
    """`dev --json` prints one object on stdout when the server is ready, and everything else on stderr."""
    with cli.running("dev", "--json") as dev:
        lines = dev.read_until('"address"').splitlines()
        state = json.loads(lines[-1])
        dev.process.send_signal(signal.SIGTERM)
        dev.rest()
    assert state["address"].startswith("127.0.0.1:")
    assert state["namespace"] == "default"


def test_what_keeps_it_from_starting_is_told(cli: CommandLine) -> None:
    """A wrong temporal-dev.yaml, or a second server in the folder: one message and exit code 3, no stack trace."""
    (cli.folder / "temporal-dev.yaml").write_text("prot: 1\n")
    done = cli("dev")
    assert done.code == 3
    assert "prot" in done.err
    assert "Traceback" not in done.err
    (cli.folder / "temporal-dev.yaml").write_text(FREE_PORTS)
    with cli.running("dev") as first:
        first.read_until("Ctrl-C stops the server")
        second = cli("dev")
    assert second.code == 3
    assert "already runs at" in second.err


def test_setup_prepares_a_server_that_is_named(tmp_path: Path, temporal_server: DevServer) -> None:
    """`dev --address` starts none: the named server gets the namespace and search attributes that it lacks."""
    cli = CommandLine(tmp_path, ("--address", temporal_server.address))
    done = cli("dev", "--namespace", "team-cli")
    assert done.code == 0
    assert "none is started" in done.out
    assert "registered the namespace team-cli" in done.out
    assert cli("runs", "--namespace", "team-cli").err.startswith("No runs yet.")


async def test_a_worker_outlives_the_server(tmp_path: Path) -> None:
    """A worker whose server dies says so once, in one line, and goes on when the server is back."""
    async with dev_server(tmp_path, in_memory=False) as server:
        cli = CommandLine(tmp_path, ("--address", server.address))
        with cli.worker() as worker:
            server.kill()
            said = worker.read_until("the server does not answer; the worker goes on as soon as it does")
            assert "Traceback" not in said
            await server.restart()
            assert cli("start", "parcels", "say hello", "--follow").code == 0


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path, temporal_server: DevServer) -> None:
    """`holdfast runs | head` ends quietly: what was not read is not missed."""
    cli = CommandLine(tmp_path, ("--address", temporal_server.address))
    cli("start", "nobody", "wait")
    for options in ([], ["--json"]):
        with cli.running("runs", *options) as runs:
            assert runs.process.stdout is not None
            os.close(os.dup(runs.process.stdout.fileno()))
            runs.process.stdout.close()
            assert runs.process.wait(20) == 0
