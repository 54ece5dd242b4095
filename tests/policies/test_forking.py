"""What may be written after going back."""

from __future__ import annotations

import pytest

from holdfast.contracts.calls import CallRecord
from holdfast.contracts.forks import MadeCall, Writes
from policies.approval import Clearance
from policies.effects import fingerprint
from policies.forking import careful
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
