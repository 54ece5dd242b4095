"""The local server as a real process: what it is set up with, and what it survives."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import urllib.request
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from holdfast.dev_state import STATE_FILE, find_dev_server, read_dev_state
from holdfast.testing.dev_server import dev_server, time_skipping_env
from tests.acceptance.python_process import is_gone, python_process
from workers.dev_config import packaged_dev_config
from workers.dev_server import DevServer

QUEUE = "dev-server-tests"


@workflow.defn
class Waiter:
    """Waits for a word, for so many seconds."""

    def __init__(self) -> None:
        self.word: str | None = None

    @workflow.run
    async def run(self, patience_s: float) -> str:
        """The word, or `nothing` after the patience is over."""
        try:
            await workflow.wait_condition(
                lambda: self.word is not None, timeout=timedelta(seconds=patience_s)
            )
        except TimeoutError:
            return "nothing"
        return str(self.word)

    @workflow.signal
    def say(self, word: str) -> None:
        """The word that is waited for."""
        self.word = word


@contextlib.asynccontextmanager
async def worker_on(client: Client) -> AsyncIterator[Worker]:
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Waiter],
        workflow_runner=UnsandboxedWorkflowRunner(),
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=1),
    ) as worker:
        yield worker


def http_status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return int(answer.status)


async def test_it_is_set_up_as_described(tmp_path: Path) -> None:
    """Namespace, retention, search attributes, UI, HTTP API and metrics are there when it says that it is ready."""
    described = packaged_dev_config()
    told: list[str] = []
    config = described.ephemeral(tmp_path, in_memory=False, ui=True)
    async with DevServer.start(config, on_progress=told.append) as server:
        client = await server.connect()
        namespace = await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=described.namespace)
        )
        attributes = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=described.namespace)
        )
        assert namespace.config.workflow_execution_retention_ttl.ToTimedelta() == described.retention
        assert set(attributes.custom_attributes) == set(described.search_attributes)
        state = server.state
        assert state.ui_url is not None
        system = f"{state.http_url}/api/v1/system-info"
        for url in (state.ui_url, state.metrics_url, system):
            assert await asyncio.to_thread(http_status, url) == 200, url
    assert told[0].startswith("starting the Temporal server on 127.0.0.1:")
    assert "answers" in told[-1]


async def test_it_is_ready_within_seconds(tmp_path: Path) -> None:
    """A start on a fresh database file takes far less than five seconds."""
    began = time.monotonic()
    async with dev_server(tmp_path, in_memory=False):
        assert time.monotonic() - began < 5


async def test_short_timers_are_short() -> None:
    """The tuning is in force: a timer of 50 ms, which takes the stock server a second, takes half of that at most."""
    async with dev_server() as server, worker_on(await server.connect()) as worker:
        await worker.client.execute_workflow("Waiter", 0.05, id="warm", task_queue=QUEUE)
        began = time.monotonic()
        await worker.client.execute_workflow("Waiter", 0.05, id="short", task_queue=QUEUE)
        assert time.monotonic() - began < 0.5


async def test_a_run_survives_kill_and_restart(tmp_path: Path) -> None:
    """After SIGKILL and a restart on the same file, an open run goes on, with the clients and workers it had."""
    async with dev_server(tmp_path, in_memory=False) as server, worker_on(await server.connect()) as worker:
        address = server.address
        open_run = await worker.client.start_workflow("Waiter", 600, id="open", task_queue=QUEUE)
        await worker.client.execute_workflow("Waiter", 0, id="closed", task_queue=QUEUE)
        for word in ("first", "second"):
            pid = server.pid
            server.kill()
            assert is_gone(pid)
            assert not server.running
            await server.restart()
            assert server.address == address
            assert server.pid != pid
            if word == "second":
                await open_run.signal("say", word)
        assert await open_run.result() == "second"
        assert await worker.client.get_workflow_handle("closed").result() == "nothing"


async def test_what_was_recorded_is_there_at_the_next_start(tmp_path: Path) -> None:
    """A server that was stopped and one that is started later on the same file hold the same runs."""
    async with dev_server(tmp_path, in_memory=False) as server:
        await (await server.connect()).start_workflow("Waiter", 600, id="kept", task_queue=QUEUE)
    async with dev_server(tmp_path, in_memory=False) as server:
        kept = await (await server.connect()).get_workflow_handle("kept").describe()
        assert kept.status == WorkflowExecutionStatus.RUNNING


async def test_a_restart_of_a_running_server_stops_it_first(tmp_path: Path) -> None:
    """`restart` needs no kill before it: the old process ends and the new one takes its ports."""
    async with dev_server(tmp_path, in_memory=False) as server:
        pid = server.pid
        await server.restart()
        assert is_gone(pid)
        assert await (await server.connect()).count_workflows() is not None


async def test_it_has_its_own_session(tmp_path: Path) -> None:
    """Ctrl-C in the terminal does not reach the server, so a worker can drain while it still runs."""
    async with dev_server(tmp_path) as server:
        assert os.getsid(server.pid) == server.pid != os.getsid(0)


async def test_it_says_where_it_is_while_it_runs(tmp_path: Path) -> None:
    """`.holdfast/dev.json` is found from the folder and those below it, and is gone once the server is."""
    below = tmp_path / "src" / "app"
    below.mkdir(parents=True)
    async with dev_server(tmp_path, in_memory=False, ui=True) as server:
        assert find_dev_server(below) == server.state
        assert server.state.database == str(tmp_path / "temporal.db")
    assert find_dev_server(below) is None
    assert not (tmp_path / STATE_FILE).exists()


async def test_a_stale_state_file_counts_for_nothing(tmp_path: Path) -> None:
    """What a killed server left behind is not mistaken for a server, and the next start replaces it."""
    async with dev_server(tmp_path, in_memory=False) as server:
        left_behind = server.state
        server.kill()
        assert read_dev_state(tmp_path) == left_behind
        assert find_dev_server(tmp_path) is None
        await server.restart()
        assert find_dev_server(tmp_path) == server.state != left_behind


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"address": 5}', '"x"', "\x00"])
def test_a_broken_state_file_counts_for_nothing(tmp_path: Path, text: str) -> None:
    """Half a file, or another version's, is the same as none."""
    file = tmp_path / STATE_FILE
    file.parent.mkdir()
    file.write_text(text)
    assert find_dev_server(tmp_path) is None


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="only Linux can tie a process to its parent")
def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    """A parent that is killed with SIGKILL leaves no server behind."""
    code = f"""
import asyncio
from pathlib import Path
from holdfast.testing.dev_server import dev_server

async def main():
    async with dev_server(Path({str(tmp_path)!r}), in_memory=False) as server:
        print(server.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""
    with python_process(code, cwd=tmp_path) as parent:
        server = int(parent.read_line())
        assert not is_gone(server)
        parent.process.kill()
        parent.process.wait()
        parent.until(lambda: is_gone(server))


async def test_ports_of_test_servers_differ() -> None:
    """Several test servers run side by side without knowing of each other."""
    async with dev_server() as one, dev_server() as two:
        assert one.address != two.address
        await (await one.connect()).start_workflow("Waiter", 1, id="only-here", task_queue=QUEUE)
        assert (await (await two.connect()).count_workflows()).count == 0


async def test_long_waits_can_be_skipped() -> None:
    """In the time-skipping environment a wait of a day passes at once, and only when the test says so."""
    async with time_skipping_env() as env, worker_on(env.client):
        handle = await env.client.start_workflow("Waiter", 86_400, id="day", task_queue=QUEUE)
        assert await env.fast_forward(handle, timedelta(hours=23))
        assert (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
        await env.fast_forward(handle, timedelta(hours=2))
        assert await handle.result() == "nothing"


async def test_the_time_skipping_server_knows_the_search_attributes() -> None:
    """Runs can record what they always record in the time-skipping environment too."""
    async with time_skipping_env() as env:
        listed = await env.client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace="default")
        )
        assert set(listed.custom_attributes) == set(packaged_dev_config().search_attributes)
