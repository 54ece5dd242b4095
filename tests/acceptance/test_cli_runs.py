"""Starting, listing, showing, following, cancelling and replaying runs, as a person or a script does it."""

from __future__ import annotations

import json
import signal
import uuid
from pathlib import Path

import pytest
from temporalio.client import Client as TemporalClient

from holdfast import Client
from tests.acceptance.command_line import CommandLine


def new_id() -> str:
    """A run id that no other test uses."""
    return f"run-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def client(temporal: TemporalClient) -> Client:
    """Waits for what the command line started."""
    return Client(temporal)


def test_start_says_what_was_started_and_how_to_follow_it(served: CommandLine) -> None:
    """`start` prints the run's id and the command that follows it, with the server options that it needs."""
    started = served("start", "parcels", "say hello", "--id", (run := new_id()))
    assert started.code == 0
    assert f"started  {run}" in started.out
    assert f"holdfast show {run} --follow --address " in started.out


def test_start_with_json_tells_programs_the_run(served: CommandLine) -> None:
    """`start --json` prints one object; without --id the run's id begins with the agent's name."""
    started = served("start", "parcels", "say hello", "--attach", __file__, "--json").json
    assert started["run"].startswith("parcels-")
    assert started["served"] is True
    assert started["follow"].startswith(f"holdfast show {started['run']} --follow")


def test_starting_the_same_twice_is_one_run(served: CommandLine) -> None:
    """With --id a start may be repeated; another task under the same id is refused."""
    run = new_id()
    first, again = (served("start", "parcels", "say hello", "--id", run) for _ in range(2))
    other = served("start", "parcels", "say goodbye", "--id", run)
    assert (first.code, again.code, other.code) == (0, 0, 2)
    assert f"Run '{run}' exists already, with another agent, task or option" in other.err


def test_start_follow_shows_all_that_happens_and_ends_with_the_result(served: CommandLine) -> None:
    """`start --follow` prints plans, calls and results as they come, then totals and the result; exit code 0."""
    done = served("start", "parcels", "fail once", "--follow")
    assert done.code == 0
    for part in (
        "step 1  plan by rules plan_route",
        '· 1.1 ask_the_road(road="A1")',
        "failed",
        "transient: the road does not pick up",
        "Total  2 steps · 1 call",
        "Status completed",
        '"delivered": []',
    ):
        assert part in done.out
    assert "\x1b" not in done.out, "no colours when nobody looks"


def test_follow_with_json_prints_a_document_a_line(served: CommandLine) -> None:
    """`start --follow --json`: the run, its events in order, and last the outcome."""
    first, *events, last = served("start", "parcels", "say hello", "--follow", "--json").json_lines
    assert first["run"].startswith("parcels-")
    assert [event["number"] for event in events] == list(range(len(events)))
    assert [event["kind"] for event in events] == ["started", "plan", "finished"]
    assert last["outcome"]["output"] == {"delivered": ["say hello"], "left": []}


def test_following_a_run_that_does_not_complete_ends_with_code_1(served: CommandLine) -> None:
    """Exit code 1 tells a script that the run ended without its full result; the reason is printed."""
    done = served("start", "parcels", "partial please", "--follow")
    assert done.code == 1
    assert "Status partial: it is Sunday" in done.out


def test_an_agent_that_nobody_serves_is_told_at_once(served: CommandLine) -> None:
    """An unknown agent: exit code 2, with the names of the agents that are served."""
    done = served("start", "persels", "deliver")
    assert (done.code, done.out) == (2, "")
    assert "There is no agent 'persels' here: this worker serves parcels" in done.err
    assert "Traceback" not in done.err


def test_an_empty_task_is_refused(served: CommandLine) -> None:
    """A run cannot start without a task."""
    done = served("start", "parcels", "")
    assert done.code == 2
    assert "task: " in done.err


@pytest.mark.parametrize(
    "command",
    [
        ["show"],
        ["show", "--follow"],
        ["show", "--json"],
        ["cancel"],
        ["replay"],
        ["approve"],
        ["answer", "x"],
    ],
)
def test_a_run_that_is_not_there_is_told(served: CommandLine, command: list[str]) -> None:
    """An unknown run: exit code 2, and where to look for the right id. Nobody waits for it to appear."""
    name, *rest = command
    options = [] if name == "replay" else list(served.options)
    nowhere = CommandLine(served.folder, tuple(options or served.options[:2]), served.env)
    done = nowhere(name, "no-such-run", *rest)
    assert (done.code, done.out) == (2, "")
    assert "There is no run 'no-such-run' in namespace 'default'" in done.err
    assert "holdfast runs" in done.err


