"""The stand-in account as a process: it starts, pauses and ends as told."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator

import pytest

from examples.cloud_costs.moto_server import MotoServer

MODULE = [sys.executable, "-m", "examples.cloud_costs.moto_server"]


@pytest.fixture
def own() -> Iterator[MotoServer]:
    with MotoServer() as server:
        yield server


def ask(server: MotoServer) -> int:
    with urllib.request.urlopen(f"{server.url}/moto-api/data.json", timeout=30) as answer:
        return int(answer.status)


def test_a_paused_server_answers_later(own: MotoServer) -> None:
    """A request made in the pause waits for its end, and is then answered."""
    answered = threading.Event()

    def ask_and_tell() -> None:
        ask(own)
        answered.set()

    asking = threading.Thread(target=ask_and_tell, daemon=True)
    with own.paused():
        asking.start()
        assert not answered.wait(0.3)
    assert answered.wait(10)


def test_a_stopped_server_says_that_it_is_not_running(own: MotoServer) -> None:
    """Its address is refused with what to do, and a second stop is harmless."""
    own.stop()
    own.stop()
    with pytest.raises(RuntimeError, match=r"call start\(\) first"):
        _ = own.url


def test_the_server_ends_with_its_parent() -> None:
    """When the program that started it is killed, the server goes too."""
    program = (
        "from examples.cloud_costs.moto_server import MotoServer\n"
        "server = MotoServer().start(); print(server.url, flush=True); import time; time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline().rpartition(":")[2])
        parent.kill()
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)):
                return
        threading.Event().wait(0.05)
    pytest.fail("the server still listens")


def test_a_taken_port_is_said_so() -> None:
    """No hang and no trace: the message names the port and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*MODULE, "--port", str(port)], capture_output=True, text=True, timeout=30, check=False
        )
    assert done.returncode == 1
    assert f"port {port} cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
