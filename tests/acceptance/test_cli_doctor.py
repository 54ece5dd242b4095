"""`holdfast doctor`: what it shows, what it exits with, and its schedule."""

from __future__ import annotations

from tests.acceptance.command_line import CommandLine


def test_it_says_what_is_wrong_and_what_helps(unserved: CommandLine) -> None:
    """A run waits on a task queue without workers: exit code 3, a table, and the command with its server options."""
    address, queue = unserved.options[1], unserved.options[3]
    unserved("start", "parcels", "send", "--id", f"waits-{queue}")
    done = unserved("doctor")
    while "1 open run waits" not in done.out:  # the server's index lags by a moment
        done = unserved("doctor")
    assert done.code == 3
    assert "search attributes  ok" in done.out
    assert (
        f"problem  No worker asks for workflow tasks on task queue {queue}; 1 open run waits for one."
        in done.out
    )
    assert f"holdfast worker MODULE --task-queue {queue} --address {address}\n" in done.out
    found = unserved("doctor", "--json").json
    assert {line["name"] for line in found["checks"]} >= {"server", "workers", "runs", "artifacts"}
    (own,) = [one for one in found["queues"] if one["name"] == queue and one["kind"] == "workflow"]
    assert (own["pollers"], own["backlog"], own["waiting"]) == (0, 1, 1)
    assert own["age_seconds"] > 0


def test_its_schedule_is_made_and_removed(unserved: CommandLine) -> None:
    """A program is told what became of it; what is no length of time is a mistake."""
    done = [unserved("doctor", *options, "--json") for options in (("--schedule", "5m"), ("--unschedule",))]
    assert [one.json["done"] for one in done] == ["created", "removed"]
    assert done[0].json["schedule"] == f"holdfast-doctor/{unserved.options[3]}"
    wrong = unserved("doctor", "--schedule", "often")
    assert wrong.code == 2
    assert "say one from 1s to 30d" in wrong.err


def test_a_server_that_does_not_answer_is_exit_code_3(nowhere: CommandLine) -> None:
    """Whoever watches from outside can tell that nothing answers."""
    done = nowhere("doctor")
    assert done.code == 3
    assert "127.0.0.1:1" in done.err
