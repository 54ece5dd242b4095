"""The inbox, and a person's decisions by command: what is shown, what counts, and what is refused."""

from __future__ import annotations

import uuid

import pytest
from temporalio.client import Client as TemporalClient

from holdfast import Client
from holdfast.contracts.requests import Request
from tests.acceptance.command_line import CommandLine


@pytest.fixture
def client(temporal: TemporalClient) -> Client:
    """Waits for what the command line started."""
    return Client(temporal)


async def ask(cli: CommandLine, client: Client, task: str, *options: str) -> tuple[str, Request]:
    """A new run that has asked something, and what."""
    run = f"run-{uuid.uuid4().hex[:8]}"
    assert cli("start", "parcels", task, "--id", run, *options).code == 0
    return run, await client.run(run).next_request()


async def test_approve_shows_what_is_approved_and_what_follows(served: CommandLine, client: Client) -> None:
    """`approve` needs no request id while one is open; it prints tool and arguments, who decided, and the effect."""
    run, _ = await ask(served, client, "deliver all")
    done = served("approve", run, "--note", "mind the dog")
    assert done.code == 0
    for part in ("approval for dispatch", "weight_kg", "30", "approved by dana", "deliver is called now."):
        assert part in done.out
    assert await client.run(run).result() == {"delivered": ["p-1", "p-2"], "left": []}
    shown = served("show", run).out
    assert "approved by dana (update): mind the dog" in shown
    assert "approved by dana, can be undone" in shown


async def test_approve_with_other_arguments(served: CommandLine, client: Client) -> None:
    """--arguments changes the call; arguments that do not fit the tool are refused and nothing is decided."""
    run, request = await ask(served, client, "deliver all")
    wrong = served("approve", run, request.id, "--arguments", '{"number": "p-2", "weight_kg": "heavy"}')
    assert wrong.code == 2
    assert "weight_kg" in wrong.err
    right = served("approve", run, request.id, "--arguments", '{"number": "p-2", "weight_kg": 9}', "--json")
    assert right.json == {
        "run": run, "request": request.id, "choice": "approve", "by": "dana", "via": "update", "counted": True,
    }  # fmt: skip
    await client.run(run).result()
    assert 'deliver(number="p-2", weight_kg=9)' in served("show", run).out


async def test_reject_tells_the_agent_why(served: CommandLine, client: Client) -> None:
    """`reject` says that the call is not made, and the run goes on without it."""
    run, _ = await ask(served, client, "deliver all")
    done = served("reject", run, "--reason", "too heavy", "--by", "eve")
    assert done.code == 0
    assert "rejected by eve" in done.out
    assert "deliver is not called, and the agent is told why." in done.out
    assert await client.run(run).result() == {"delivered": ["p-1"], "left": ["p-2"]}


async def test_a_question_is_answered_in_words(served: CommandLine, client: Client) -> None:
    """`answer RUN 'words'` answers the only open question, and `approve` says that it takes an answer."""
    run, _ = await ask(served, client, "ask me")
    wrong = served("approve", run)
    assert wrong.code == 2
    assert "a request of kind question takes answer or reject, not approve" in wrong.err
    assert served("answer", run, "the northern one").code == 0
    assert await client.run(run).result() == {"delivered": ["dana answers: the northern one"], "left": []}


async def test_an_unknown_effect_is_settled_by_a_word(served: CommandLine, client: Client) -> None:
    """`happened`, `run` or `skip`: another word is refused with the ones there are; --result is kept."""
    run, request = await ask(served, client, "letter to ana")
    wrong = served("answer", run, "perhaps")
    assert wrong.code == 2
    assert "the answer must be one of: happened, run, skip" in wrong.err
    done = served("answer", run, request.id, "happened", "--result", '{"stamp": 7}')
    assert "post_letter counts as done; it is not called again." in done.out
    await client.run(run).result()
    assert '{"stamp":7}' in served("show", run).out


async def test_a_parked_run_is_discarded(served: CommandLine, client: Client) -> None:
    """A run that no planner can move on is ended by `answer RUN discard`; following it gives code 1."""
    run, _ = await ask(served, client, "park it")
    inbox = served("inbox").out
    assert "the map is upside down" in inbox
    assert "# redrive: go on from where it stopped" in inbox
    assert "The run ends as failed." in served("answer", run, "discard").out
    followed = served("show", run, "--follow")
    assert followed.code == 1
    assert "Status failed: discarded by dana" in followed.out


