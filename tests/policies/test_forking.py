"""What may be written after going back."""

from __future__ import annotations

import pytest

from holdfast.contracts.calls import CallRecord
from holdfast.contracts.forks import MadeCall, Writes
from holdfast.contracts.requests import DecisionInput, Request, RequestKind
from policies.approval import Clearance
from policies.effects import fingerprint
from policies.forking import careful, pointless
from policies.reminding import Patience
from tests.contracts.examples import AGENT, ARGUMENTS, STOP

READ = STOP.model_copy(update={"effect": "read"})
RECORD = CallRecord(
    id="4.1",
    tool_use_id="t",
    tool=STOP.name,
    arguments=ARGUMENTS,
    fingerprint=fingerprint(STOP.name, ARGUMENTS),
    idempotency_key="stop/i-0abc",
)
SAME = MadeCall(
    run="other", call="5.1", tool=STOP.name, fingerprint=RECORD.fingerprint, idempotency_key="other/5.1"
)
SAME_KEY = SAME.model_copy(update={"fingerprint": "else", "idempotency_key": "stop/i-0abc"})
ANOTHER = SAME.model_copy(update={"fingerprint": "else"})
ANOTHER_TOOL = SAME.model_copy(update={"tool": "start"})
RUN = Clearance(kind="run")


@pytest.mark.parametrize(
    "writes,made,why",
    [
        (None, [], ""),
        (None, [SAME], "run other has done this already, as call 5.1, and that may still stand"),
        ("run", [SAME_KEY], "run other has done this already, as call 5.1, and that may still stand"),
        ("run", [ANOTHER, ANOTHER_TOOL], ""),
        ("ask", [], "every write of this fork is asked about"),
        ("ask", [SAME], "run other has done this already, as call 5.1, and that may still stand"),
    ],
)
def test_a_real_write_is_asked_about_where_it_may_be_a_second_one(
    writes: Writes | None, made: list[MadeCall], why: str
) -> None:
    """The same call, or one under the same key; and every one where the fork says so."""
    found = careful(RUN, AGENT, STOP, RECORD, writes=writes, made=made)
    assert (found.kind, found.why) == ("ask" if why else "run", why)
    assert found.by == (AGENT.approvers if why else "")


@pytest.mark.parametrize(
    "clearance",
    [Clearance(kind="run", simulate=True), Clearance(kind="refuse", why="no")],
)
def test_what_is_not_really_written_needs_no_more_care(clearance: Clearance) -> None:
    """A simulated or refused call changes nothing, nor does a read."""
    assert careful(clearance, AGENT, STOP, RECORD, writes="ask", made=[SAME]) is clearance
    assert careful(RUN, AGENT, READ, RECORD, writes="ask", made=[SAME]) is RUN


def test_who_is_asked_anyway_is_told_of_the_first_time_too() -> None:
    """An approval that the tool needs stays with whom it is for."""
    asked = Clearance(kind="ask", why="it is dear", by="finops", patience=Patience(expires_in_seconds=60))
    found = careful(asked, AGENT, STOP, RECORD, writes="run", made=[SAME])
    assert (found.by, found.patience.expires_in_seconds) == ("finops", 60)
    assert found.why.endswith("may still stand; it is dear")


@pytest.mark.parametrize(
    "kind,shown,decided,why",
    [
        ("approval", {}, {"choice": "approve"}, ""),
        ("approval", {}, {"choice": "approve", "arguments": {"n": 1}}, "give the call's result instead"),
        ("question", {}, {"answer": "yes"}, ""),
        ("unknown_effect", {}, {"answer": "skip"}, ""),
        ("limit", {"limits": {"steps": 1}}, {"answer": "raise"}, ""),
        ("limit", {"limits": {"steps": 1}}, {"answer": "finish"}, "nothing to go on with"),
        ("limit", {"account": "user/ana"}, {"answer": "raise"}, "about an account"),
        ("takeover", {}, {"answer": "finish", "result": 7}, ""),
        ("parked", {}, {"answer": "redrive"}, ""),
        ("parked", {}, {"answer": "redrive", "result": {"from_step": 2}}, "choose that"),
        ("parked", {}, {"answer": "discard"}, "nothing to go on with"),
        ("rollback", {}, {"answer": "leave"}, "no effects of its own"),
    ],
)
def test_what_a_fork_cannot_decide_otherwise(
    kind: RequestKind, shown: dict[str, object], decided: dict[str, object], why: str
) -> None:
    """What would only end it, or is about what it has not: its effects, its account, other arguments."""
    request = Request(
        id="r", kind=kind, run="a", agent="a", digest="d", step=1, why="", by="ops", arguments=shown
    )
    given = DecisionInput.model_validate({"by": "eve", "choice": "answer", **decided})
    found = pointless(request, given)
    assert (why in (found or "")) if why else found is None
