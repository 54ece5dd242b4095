"""Which server a command talks to, and what it says when that one cannot be reached."""

from __future__ import annotations

import os
import socket
import time
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.service import RPCError, RPCStatusCode

from holdfast.connection import DEFAULT_ADDRESS, ServerAway, connect, find_target, server_failed
from holdfast.errors import ConnectionFailed
from holdfast.testing.dev_server import DevServer, dev_server, temporal_server

__all__ = ["temporal_server"]  # a fixture


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment, a home folder and a current folder that name no server."""
    for variable in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def profiles(folder: Path, text: str) -> str:
    file = folder / "temporal.toml"
    file.write_text(text)
    return str(file)


def closed_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        return f"127.0.0.1:{gone.getsockname()[1]}"


async def failure(*args: str, **kwargs: object) -> str:
    with pytest.raises(ConnectionFailed) as caught:
        await connect(*args, **kwargs)  # type: ignore[arg-type] # short for the tests
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_with_nothing_named_the_default_is_meant() -> None:
    """Without any hint it is localhost:7233, as for every Temporal tool."""
    target = find_target()
    assert (target.address, target.namespace, target.named) == (DEFAULT_ADDRESS, "default", False)


async def test_the_dev_server_of_the_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name, the dev server that runs in this folder or one above it is meant, and is connected to."""
    below = tmp_path / "src"
    below.mkdir()
    monkeypatch.chdir(below)
    async with dev_server(tmp_path) as server:
        target = find_target()
        assert (target.address, target.named) == (server.address, False)
        client = await connect()
        assert client.service_client.config.target_host == server.address
    assert find_target().address == DEFAULT_ADDRESS


async def test_names_outrank_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument before variable before profile before dev server."""
    file = profiles(tmp_path, '[profile.default]\naddress = "profile:1"\nnamespace = "p"\n[profile.empty]\n')
    async with dev_server(tmp_path) as server:
        assert find_target().address == server.address
        assert find_target(config_file=file).address == "profile:1"
        monkeypatch.setenv("TEMPORAL_CONFIG_FILE", file)
        assert (find_target().address, find_target().namespace, find_target().named) == (
            "profile:1",
            "p",
            False,
        )
        assert find_target(profile="empty").address == DEFAULT_ADDRESS
        monkeypatch.setenv("TEMPORAL_ADDRESS", "variable:2")
        monkeypatch.setenv("TEMPORAL_NAMESPACE", "v")
        assert (find_target().address, find_target().namespace, find_target().named) == (
            "variable:2",
            "v",
            True,
        )
        assert (find_target("argument:3", "a").address, find_target("argument:3", "a").namespace) == (
            "argument:3",
            "a",
        )


@pytest.mark.parametrize(
    "status, message, waits_for_worker, told",
    [
        (RPCStatusCode.UNAVAILABLE, "tcp connect error", True, ServerAway),
        (RPCStatusCode.UNKNOWN, "transport error", True, ServerAway),
        (RPCStatusCode.CANCELLED, "Timeout expired", False, ServerAway),
        (RPCStatusCode.CANCELLED, "Timeout expired", True, None),
        (RPCStatusCode.PERMISSION_DENIED, "Request unauthorized.", True, ConnectionFailed),
        (RPCStatusCode.UNKNOWN, "unexpected", False, None),
        (RPCStatusCode.NOT_FOUND, "no such workflow", False, None),
    ],
)
def test_a_server_that_fails_is_told_from_a_request_that_does(
    status: RPCStatusCode, message: str, *, waits_for_worker: bool, told: type[ConnectionFailed] | None
) -> None:
    """A server that went away may come back, one that refuses the credentials will not; a late worker is neither."""
    failed = server_failed(RPCError(message, status, b""), waits_for_worker=waits_for_worker)
    assert (None if failed is None else type(failed)) is told


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """An API key from the environment is used, but not part of what may be printed."""
    monkeypatch.setenv("TEMPORAL_API_KEY", "s3cr3t")
    target = find_target()
    assert target.options["api_key"] == "s3cr3t"
    assert "s3cr3t" not in repr(target)


async def test_values_arrive_as_the_models_they_were(temporal_server: DevServer) -> None:
    """The client speaks pydantic, and arguments of the caller reach the SDK."""
    client = await connect(temporal_server.address, identity="somebody")
    assert client.identity == "somebody"
    assert "Pydantic" in client.data_converter.payload_converter_class.__name__


async def test_nobody_there_is_told_with_what_to_do() -> None:
    """The message holds the address, who named it, why it failed, and the next step."""
    address = closed_address()
    assert await failure(address) == (
        f"No Temporal server can be used at {address} (the address given): nothing listens there. "
        "Check the address and that the server runs; without one named, `holdfast dev` starts one here."
    )


async def test_the_source_of_a_wrong_address_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether variable or profile named it, the message says which, so that one knows where to correct it."""
    address = closed_address()
    file = profiles(tmp_path, f'[profile.prod]\naddress = "{address}"\n')
    assert f"{address} (profile prod of {file})" in await failure(profile="prod", config_file=file)
    monkeypatch.setenv("TEMPORAL_ADDRESS", address)
    assert f"{address} (TEMPORAL_ADDRESS)" in await failure()


async def test_a_silent_port_is_given_up_in_time() -> None:
    """A port that accepts and never answers is given up when the timeout is over."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        message = await failure(address, timeout=timedelta(seconds=0.5))
        assert "it did not answer within 0.5 seconds" in message
        assert time.monotonic() - began < 2


async def test_a_web_server_is_not_a_temporal_server(temporal_server: DevServer) -> None:
    """A port where something else answers is told as such."""
    address = temporal_server.state.http_url.removeprefix("http://")
    assert "what answers there is not a Temporal server" in await failure(address)


async def test_tls_where_there_is_none_is_told(temporal_server: DevServer) -> None:
    """Asking a plain server for TLS is an error in time, not a hang."""
    message = await failure(temporal_server.address, tls=True, timeout=timedelta(seconds=2))
    assert temporal_server.address in message


@pytest.mark.parametrize(
    "address", ["no-such-host.invalid:7233", "nonsense", "127.0.0.1:99999", "::::", " ", "a b:1"]
)
async def test_an_address_that_cannot_be_is_told(address: str) -> None:
    """Any text for an address gives the same clear error."""
    assert f"can be used at {address} (the address given)" in await failure(address)


async def test_a_profile_that_does_not_exist_is_told(tmp_path: Path) -> None:
    """A misspelt profile or file is told, and never replaced by a default."""
    file = profiles(tmp_path, '[profile.prod]\naddress = "x:1"\n')
    assert "Profile 'pord' not found" in await failure(profile="pord", config_file=file)
    assert "temporal config list" in await failure(profile="pord", config_file=file)
    assert "nope.toml does not exist" in await failure(config_file=str(tmp_path / "nope.toml"))
    assert "TOML parse error" in await failure(config_file=profiles(tmp_path, "[["))


async def test_a_missing_certificate_is_told(tmp_path: Path) -> None:
    """A certificate that the profile names and that is not there is told with its path."""
    missing = tmp_path / "client.pem"
    text = f'[profile.default]\naddress = "x:1"\n[profile.default.tls]\nclient_cert_path = "{missing}"\n'
    assert str(missing) in await failure(config_file=profiles(tmp_path, text))
