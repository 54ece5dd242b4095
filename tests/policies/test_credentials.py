"""policies/credentials.py: which calls were refused, and in which words a person is asked."""

from __future__ import annotations

import pytest

from holdfast.contracts.calls import CallRecord, CallStatus, Failure, FailureKind
from holdfast.contracts.plans import Usage
from holdfast.contracts.run import StepRecord
from policies.credentials import in_words, made_again, refused


def made(
    call: str,
    kind: FailureKind | None,
    status: CallStatus = "failed",
    *,
    tool: str = "pay",
    said: str = "401.",
) -> CallRecord:
    """A call that ended like this."""
    failure = Failure(kind=kind, message=said) if kind else None
    return CallRecord(id=call, tool_use_id=call, tool=tool, arguments={}, status=status, failure=failure)


@pytest.mark.parametrize(
    "status,kind,is_refused",
    [
        ("failed", "credentials", True),
        ("failed", "transient", False),
        ("failed", None, False),
        ("done", "credentials", False),
        ("unknown", "credentials", False),
        ("cancelled", "credentials", False),
    ],
)
def test_only_a_call_that_ended_so_is_refused(
    status: CallStatus, kind: FailureKind | None, is_refused: bool
) -> None:
    """What happened, may have happened, or was stopped, is not made again."""
    assert bool(refused([made("1.1", kind, status)])) is is_refused


def test_a_person_reads_which_calls_and_what_to_do() -> None:
    """Calls of one cause are named together, causes one after the other."""
    calls = [made("1.1", "credentials"), made("1.2", "credentials", tool="mail", said="token expired")]
    assert in_words([*calls, made("1.3", "credentials")]) == (
        "credentials were refused. pay (1.1, 1.3): 401; mail (1.2): token expired. "
        "Renew them, then redrive: these calls are made again, and nothing else"
    )
    assert in_words(calls[:1]).endswith("this call is made again, and nothing else")


def test_what_a_tool_said_is_told_shortened() -> None:
    """A page of HTML does not hide what else was refused."""
    told = in_words([made("1.1", "credentials", said="x" * 10_000), made("1.2", "credentials", tool="mail")])
    assert len(told) < 1_000
    assert "mail (1.2): 401" in told


@pytest.mark.parametrize(
    "finished,from_step,again",
    [(None, None, ["1.1 pay A-1"]), (None, 1, []), ("2026-11-26T08:00:00.000+00:00", None, [])],
    ids=["in the middle of a step", "from an earlier step", "between two steps"],
)
def test_a_redrive_makes_again_what_was_refused_in_its_own_step(
    finished: str | None, from_step: int | None, again: list[str]
) -> None:
    """Going back it plans instead, and a step that has ended is not looked at again."""
    call = made("1.1", "credentials").model_copy(update={"arguments": {"order": "A-1"}})
    step = StepRecord(
        number=1, rung=0, planner="p", stop_reason="tool_use", usage=Usage(), started_at="", calls=[call]
    ).model_copy(update={"finished_at": finished})
    assert made_again([step], from_step) == again
    assert made_again([], from_step) == []
