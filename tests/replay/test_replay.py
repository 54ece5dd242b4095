"""Runs that were recorded by a released version are carried on by today's code, decision by decision."""

from __future__ import annotations

import pytest

from holdfast.testing import assert_replays
from tests.replay.recorded import HISTORIES, expected, outcome_status, recorded
from tests.replay.scenarios import SCENARIOS
from workers.replay import offline_view


def test_no_history_is_missing() -> None:
    """Every scenario has been recorded, and nothing else lies among the recordings."""
    assert sorted(SCENARIOS) == sorted(expected())
    assert sorted(SCENARIOS) == sorted(path.stem for path in HISTORIES.glob("*.json"))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_history_is_as_it_was_recorded(scenario: str) -> None:
    """A history has all of its events, and ends as it did."""
    history = recorded(scenario)

    assert expected()[scenario] == {"events": len(history.events), "status": outcome_status(history)}


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_recorded_run_replays(scenario: str) -> None:
    """Today's code makes the recorded decisions, with the recorded inputs of every activity and the same result."""
    report = await assert_replays(recorded(scenario), same_inputs=True)

    assert report.events == expected()[scenario]["events"]


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if SCENARIOS[name].given is None])
async def test_a_recorded_run_can_be_shown_without_a_worker(scenario: str) -> None:
    """The run as people inspect it is rebuilt from its history alone."""
    view = await offline_view(recorded(scenario))

    assert view.run == scenario
    assert view.status == expected()[scenario]["status"]
    assert view.steps
