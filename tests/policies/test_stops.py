"""policies/stops.py: the table of stop reasons in its docstring, and that only known reasons run calls."""

from __future__ import annotations

import pytest
from hypothesis import given

import policies.stops
from policies.stops import LAST_TURN, UNKNOWN, Next, after
from tests.strategies import hostile_texts

EXPECTED: dict[str, tuple[Next, Next]] = {
    "tool_use": ("calls", "answer"),
    "end_turn": ("calls", "answer"),
    "stop_sequence": ("calls", "answer"),
    "pause_turn": ("calls", "again"),
    "max_tokens": ("cut_off", "cut_off"),
    "model_context_window_exceeded": ("next_rung", "next_rung"),
    "refusal": ("next_rung", "next_rung"),
}
"""What follows each known reason: with calls in the answer, and without."""


def the_table() -> dict[str, str]:
    """The docstring's table: whether the calls of an answer are run, by stop reason."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (policies.stops.__doc__ or "").splitlines()
        if line.startswith("|") and not line.startswith("|-")
    ]
    return {reason: row[1] for row in rows[1:] for reason in row[0].split(", ")}


@pytest.mark.parametrize("reason", EXPECTED)
def test_each_reason_has_its_consequence(reason: str) -> None:
    """What follows an answer depends on why it stopped and whether it holds calls."""
    assert (after(reason, has_calls=True), after(reason, has_calls=False)) == EXPECTED[reason]


def test_the_table_says_whose_calls_are_run() -> None:
    """The docstring and the code agree on every reason."""
    table = the_table()
    assert table.pop("anything else") == table.pop("or none") == "never run"
    assert {reason: cell.startswith("run") for reason, cell in table.items()} == {
        reason: after(reason, has_calls=True) == "calls" for reason in EXPECTED
    }


@given(hostile_texts.filter(lambda reason: reason not in EXPECTED))
def test_an_unknown_reason_never_runs_calls(reason: str) -> None:
    """Half a call looks runnable: only a reason that is known to be good runs one."""
    assert after(reason, has_calls=True) == after(reason, has_calls=False) == "unknown"


@pytest.mark.parametrize("reason", ["None", "", "TOOL_USE", "tool_use ", "max_tokens_exceeded"])
def test_a_reason_that_is_nearly_known_is_unknown(reason: str) -> None:
    """No reason at all (spelled None) is unknown, as is one in another spelling."""
    assert after(reason, has_calls=True) == "unknown"


@given(hostile_texts)
def test_what_the_model_is_told_takes_any_reason(reason: str) -> None:
    """Braces in a reason or a limit are no placeholders."""
    assert reason in UNKNOWN.format(reason=reason)
    assert reason in LAST_TURN.format(limit=reason)
