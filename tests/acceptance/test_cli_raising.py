"""`holdfast raise`: a run that has reached its limit goes on where it stopped."""

from __future__ import annotations

import shlex
import uuid

import pytest
from temporalio.client import Client as TemporalClient

from holdfast import Client
from tests.acceptance.command_line import CommandLine


async def test_a_run_at_its_limit_goes_on_with_more(unserved: CommandLine, temporal: TemporalClient) -> None:
    """The inbox names the command; what it does is shown, kept with who and why, and the run does the rest."""
    run = f"run-{uuid.uuid4().hex[:8]}"
    with unserved.worker("tests.acceptance.agents.counter"):
        assert unserved("start", "counter", "count them", "--id", run).code == 0
        await Client(temporal).run(run).next_request(kind="limit")
        inbox = unserved("inbox").out
        command = next(line for line in inbox.splitlines() if f"holdfast raise {run}" in line)
        assert "--steps +20" in command

        early = unserved("raise", run, "--steps", "1", "--by", "dana")
        assert (early.code, "2" in early.err, early.out) == (2, True, "")

        more = unserved("raise", run, "--calls", "99", "--json").json
        assert (more["counted"], more["raised"]["after"]) == (True, {"calls": 99})
        raised = unserved(*shlex.split(command.split("--address")[0])[1:], "--reason", "there are four")
        assert raised.code == 0, raised.err
        assert "raised by dana" in raised.out
        assert "from 2 steps to 23 steps" in raised.out
        assert f"holdfast show {run} --follow" in raised.out
        ended = unserved("result", run, "--wait", "--json")
        assert (ended.code, ended.json["outcome"]["output"]) == (0, 4)
        view = await Client(temporal).run(run).inspect()
    assert (view.raises[-1].by, view.raises[-1].reason) == ("dana", "there are four")
    closed = unserved("raise", run, "--steps", "+1")
    assert (closed.code, "has ended already" in closed.err) == (2, True)


@pytest.mark.parametrize(
    "arguments,words",
    [
        ([], "Say which limit is raised"),
        (["--steps", "many"], "many"),
        (["--wall-clock", "1 moon"], "1 moon"),
        (["--cost-usd", "-3"], "-3"),
    ],
)
def test_what_cannot_be_meant_is_refused(served: CommandLine, arguments: list[str], words: str) -> None:
    """Exit code 2, and a sentence that says what would be right; nothing is sent."""
    run = f"run-{uuid.uuid4().hex[:8]}"
    assert served("start", "parcels", "deliver", "--id", run).code == 0
    refused = served("raise", run, *arguments)
    served("cancel", run)
    assert (refused.code, refused.out) == (2, "")
    assert words in refused.err
    assert "Traceback" not in refused.err
