"""Looking back, forking, comparing, rewinding and recording, as a person or a script does it."""

from __future__ import annotations

import uuid

from tests.acceptance.command_line import CommandLine


def test_going_back_from_the_command_line(served: CommandLine) -> None:
    """A step is shown as it was; a fork names its source and parts from it; a rewind says first what stands."""
    run = f"back-{uuid.uuid4().hex[:8]}"
    served("start", "parcels", "deliver all", "--id", run)
    served("approve", run)
    assert served("show", run, "--follow").code == 0

    past = served("show", run, "--at", "1")
    assert f"{run} after step 1" in past.out
    assert 'model  calls list_parcels(depot="north")' in past.out
    assert "deliver(" not in past.out

    fork = served("fork", run, "--at", "1", "--message", "Mind the dog.", "--json").json
    assert fork["parent"] == run
    shown = served("show", fork["run"])
    assert f"fork of  {run} at step 1 by dana, writes: simulate; changed: message" in shown.out
    compared = served("diff", run, fork["run"], "--json").json
    assert (compared["part_at"], compared["steps"][0]["same"]) == (2, True)
    assert "They part at step 2." in served("diff", run, fork["run"]).out

    refused = served("rewind", run, "--to", "1")
    assert refused.code == 2
    assert "Done since step 1, and it will still stand:" in refused.out
    assert '2.1  deliver {"number": "p-1", "weight_kg": 2}  can be undone' in refused.out
    assert "Give --yes" in refused.err
    gone_back = served("rewind", run, "--to", "1", "--yes", "--json").json
    assert sorted(one["call"] for one in gone_back["made"]) == ["2.1", "2.2"]

    here = CommandLine(served.folder, served.options[:2])  # these need no task queue
    file = served.folder / "histories" / f"{run}.json"
    assert "events stored in" in here("record", run, str(file)).out
    assert here("record", run, str(file)).code == 2
    assert here("replay", str(file)).code == 0