async def test_show_tells_a_run_step_by_step(served: CommandLine, client: Client) -> None:
    """`show` has plans, calls with arguments, results and verdicts, the open request with its commands, effects."""
    run = new_id()
    served("start", "parcels", "deliver all", "--id", run, "--user", "ana")
    request = await client.run(run).next_request()
    shown = served("show", run)
    assert shown.code == 0
    for part in (
        f"{run} waiting",
        "by ana",
        "step 1  plan by rules plan_route",
        '1.1 list_parcels(depot="north")',
        '→ [{"number":"p-1","weight_kg":2}',
        '2.1 deliver(number="p-1", weight_kg=2)',
        "approval for dispatch",
        "weight_kg > 10",
        "denied if unanswered by",
        f"holdfast approve {run} {request.id} --by dana --address",
        'done 2.1 deliver(number="p-1", weight_kg=2)  can be undone',
        "Total  2 steps · 3 calls",
    ):
        assert part in shown.out
    view = served("show", run, "--json").json
    assert (view["status"], view["source"]) == ("waiting", "worker")
    assert [call["tool"] for step in view["steps"] for call in step["calls"]] == [
        "list_parcels", "deliver", "deliver",
    ]  # fmt: skip
    await client.run(run).cancel()


async def test_runs_are_listed_and_filtered(served: CommandLine, client: Client) -> None:
    """`runs` lists newest first what matches agent, status and user; --json prints the same as data."""
    run, user = new_id(), new_id()
    served("start", "parcels", "partial it", "--id", run, "--user", user, "--follow")
    found = served("runs", "--user", user, "--status", "partial", "--agent", "parcels", "--json")
    while not found.json:  # the server's index lags
        found = served("runs", "--user", user, "--status", "partial", "--agent", "parcels", "--json")
    assert [one["run"] for one in found.json] == [run]
    table = served("runs", "--user", user).out
    assert run in table
    assert "partial" in table
    assert served("runs", "--user", "nobody-at-all").err == "No runs match.\n"


def test_a_wrong_status_or_namespace_is_told(served: CommandLine) -> None:
    """`runs` refuses a status that there is not, and a namespace that the server does not have."""
    assert (
        "There is no status 'done'. A run is one of: running, waiting"
        in served("runs", "--status", "done").err
    )
    wrong = served("runs", "--namespace", "elsewhere")
    assert wrong.code == 2
    assert "Namespace elsewhere is not found. Name one that exists by --namespace" in wrong.err


async def test_cancel_ends_a_run_and_lists_what_it_did(served: CommandLine, client: Client) -> None:
    """`cancel` waits for the end and shows the effects that stay; a second time there is nothing to cancel."""
    run = new_id()
    served("start", "parcels", "deliver all", "--id", run)
    await client.run(run).next_request()
    cancelled = served("cancel", run)
    assert cancelled.code == 0
    assert "Status cancelled" in cancelled.out
    assert 'done 2.1 deliver(number="p-1", weight_kg=2)' in cancelled.out
    again = served("cancel", run)
    assert again.code == 2
    assert f"Run {run} has ended already" in again.err
    assert served("show", run, "--follow").code == 1


async def test_a_terminated_run_is_shown_as_what_it_is(
    served: CommandLine, client: Client, temporal: TemporalClient
) -> None:
    """A run that was terminated from outside could not record it; `show` says so and offers no decisions."""
    run = new_id()
    served("start", "parcels", "deliver all", "--id", run)
    await client.run(run).next_request()
    await temporal.get_workflow_handle(run).terminate("enough")
    shown = served("show", run)
    assert f"{run} terminated" in shown.out
    assert "holdfast approve" not in shown.out
    followed = served("show", run, "--follow")
    assert followed.code == 1
    assert "Status terminated" in followed.out


def test_ctrl_c_stops_following_and_not_the_run(served: CommandLine) -> None:
    """Ctrl-C while following ends the command with code 130, and says how to follow again."""
    with served.running(
        "start", "parcels", "deliver all", "--id", (run := new_id()), "--follow"
    ) as following:
        following.read_until("holdfast reject")
        following.process.send_signal(signal.SIGINT)
        said = following.rest()
        assert following.process.returncode == 130
    assert "The run goes on." in said
    assert f"holdfast show {run} --follow" in said
    assert served("show", run, "--json").json["status"] == "waiting"


async def test_replay_says_whether_the_run_could_go_on(
    served: CommandLine, temporal: TemporalClient, tmp_path: Path
) -> None:
    """`replay` takes a run or a file: exit code 0 when today's code agrees, 1 with the event when it does not."""
    run = new_id()
    served("start", "parcels", "fail once", "--id", run, "--follow")
    cli = CommandLine(tmp_path, served.options[:2])  # replaying needs no task queue
    agrees = cli("replay", run)
    assert agrees.code == 0
    assert agrees.out.startswith("ok: ")
    history = await temporal.get_workflow_handle(run).fetch_history()
    file, other = tmp_path / "history.json", tmp_path / "other.json"
    file.write_text(history.to_json())
    assert cli("replay", str(file), "--json").json["ok"] is True
    other.write_text(history.to_json().replace('"ask_the_road"', '"ask_the_river"'))
    differs = cli("replay", str(other))
    assert differs.code == 1
    assert "ask_the_river" in differs.out
    report = cli("replay", str(other), "--json")
    assert report.code == 1
    assert report.json["event_id"] is not None


def test_replay_refuses_what_is_no_history_of_a_run(nowhere: CommandLine) -> None:
    """An empty history is a mistake of the caller, not a disagreement."""
    (nowhere.folder / "empty.json").write_text(json.dumps({"events": []}))
    done = nowhere("replay", "empty.json")
    assert done.code == 2
    assert "Give the history of a run" in done.err
