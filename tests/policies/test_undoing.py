"""Taking back: which calls, in what order, and in what words."""

from __future__ import annotations

import pytest

from holdfast.contracts.calls import Failure
from holdfast.contracts.undo import DoneCall, UndoneCall
from policies.undoing import failed, in_words, not_known, step_of, to_take_back, why_not
from tests.contracts.examples import STOP, TOOL_INPUT

DONE = [
    DoneCall(input=TOOL_INPUT.model_copy(update={"call": name}), tool=STOP)
    for name in ("1.1", "2.1", "2.2", "10.1")
]
UNDONE = UndoneCall(call="3.1", tool="stop", outcome="undone")
DOWN = UndoneCall(
    call="2.1", tool="stop", outcome="failed", failure=Failure(kind="transient", message="it is down")
)
FINAL = UndoneCall(call="1.1", tool="announce", outcome="irreversible")


def test_a_call_s_step_is_in_its_id() -> None:
    """Steps are numbers, so that the tenth comes after the ninth."""
    assert [step_of(one.input.call) for one in DONE] == [1, 2, 2, 10]


@pytest.mark.parametrize(
    "calls,to_step,found",
    [
        (None, None, ["10.1", "2.2", "2.1", "1.1"]),
        (None, 0, ["10.1", "2.2", "2.1", "1.1"]),
        (None, 2, ["10.1"]),
        (None, 10, []),
        (["1.1", "2.2"], None, ["2.2", "1.1"]),
        (["1.1", "2.2"], 1, ["2.2"]),
        ([], None, []),
    ],
)
def test_calls_are_taken_back_last_first(
    calls: list[str] | None, to_step: int | None, found: list[str]
) -> None:
    """All of them, those that are named, or those after a step."""
    assert [one.input.call for one in to_take_back(DONE, calls, to_step)] == found


def test_what_a_run_went_back_behind_is_told_apart() -> None:
    """Alone or with the rest, by the steps in which it was done; told twice it is known once."""
    left = [one.model_copy(update={"forgotten": True}) for one in DONE[2:]]
    again = DONE[2].model_copy(update={"rewound": "ab12cd"})
    log = [*DONE[:2], *left, again]
    assert to_take_back(log, None, None, forgotten=True) == left[::-1]
    assert to_take_back(log, None, 2, forgotten=True) == left[1:]
    assert to_take_back(log, ["2.2"], None) == [again, left[0]]
    assert not_known(log, [*DONE, again]) == []
    assert not_known(log, [DONE[0], DONE[3].model_copy(update={"rewound": "ab12cd"})]) == [
        DONE[3].model_copy(update={"rewound": "ab12cd"})
    ]


@pytest.mark.parametrize(
    "undone,words",
    [
        ([], ""),
        ([UNDONE], "1 effect was taken back"),
        ([UNDONE, UNDONE], "2 effects were taken back"),
        ([UNDONE, DOWN], "1 effect was taken back; not 2.1 stop: it is down"),
        ([FINAL], "0 effects were taken back; not 1.1 announce: nothing can take it back"),
    ],
)
def test_what_came_of_it_is_said_in_words(undone: list[UndoneCall], words: str) -> None:
    """How many were taken back, and what still stands and why."""
    assert in_words(undone) == words


def test_only_what_failed_is_worth_another_try() -> None:
    """What was taken back, and what cannot be, is left alone."""
    assert failed([UNDONE, DOWN, FINAL]) == [DOWN]
    assert why_not(UndoneCall(call="1.1", tool="stop", outcome="failed")) == "its undo failed"
