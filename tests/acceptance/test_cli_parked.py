"""`holdfast parked`: the dead-letter queue at the command line."""

from __future__ import annotations

import uuid

import pytest
from temporalio.client import Client as TemporalClient

from holdfast import Client
from tests.acceptance.command_line import CommandLine


@pytest.fixture
def client(temporal: TemporalClient) -> Client:
    """Waits for what the command line started."""
    return Client(temporal)


async def parked(cli: CommandLine, client: Client) -> str:
    """A run that its planner's bug has parked."""
    run = f"run-{uuid.uuid4().hex[:8]}"
    assert cli("start", "parcels", "park it", "--id", run).code == 0
    await client.run(run).next_request(kind="parked")
    return run


async def test_what_is_kept_is_shown_with_the_commands(served: CommandLine, client: Client) -> None:
    """`show` tells why, where, how often and since when; `groups` counts, with what to do about it."""
    run, other = await parked(served, client), await parked(served, client)
    shown = served("parked", "show", run)
    assert shown.code == 0
    for part in ("parked", "planner rules plan_route", "the map is upside down", "before step 1"):
        assert part in shown.out
    assert f"holdfast parked discard {run} --reason 'WHY' --by dana" in shown.out
    note = served("parked", "show", run, "--json").json
    assert (note["task"], note["failure"]["message"]) == (
        "park it",
        "rules plan_route: the map is upside down",
    )
    groups = {one["fingerprint"]: one for one in served("parked", "groups", "--json").json}
    assert {run, other} <= set(groups[note["fingerprint"]]["runs"])
    assert "the map is upside down" in served("parked", "groups").out
    listed = served("parked", "list", "--group", note["fingerprint"]).out
    assert run in listed
    assert other in listed


async def test_a_group_is_moved_on_only_when_that_is_meant(served: CommandLine, client: Client) -> None:
    """Without --yes nothing happens; with it all are ended, counted, and say who ended them and why."""
    run = await parked(served, client)
    cause = served("parked", "show", run, "--json").json["fingerprint"]
    rehearsed = served("parked", "discard", "--group", cause, "--reason", "a bug", "--dry-run")
    assert rehearsed.code == 0
    assert "nothing was changed" in rehearsed.out
    refused = served("parked", "discard", "--group", cause, "--reason", "a bug")
    assert (refused.code, "--yes" in refused.err) == (2, True)
    done = served("parked", "discard", "--group", cause, "--reason", "a bug", "--yes")
    assert done.code == 0
    assert "discarded by dana" in done.out
    outcome = await client.run(run).outcome()
    assert (outcome.status, outcome.reason) == ("failed", "discarded by dana: a bug")


def test_a_group_that_has_no_runs_moves_nothing(served: CommandLine) -> None:
    """That is said, with where to look; the document of --json has nothing in it."""
    done = served("parked", "redrive", "--group", "0123456789ab", "--yes", "--json")
    assert (done.code, done.json["done"], done.json["failed"]) == (0, [], {})
    assert "holdfast parked groups" in done.err
    assert served("parked", "redrive", "--group", "0123456789ab", "--dry-run", "--json").json == []


async def test_what_could_not_be_moved_on_is_listed(served: CommandLine, client: Client) -> None:
    """Some redriven, some not: the others are named with why, and the exit code is 1."""
    run = await parked(served, client)
    done = served("parked", "redrive", run, "no-such-run", "--json")
    assert done.code == 1
    assert done.json["done"] == [run]
    assert "There is no run 'no-such-run'" in done.json["failed"]["no-such-run"]
    await client.run(run).cancel()


@pytest.mark.parametrize(
    "arguments,words",
    [
        (["mend"], "There is no `parked mend`"),
        (["show"], "Say which run"),
        (["redrive"], "Say which"),
        (["redrive", "x", "--all"], "Say which"),
        (["discard", "x"], "Say why by --reason"),
        (["discard", "x", "--reason", "y", "--from-step", "2"], "does not go on"),
        (["list", "x"], "take no runs"),
    ],
)
def test_what_cannot_be_meant_is_told(served: CommandLine, arguments: list[str], words: str) -> None:
    """A sentence that says what would be right, and exit code 2."""
    done = served("parked", *arguments)
    assert done.code == 2
    assert words in done.err
