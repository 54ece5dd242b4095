"""policies/loops.py: detectors of loops over the run's record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.calls import CallRecord, Failure
from holdfast.contracts.run import StepRecord
from policies import loops


def made(what: str, result: str = "r", **more: Any) -> CallRecord:
    """A call that was made."""
    given: dict[str, Any] = {
        "id": "1.1", "tool_use_id": "t", "tool": what, "arguments": {}, "fingerprint": what,
        "result_digest": result, "status": "done", **more,
    }  # fmt: skip
    return CallRecord(**given)


def failed(message: str) -> CallRecord:
    """A call that failed."""
    return made("a", message, status="failed", failure=Failure(kind="correctable", message=message))


WRITE = made("w", effect="irreversible")


@pytest.mark.parametrize(
    "ledger,known",
    [
        ([made("a")] * 2, False),
        ([made("a")] * 3, True),
        ([made("a"), made("a"), made("a", "other")], False),
        ([made("a")] * 3 + [made("b")], True),
        ([made("a")] * 3 + [WRITE], False),
        ([made("a")] * 3 + [made("w", effect="irreversible", dry_run=True)], True),
        ([made("a")] * 3 + [made("ask_human", fingerprint="")], False),
        ([WRITE] + [made("a")] * 3, True),
    ],
)
def test_three_same_results_answer_the_fourth_call(ledger: list[CallRecord], known: bool) -> None:
    """Unless something was done in between."""
    assert (loops.answered_before(ledger, made("a", "")) is not None) is known


def test_calls_before_the_mark_do_not_count() -> None:
    """A human may have changed what was seen before."""
    assert loops.answered_before([made("a")] * 3, made("a", ""), since=1) is None


def test_two_calls_in_turns_are_seen() -> None:
    """Six calls, two by turns, always with the same results."""
    a, b = made("a"), made("b")
    assert loops.in_turns([a, b] * 3) == 6
    assert loops.in_turns([a, a]) == 0
    assert loops.in_turns([a, b, a, made("b", "other")]) == 2


def test_the_same_error_is_counted_whatever_its_numbers() -> None:
    """`no order 7` and `no order 8` are one error."""
    assert loops.errors_in_a_row([failed(f"no order {n}") for n in range(3)], "a") == 3
    assert loops.errors_in_a_row([failed("x"), made("a"), failed("x")], "a") == 1


def test_the_same_words_twice_bring_nothing_new() -> None:
    """Silence too."""
    silent = StepRecord(number=1, rung=0, planner="m", stop_reason="end_turn")
    said = silent.model_copy(update={"text": "Hm."})
    assert loops.brings_nothing_new(silent, silent)
    assert loops.brings_nothing_new(said, said)
    assert not loops.brings_nothing_new(said, silent)
    assert not loops.brings_nothing_new(said, None)


@given(st.lists(st.sampled_from([made("a"), made("b"), WRITE, failed("x")]), max_size=12))
def test_detectors_take_any_ledger(ledger: list[CallRecord]) -> None:
    """Whatever happened, they answer, and never count more than there is."""
    assert 0 <= loops.in_turns(ledger) <= len(ledger)
    assert 0 <= loops.errors_in_a_row(ledger, "a") <= len(ledger)