async def test_a_wrong_request_is_refused_with_the_open_ones(served: CommandLine, client: Client) -> None:
    """A request that is not open: nothing is decided, and the commands for those that are open are shown."""
    run, request = await ask(served, client, "deliver all")
    wrong = served("approve", run, "2.2-approval-00000000")
    assert wrong.code == 2
    assert "there is no open request '2.2-approval-00000000'" in wrong.err
    assert f"holdfast approve {run} {request.id} --by dana" in wrong.err
    assert served("approve", run, request.id).code == 0
    await client.run(run).result()
    late = served("approve", run, request.id)
    assert late.code == 2
    assert f"run {run} has ended (completed) and asks nothing" in late.err


async def test_nobody_approves_their_own_run(served: CommandLine, client: Client) -> None:
    """Whoever a run was started for cannot approve its actions, under whatever name the shell gives them."""
    run, _ = await ask(served, client, "deliver all", "--user", "dana")
    own = served("approve", run)
    assert own.code == 2
    assert "dana started this run and cannot approve its actions: somebody else must" in own.err
    assert served("approve", run, "--by", "eve").code == 0
    await client.run(run).result()


async def test_who_decides_comes_from_the_environment(served: CommandLine, client: Client) -> None:
    """--by, else $HOLDFAST_USER, else $USER says who decides."""
    run, _ = await ask(served, client, "ask me")
    assert served("answer", run, "north", "--json", HOLDFAST_USER="", USER="shell").json["by"] == "shell"
    await client.run(run).result()


async def test_the_inbox_shows_what_is_asked_of_a_role(served: CommandLine, client: Client) -> None:
    """`inbox` lists the open requests of all runs with their commands; --by keeps one role's; --json is data."""
    run, request = await ask(served, client, "deliver all")
    found = served("inbox", "--by", "dispatch", "--json")
    while request.id not in found.out or run not in found.out:  # the server's index lags
        found = served("inbox", "--by", "dispatch", "--json")
    mine = next(one for one in found.json if one["run"] == run)
    assert (mine["tool"], mine["arguments"]) == ("deliver", {"number": "p-2", "weight_kg": 30})
    assert f"holdfast approve {run} {request.id} --by dana" in served("inbox").out
    nobody = served("inbox", "--by", "the-queen")
    assert (nobody.code, nobody.out) == (0, "")
    # Runs of other tests may be without a worker just now; then a second line says so.
    assert nobody.err.splitlines()[0] == "Nothing is asked of the-queen."
    await client.run(run).cancel()


async def test_without_a_worker_runs_are_read_from_history_and_decided_later(
    unserved: CommandLine, client: Client
) -> None:
    """No worker: `show` and `inbox` rebuild the run and say so; a decision waits for a worker with --signal only."""
    with unserved.worker():
        run, request = await ask(unserved, client, "deliver all")
    shown = unserved("show", run)
    assert shown.code == 0
    assert '2.2 deliver(number="p-2", weight_kg=30)' in shown.out
    assert "No worker answered: this was rebuilt offline, from the run's history." in shown.out
    assert unserved("show", run, "--json").json["source"] == "history"
    inbox = unserved("inbox")
    assert f"holdfast approve {run} {request.id} --by dana" in inbox.out
    assert "no worker that answers" in inbox.err
    refused = unserved("approve", run)
    assert refused.code == 3
    assert f"no worker answers for run {run}" in refused.err
    assert "add --signal" in refused.err
    left = unserved("approve", run, "--signal", "--json").json
    assert (left["via"], left["counted"]) == ("signal", False)
    with unserved.worker():
        assert await client.run(run).result() == {"delivered": ["p-1", "p-2"], "left": []}
        assert "approved by dana (signal)" in unserved("show", run).out


async def test_a_run_that_no_worker_has_begun_is_told(unserved: CommandLine) -> None:
    """Started with no worker up: `start` says that it waits, `show` says for what, with exit code 3."""
    started = unserved("start", "parcels", "say hello", "--id", (run := f"run-{uuid.uuid4().hex[:8]}"))
    assert started.code == 0
    assert "No worker answers on task queue" in started.out
    shown = unserved("show", run)
    assert shown.code == 3
    assert f"Run {run} has not begun: no worker serves the task queue" in shown.err
    with unserved.running("show", run, "--follow") as following:
        following.read_until("no worker answers: the run waits for one")
        with unserved.worker():
            assert "Status completed" in following.rest()
            assert following.process.returncode == 0
