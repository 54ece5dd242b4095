"""`make demo`: what it promises to somebody who watches, to a pipe, and to the machine that it runs on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from examples.cloud_costs.agent import MODEL
from holdfast.dev_state import STATE_FILE
from holdfast.testing import MessagesServer, ModelRequest, Step, call, finish
from tests.acceptance.python_process import REPOSITORY, PythonProcess, is_gone, python_process

RUN_DEMO = "from examples.cloud_costs.demo import main; raise SystemExit(main([]))"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the demo runs more than once, on the database of the time before."""
    return tmp_path_factory.mktemp("demo")


@contextlib.contextmanager
def demo(folder: Path, **environment: str) -> Iterator[PythonProcess]:
    """The demo without a terminal, without a key, and with a real account that it must not find."""
    wide = {"COLUMNS": "400"}  # some test runners set it, and lines would be wrapped
    hidden = {"ANTHROPIC_API_KEY": "", "AWS_PROFILE": "production", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with python_process(RUN_DEMO, cwd=folder, env={**wide, **hidden, **environment}) as process:
        yield process


def descendants(process: PythonProcess) -> list[int]:
    return [child.pid for child in psutil.Process(process.process.pid).children(recursive=True)]


def all_gone(pids: list[int]) -> bool:
    return all(is_gone(pid) for pid in pids)


def test_it_tells_its_whole_story_to_a_pipe(folder: Path) -> None:
    """Killed in the middle of a write, it goes on, decides by the command that it prints, and proves each effect."""
    with contextlib.ExitStack() as taken, demo(folder) as process:
        for port in (7233, 8233):
            with contextlib.suppress(OSError):  # somebody else has it: taken all the same
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
        said = process.read_until("A person decides")
        pids = descendants(process)
        said += process.rest()
    assert process.process.returncode == 0, said
    assert "the agent's rules, as ANTHROPIC_API_KEY is not set" in said
    first, second = re.findall(r"Worker \d is process (\d+)", said)
    assert f"kill -9 {first}" in said
    assert int(second) in pids
    assert "3 snapshots of 3 volumes in all: none was taken twice" in said
    assert re.search(r"\$ \S*holdfast approve cost-demo-\w+ 3\.1-approval-\w+ --by", said)
    assert re.search(r"\$ \S*temporal workflow signal .*--name approve --input '{.*}' --address 127", said)
    assert "approved by" in said
    assert said.count("✓ 1 snapshot, asked once") == 3
    assert said.count("✓ stopped, asked once") == 3
    assert "saves $576.70 a month" in said
    assert "Cost $0" in said
    ui = re.search(r"http://127\.0\.0\.1:(\d+)/namespaces/default/workflows/cost-demo-\w+", said)
    assert ui is not None
    assert ui[1] != "8233"
    assert not re.search(r"Traceback|WARN|ERROR|\x1b", said)
    assert len(pids) == 3  # server, account, second worker
    assert all_gone(pids)
    assert not (folder / STATE_FILE).exists()


def test_at_a_terminal_a_person_decides_and_may_undo(folder: Path) -> None:
    """The second run asks: a rejection reaches the agent, and `u` takes back what it did, as AWS shows."""
    with terminal(folder) as screen:
        screen.read_until("Enter approves)")
        screen.type("s")
        screen.read_until("Waiting for a person")
        screen.read_until("Enter approves)")
        screen.type("r")
        screen.read_until("The agent is told:")
        screen.type("jo is back on Monday")
        screen.read_until("rejected by")
        assert "jo is back on Monday" in screen.read_until("The report")
        screen.read_until("u undoes what it did:")
        screen.type("u")
        assert "2 of 2 instances run again, and 0 snapshots" in screen.read_until("u undoes what it did:")
        screen.type("")
        screen.read_until("Everything is stopped.")
        assert screen.process.wait(timeout=20) == 0


async def test_with_a_key_a_model_plans(folder: Path) -> None:
    """What plans is asked at ANTHROPIC_BASE_URL, its words are shown, and what it costs is counted."""
    async with MessagesServer(a_careful_model) as model:
        with demo(folder, ANTHROPIC_API_KEY="a key", ANTHROPIC_BASE_URL=model.base_url) as process:
            said = await asyncio.to_thread(process.read_until, "Everything is stopped.")
            await asyncio.to_thread(process.process.wait, 20)
    assert process.process.returncode == 0, said
    assert f"Planner: {MODEL}" in said
    assert "The dearest one that nobody uses is a notebook." in said
    assert "1 snapshot of 1 volume in all: none was taken twice" in said
    assert "Stopped the notebook." in said
    cost = re.search(r"Cost \$(\d+\.\d+) for 4 model calls", said)
    assert cost is not None, said
    assert float(cost[1]) > 0


def a_careful_model(request: ModelRequest) -> Step:
    """A model that looks, snapshots and stops one instance, and reports."""
    region = {"region": "eu-west-1"}
    if request.turn == 0:
        return call("find_idle_instances", region)
    found = re.search(r'"id": ?"(i-\w+)", ?"name": ?"ml-notebook-jo"', str(request.messages))
    assert found is not None
    one = {**region, "instance_id": found[1]}
    if request.turn == 1:
        return call("snapshot_instance", one, text="The dearest one that nobody uses is a notebook.")
    if request.turn == 2:
        return call("stop_instance", {**one, "monthly_cost_usd": 428.51})
    report = {"stopped": [found[1]], "monthly_savings_usd": 428.51, "summary": "Stopped the notebook."}
    return finish(result=report)


@pytest.mark.parametrize(
    "moment", ["Temporal server at", "is gone, and the answer with it"], ids=["setting up", "after the kill"]
)
def test_ctrl_c_leaves_nothing_behind(tmp_path: Path, moment: str) -> None:
    """Told to stop, it says so, ends with 130, and takes server, account and workers with it."""
    with demo(tmp_path) as process:
        process.read_until(moment)
        pids = descendants(process)
        process.process.send_signal(signal.SIGINT)
        said = process.rest()
    assert process.process.returncode == 130, said
    assert "Nothing is left running" in said
    assert "Traceback" not in said
    assert pids
    process.until(lambda: all_gone(pids))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process end with its parent")
def test_a_killed_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    """Not even kill -9 of the demo itself leaves a server, an account or a worker."""
    with demo(tmp_path) as process:
        process.read_until("Planner:")
        pids = descendants(process)
        process.process.kill()
        assert len(pids) == 3
        process.until(lambda: all_gone(pids))


def test_what_keeps_it_from_running_is_said(tmp_path: Path) -> None:
    """Where it cannot work it ends with 1 and a sentence."""
    (tmp_path / ".holdfast").write_text("in the way")
    with demo(tmp_path) as process:
        said = process.rest()
    assert process.process.returncode == 1
    assert "The demo failed" in said
    assert ".holdfast" in said
    assert "Traceback" not in said


class Terminal:
    """A process at a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], file: int) -> None:
        self.process = process
        self._file = file
        self._unread = ""

    def read_until(self, part: str) -> str:
        """What it shows up to and with a text; fails the test when that does not come in a minute."""
        deadline = time.monotonic() + 60
        while part not in self._unread:
            ready, _, _ = select.select([self._file], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"never said {part!r}:\n{self._unread}"
            with contextlib.suppress(OSError):  # how Linux says that the other end is closed
                shown = os.read(self._file, 65536).decode(errors="replace")
                self._unread += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown)
                continue
            raise AssertionError(f"ended without {part!r}:\n{self._unread}")
        before, _, self._unread = self._unread.partition(part)
        return before + part

    def type(self, line: str) -> None:
        """Types a line and Enter."""
        os.write(self._file, f"{line}\n".encode())


@contextlib.contextmanager
def terminal(folder: Path) -> Iterator[Terminal]:
    """The demo at a terminal of 160 columns."""
    ours, theirs = pty.openpty()
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("TEMPORAL_", "ANTHROPIC_"))
    }
    process = subprocess.Popen(
        [sys.executable, "-c", RUN_DEMO],
        cwd=folder,
        env={
            **environment,
            "PYTHONPATH": str(REPOSITORY),
            "HOME": str(folder),
            "COLUMNS": "160",
            "TERM": "xterm",
        },
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
