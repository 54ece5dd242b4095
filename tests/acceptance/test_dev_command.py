"""What `holdfast dev` does, as a process: runs the local stack until told to stop, or sets up one that is named."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from holdfast.dev_state import STATE_FILE, read_dev_state
from holdfast.errors import ConnectionFailed
from holdfast.testing.dev_server import DevServer, dev_server
from tests.acceptance.python_process import PythonProcess, is_gone, python_process
from workers.dev_command import run_dev
from workers.dev_config import packaged_dev_config
from workers.dev_problems import DatabaseInUse

FREE_PORTS = "port: 0\nui_port: 0\nhttp_port: 0\nmetrics_port: 0\n"
RUN_DEV = "import asyncio; from workers.dev_command import run_dev; asyncio.run(run_dev())"


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment and a home folder that name no server."""
    for variable in ("TEMPORAL_ADDRESS", "TEMPORAL_PROFILE", "TEMPORAL_NAMESPACE", "TEMPORAL_CONFIG_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def server_of(dev: PythonProcess, folder: Path) -> int:
    """The server's process, once it is ready."""
    dev.read_until("Ctrl-C stops the server")
    state = read_dev_state(folder)
    assert state is not None
    return state.pid


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_runs_until_it_is_told_to_stop(tmp_path: Path, told: signal.Signals) -> None:
    """Ctrl-C, SIGTERM and a closed terminal end it with exit code 0, its server and its state file with it."""
    (tmp_path / "temporal-dev.yaml").write_text(FREE_PORTS)
    with python_process(RUN_DEV, cwd=tmp_path) as dev:
        server = server_of(dev, tmp_path)
        dev.process.send_signal(told)
        assert dev.rest() == "stopping the server; what it recorded is kept\n"
        assert dev.process.returncode == 0
    assert is_gone(server)
    assert not (tmp_path / STATE_FILE).exists()
    assert (tmp_path / ".holdfast" / "temporal.db").exists()


def test_it_says_where_everything_is_and_what_next(tmp_path: Path) -> None:
    """Address, UI, metrics, database and log are shown, and the two commands that come next."""
    (tmp_path / "temporal-dev.yaml").write_text(FREE_PORTS)
    with python_process(RUN_DEV, cwd=tmp_path) as dev:
        shown = dev.read_until("Ctrl-C stops the server")
        state = read_dev_state(tmp_path)
        assert state is not None
        for part in (state.address, state.ui_url, state.metrics_url, state.database, state.log):
            assert part is not None
            assert part in shown
        assert "holdfast worker" in shown
        assert "holdfast start" in shown


def test_a_second_ctrl_c_ends_it_at_once(tmp_path: Path) -> None:
    """Whoever cannot wait presses Ctrl-C again: the server is killed."""
    (tmp_path / "temporal-dev.yaml").write_text(FREE_PORTS)
    with python_process(RUN_DEV, cwd=tmp_path) as dev:
        server = server_of(dev, tmp_path)
        dev.process.send_signal(signal.SIGINT)
        dev.read_until("stopping the server")
        dev.process.send_signal(signal.SIGINT)
        assert "killing the server" in dev.rest()
        assert dev.process.returncode == 0
    assert is_gone(server)


def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    """Told to stop before the server is ready, it ends cleanly and without a server."""
    (tmp_path / "temporal-dev.yaml").write_text(FREE_PORTS)
    code = RUN_DEV.replace("run_dev())", "run_dev(say=say))").replace(
        "; asyncio",
        """
import os, signal
def say(line):
    print(line)
    if line.startswith("starting"):
        os.kill(os.getpid(), signal.SIGINT)
asyncio""",
    )
    with python_process(code, cwd=tmp_path) as dev:
        # The SDK's threads may still complain at interpreter exit, after all is done.
        assert "stopped before the server was ready" in dev.rest().splitlines()
        assert dev.process.returncode == 0
    assert not (tmp_path / STATE_FILE).exists()


def test_a_server_that_dies_ends_it_with_the_reason(tmp_path: Path) -> None:
    """If the server ends by itself, so does the command, and says what the server's last words were."""
    (tmp_path / "temporal-dev.yaml").write_text(FREE_PORTS)
    with python_process(RUN_DEV, cwd=tmp_path) as dev:
        os.kill(server_of(dev, tmp_path), signal.SIGKILL)
        assert "The Temporal server ended by itself (killed by signal 9)" in dev.rest()
        assert dev.process.returncode == 1


async def test_a_second_one_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    """Started twice in one folder, the second one says that the first one runs, and where."""
    config = packaged_dev_config().ephemeral(tmp_path, in_memory=False)
    async with DevServer.start(config) as first:
        with pytest.raises(DatabaseInUse, match=f"already runs at {first.address}"):
            await run_dev(config, say=lambda _: None)


@pytest.mark.parametrize(
    "named_by", ["argument", "TEMPORAL_ADDRESS", "profile", "TEMPORAL_PROFILE", "config file"]
)
async def test_a_named_server_is_used_and_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    """However a server is named: none is started, what is missing there is added, and that is said."""
    async with dev_server() as other:
        file = tmp_path / "temporal.toml"
        for profile in ("default", "mine"):
            with file.open("a") as text:
                text.write(
                    f'[profile.{profile}]\naddress = "{other.address}"\nnamespace = "team-{profile}"\n'
                )
        options: dict[str, str] = {}
        match named_by:
            case "argument":
                options = {"address": other.address, "namespace": "team-mine"}
            case "TEMPORAL_ADDRESS":
                monkeypatch.setenv("TEMPORAL_ADDRESS", other.address)
                monkeypatch.setenv("TEMPORAL_NAMESPACE", "team-mine")
            case "profile":
                monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
                options = {"profile": "mine"}
            case "TEMPORAL_PROFILE":
                monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
                monkeypatch.setenv("TEMPORAL_PROFILE", "mine")
            case _:
                options = {"config_file": str(file), "namespace": "team-mine"}
        said: list[str] = []
        await run_dev(**options, say=said.append)  # type: ignore[arg-type] # only the named ones
        assert said[0].startswith(f"using the Temporal server at {other.address} (")
        assert said[0].endswith("none is started")
        assert "registered the namespace team-mine" in said[1]
        assert "AgentName" in said[2]
        again: list[str] = []
        await run_dev(**options, say=again.append)  # type: ignore[arg-type] # only the named ones
        assert again[1:] == ["its search attributes are all there"]
        assert not (tmp_path / STATE_FILE).exists()


async def test_without_a_start_the_usual_server_is_set_up(tmp_path: Path) -> None:
    """`start=False` takes the server that other commands take: here the one that runs in this folder."""
    said: list[str] = []
    async with dev_server(tmp_path) as other:
        await run_dev(start=False, say=said.append)
    assert said[0].startswith(f"using the Temporal server at {other.address} (the dev server of this folder)")


async def test_a_named_server_that_is_not_there_is_told() -> None:
    """A named server that does not answer is an error; none is started in its place."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(ConnectionFailed, match="nothing listens there"):
        await run_dev(address=address, say=lambda _: None)
