"""`holdfast worker`: what it serves, what it logs, and how it stops."""

from __future__ import annotations

import signal
import socket
import urllib.request

import pytest

from tests.acceptance.command_line import AGENTS, CommandLine

WITH_MODEL = """
import asyncio
from datetime import timedelta
from holdfast import *

@tool(effect="read", retry=Retry(attempts=1))
async def dig(depth: int) -> str:
    "Dig."
    print("digging", flush=True)
    await asyncio.sleep(depth)
    if depth == 0:
        raise KeyError("spade")
    return "gold"

def plan(view):
    if not view.of("dig"):
        return [Call("dig", depth=int(view.task))]
    return Finish("done")

digger = Agent(name="digger", instructions="Dig.", tools=[dig], ladder=[Model("claude-haiku-4-5"), Rules(plan)])
digger_by_rules = digger.but(name="digger-by-rules", ladder=[Rules(plan)])
"""


@pytest.fixture
def cli(unserved: CommandLine) -> CommandLine:
    """A folder with a module of agents, which is importable because it is the current one."""
    (unserved.folder / "diggers.py").write_text(WITH_MODEL)
    return unserved


def test_it_says_what_it_serves_where_and_by_which_planners(cli: CommandLine) -> None:
    """At its start a worker names its agents, their planners, the task queue and the server."""
    with cli.running("worker", "diggers", AGENTS, ANTHROPIC_API_KEY="test") as worker:
        said = worker.read_until("on task queue")
    address, queue = cli.options[1], cli.options[3]
    assert "serves digger (version " in said
    assert "planned by claude-haiku-4-5, else rules plan" in said
    assert "serves parcels (version " in said
    assert f"on task queue {queue} of {address}, namespace default (the address given)" in said


def test_it_warns_when_a_model_has_no_key(cli: CommandLine) -> None:
    """An agent with a model and no ANTHROPIC_API_KEY is served, with a warning that says what will happen."""
    with cli.running("worker", "diggers") as worker:
        said = worker.read_until("redriven")
    assert "ANTHROPIC_API_KEY is not set: digger cannot plan with a model." in said
    assert "digger-by-rules cannot" not in said


def test_a_failed_attempt_is_one_line(cli: CommandLine) -> None:
    """What a tool raises is told as run, tool, attempt, kind and message; the traceback comes with --verbose."""
    with cli.worker("diggers") as worker:
        cli("start", "digger-by-rules", "0", "--id", "one-line")
        said = worker.read_until("plan 2")
    assert "one-line  dig 1.1 attempt 1 of 1 failed" not in said
    assert "one-line dig 1.1 attempt 1 failed (unclassified KeyError): 'spade'" in said
    assert "Traceback" not in said
    with cli.running("worker", "diggers", "--verbose") as worker:
        worker.read_until("on task queue")
        cli("start", "digger-by-rules", "0", "--id", "verbose")
        said = worker.read_until("KeyError: 'spade'")
    assert "Traceback (most recent call last)" in said


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_it_drains_when_it_is_told_to_stop(cli: CommandLine, told: signal.Signals) -> None:
    """SIGTERM and Ctrl-C: the call under way is finished, then the worker ends with exit code 0."""
    with cli.running("worker", "diggers") as worker:
        worker.read_until("on task queue")
        cli("start", "digger-by-rules", "1", "--id", f"drained-{told.name}")
        worker.read_until("digging")
        worker.process.send_signal(told)
        said = worker.rest()
        assert worker.process.returncode == 0
    assert "draining: takes no more work" in said
    assert "dig 1.1 · 1.0 s" in said
    assert said.endswith("stopped; its runs go on with the next worker\n")


def test_a_second_ctrl_c_stops_it_at_once(cli: CommandLine) -> None:
    """Whoever cannot wait presses Ctrl-C again; the run is safe and goes on with the next worker."""
    with cli.running("worker", "diggers") as worker:
        worker.read_until("on task queue")
        cli("start", "digger-by-rules", "60", "--id", "impatient")
        worker.read_until("digging")
        worker.process.send_signal(signal.SIGINT)
        worker.read_until("draining")
        worker.process.send_signal(signal.SIGINT)
        worker.rest()
        assert worker.process.returncode == 130


def test_two_agents_of_one_name_are_refused(cli: CommandLine) -> None:
    """A worker serves one agent of a name; a second one is a mistake that is told at once."""
    (cli.folder / "twins.py").write_text(
        "from diggers import digger_by_rules\ntwin = digger_by_rules.but(instructions='other')\n"
    )
    done = cli("worker", "twins")
    assert done.code == 2
    assert "Two agents are named 'digger-by-rules'" in done.err


def test_a_module_that_needs_another_package_is_told(cli: CommandLine) -> None:
    """A module whose own import fails is told by what is missing."""
    (cli.folder / "needy.py").write_text("import not_installed_here\n")
    done = cli("worker", "needy")
    assert done.code == 2
    assert "Module needy needs 'not_installed_here', which is not installed." in done.err


def test_it_serves_metrics_where_it_is_told(cli: CommandLine) -> None:
    """With --metrics a worker answers Prometheus, also what an autoscaler needs of its task queue; an address that cannot be had is told in a sentence."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{free.getsockname()[1]}"
    with cli.running("worker", "diggers", "--metrics", where) as worker:
        worker.read_until("on task queue")
        told = b""
        while b"holdfast_task_queue_workers{" not in told:  # the server is asked first
            with urllib.request.urlopen(f"http://{where}/metrics", timeout=10) as answer:
                told = answer.read()
        assert b"temporal_worker_start" in told
        assert b"holdfast_task_queue_backlog{" in told
        assert b"holdfast_task_queue_backlog_age_seconds{" in told
    done = cli("worker", "diggers", "--metrics", "nowhere")
    assert done.code == 2
    assert "HOST:PORT" in done.err
