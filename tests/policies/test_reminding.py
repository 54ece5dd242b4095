"""What becomes of a request that nobody answers, and when."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.requests import Request
from policies.alerts import body
from policies.reminding import Patience, after, alert_of, in_words, log_line, next_due, timed

NOW = datetime(2026, 11, 26, 3, 0, tzinfo=UTC)
ASKED = Request(
    id="3.1-approval-ab12cd34",
    kind="approval",
    run="ticket-88",
    agent="refunds",
    digest="d",
    step=3,
    why="refund needs approval by finops: amount > 100",
    by="finops",
    tool="refund",
    arguments={"order": "A-17"},
    opened_at=NOW.isoformat(),
)


def steps(request: Request) -> list[tuple[str, float]]:
    """Everything that becomes of a request which nobody answers: what, and after how many seconds."""
    found: list[tuple[str, float]] = []
    while (due := next_due(request)) is not None:
        found.append((due.step, (due.at - NOW).total_seconds()))
        if due.step == "expire":
            break
        request = after(request, due.step, due.at.isoformat())
    return found


def patience(remind: float | None, escalate: float | None, expires: float | None) -> Patience:
    """Times in seconds."""
    return Patience(
        remind_after_seconds=remind,
        escalate_after_seconds=escalate,
        escalate_to="cfo",
        expires_in_seconds=expires,
    )


@pytest.mark.parametrize(
    "waits,happens",
    [
        (patience(None, None, None), []),
        (patience(None, None, 9.0), [("expire", 9.0)]),
        (patience(5.0, None, None), [("remind", 5.0)]),
        (patience(5.0, 7.0, 9.0), [("remind", 5.0), ("escalate", 7.0), ("expire", 9.0)]),
        (patience(7.0, 5.0, 9.0), [("escalate", 5.0), ("remind", 7.0), ("expire", 9.0)]),
        (patience(5.0, 5.0, 5.0), [("remind", 5.0), ("escalate", 5.0), ("expire", 5.0)]),
    ],
)
def test_a_request_is_reminded_of_then_escalated_then_denied(
    waits: Patience, happens: list[tuple[str, float]]
) -> None:
    """Each once, in the order of their times; without any it waits for ever."""
    assert steps(timed(ASKED, waits, NOW)) == happens


TIMES = st.none() | st.floats(0.001, 1e7)


@given(TIMES, TIMES, TIMES)
def test_nothing_happens_twice_and_times_never_go_back(
    remind: float | None, escalate: float | None, expires: float | None
) -> None:
    """Whatever the times: at most three timers, and after the deadline none."""
    found = steps(timed(ASKED, patience(remind, escalate, expires), NOW))
    assert len({step for step, _ in found}) == len(found)
    assert [at for _, at in found] == sorted(at for _, at in found)


def test_an_escalated_request_is_for_both() -> None:
    """It says so, and is found by either."""
    request = timed(ASKED, patience(None, 5.0, None), NOW)
    assert (request.asked, request.asks("finops"), request.asks("cfo")) == ("finops", True, False)
    escalated = after(request, "escalate", NOW.isoformat())
    assert (escalated.asked, escalated.asks("finops"), escalated.asks("cfo")) == (
        "finops and cfo",
        True,
        True,
    )
    assert in_words(escalated, "escalate") == (
        "3.1-approval-ab12cd34 was not answered by finops: cfo is asked too"
    )


def test_people_are_told_with_the_command_that_answers() -> None:
    """Which run, what, since when, until when, and how to answer; nothing of the arguments or of why."""
    request = after(timed(ASKED, patience(5.0, None, 3600.0), NOW), "remind", NOW.isoformat())
    alert = alert_of(request, "remind")
    text = body(alert, "slack", alert_id="a-1", quiet_seconds=3600.0)["text"]
    assert text.splitlines() == [
        "*A request waits for finops*",
        (
            "> Run ticket-88 of agent refunds. Its approval of refund has waited for finops since 2026-11-26 03:00 UTC. "
            "Unanswered, it is denied at 2026-11-26 04:00 UTC."
        ),
        (
            "Look at what it asks, then answer. All that wait are in the inbox. No other alert of this cause for 1 h."
        ),
        "```holdfast show ticket-88",
        "holdfast approve ticket-88 3.1-approval-ab12cd34 --by YOUR-NAME",
        "holdfast reject ticket-88 3.1-approval-ab12cd34 --by YOUR-NAME --reason WHY",
        "holdfast inbox```",
    ]
    assert log_line(request, "remind", alert) == (
        "ticket-88  reminded finops of 3.1-approval-ab12cd34, which has waited since 2026-11-26 03:00 UTC; answer: "
        "holdfast approve ticket-88 3.1-approval-ab12cd34 --by YOUR-NAME"
    )
    assert "A-17" not in json.dumps(body(alert, "json", alert_id="a-1", quiet_seconds=0.0))


def test_many_requests_for_the_same_people_are_one_alert() -> None:
    """A hundred runs of one agent that wait for one team: one cause; a reminder and an escalation are two."""
    other = ASKED.model_copy(update={"run": "ticket-89", "id": "1.1-approval-ffffffff", "tool": "pay"})
    found = [alert_of(one, "remind") for one in (ASKED, other)]
    assert found[0].fingerprint == found[1].fingerprint
    escalated = after(timed(ASKED, patience(None, 5.0, None), NOW), "escalate", NOW.isoformat())
    alert = alert_of(escalated, "escalate")
    assert alert.fingerprint != found[0].fingerprint
    text = body(alert.model_copy(update={"more": 41}), "slack", alert_id="a-1", quiet_seconds=0.0)["text"]
    assert text.startswith("*41 more runs ask cfo too*\n")


def test_the_deadline_is_where_it_was_said() -> None:
    """To the millisecond: tests have short ones."""
    assert timed(ASKED, patience(None, None, 0.3), NOW).deadline == (
        (NOW + timedelta(seconds=0.3)).isoformat(timespec="milliseconds")
    )
