"""What an alert says."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from holdfast.contracts.calls import Failure
from holdfast.contracts.parked import ParkedNote
from policies.alerts import MAX_MESSAGE_CHARS, alert_of, alert_of_failure, body, log_line

NOTE = ParkedNote(
    fingerprint="3f9c01d2ab47",
    failure=Failure(kind="transient", message="Overloaded (request req_1)", error="overloaded_error"),
    where="planner claude-sonnet-5",
    why="no planner is left",
    since="2026-11-21T02:00:00.000+00:00",
    last_attempt_at="2026-11-21T03:00:00.000+00:00",
)
ALERT = alert_of("ticket-88", "refunds", NOTE)


def with_message(message: str) -> ParkedNote:
    """The note of a failure with this message."""
    return NOTE.model_copy(update={"failure": NOTE.failure.model_copy(update={"message": message})})


def test_programs_get_its_fields() -> None:
    """JSON holds what a router of alerts needs: an id to drop repetitions by, the group, and what to run."""
    assert body(ALERT, "json", alert_id="a-1", quiet_seconds=60.0) == {
        "event": "run_parked",
        "id": "a-1",
        "fingerprint": "3f9c01d2ab47",
        "run": "ticket-88",
        "agent": "refunds",
        "where": "planner claude-sonnet-5",
        "kind": "transient",
        "error": "overloaded_error",
        "message": "Overloaded (request req_1)",
        "parked_at": "2026-11-21T03:00:00.000+00:00",
        "more": 0,
        "quiet_seconds": 60.0,
        "commands": [
            "holdfast parked list --group 3f9c01d2ab47",
            "holdfast parked redrive --group 3f9c01d2ab47 --dry-run",
        ],
    }


def test_people_get_a_text() -> None:
    """It says what failed and why, which run waits, for how long it is quiet, and the commands."""
    text = body(ALERT, "slack", alert_id="a-1", quiet_seconds=5400.0)["text"]
    assert text.splitlines() == [
        "*A run is parked: planner claude-sonnet-5 failed* (transient, overloaded_error)",
        "> Overloaded (request req_1)",
        (
            "Run `ticket-88` of agent `refunds` has kept everything, and waits for a person. Runs that the same "
            "cause stops are group `3f9c01d2ab47`. No other alert of this cause for 90 min."
        ),
        "```holdfast parked list --group 3f9c01d2ab47",
        "holdfast parked redrive --group 3f9c01d2ab47 --dry-run```",
    ]


def test_of_more_runs_it_says_how_many() -> None:
    """When the quiet is over: the number, and the command that lists them."""
    text = body(ALERT.model_copy(update={"more": 99}), "slack", alert_id="a-2", quiet_seconds=3600.0)["text"]
    assert text.splitlines() == [
        "*99 more runs are parked: planner claude-sonnet-5 failed* (transient, overloaded_error)",
        "> Overloaded (request req_1)",
        (
            "So many were stopped by this cause since its last alert; the first of all was `ticket-88` of agent "
            "`refunds`. They have kept everything, and wait for a person: group `3f9c01d2ab47`. "
            "No other alert of this cause for 1 h."
        ),
        "```holdfast parked list --group 3f9c01d2ab47",
        "holdfast parked redrive --group 3f9c01d2ab47 --dry-run```",
    ]


def test_the_log_gets_a_line() -> None:
    """Run, cause and group."""
    assert log_line(ALERT) == (
        "ticket-88  parked, a person must move it on: planner claude-sonnet-5 failed (transient, "
        "overloaded_error): Overloaded (request req_1) [group 3f9c01d2ab47]"
    )


FAILED = alert_of_failure(
    "ticket-88",
    "refunds",
    "refund",
    Failure(kind="contract", message="refund does not keep its contract: id: Field required"),
)


def test_a_failure_that_stopped_no_run_is_told_in_other_words() -> None:
    """It names what must be mended, and where to look; its cause is not the group of a parked run."""
    text = body(FAILED, "slack", alert_id="a-3", quiet_seconds=0.0)["text"]
    assert text.splitlines() == [
        "*A person must mend this: refund failed* (contract)",
        "> refund does not keep its contract: id: Field required",
        (
            "Run 'ticket-88' of agent 'refunds' goes on without it. It answered something else than it promises: "
            "has the service behind it changed?"
        ),
        "```holdfast show ticket-88```",
    ]
    assert log_line(FAILED) == (
        "ticket-88  a person must mend it: refund failed (contract): refund does not keep its contract: id: Field required"
    )
    more = body(FAILED.model_copy(update={"more": 2}), "slack", alert_id="a-4", quiet_seconds=0.0)["text"]
    assert more.startswith("*2 more runs met this: refund failed*")


@given(st.text(max_size=2000), st.text(max_size=50))
def test_data_is_never_markup(message: str, run: str) -> None:
    """Whatever a vendor's message holds, it calls nobody, links nowhere, ends no code block, and is of bounded length."""
    alert = alert_of(run, "refunds", with_message(message))
    assert len(alert.message) <= MAX_MESSAGE_CHARS
    text = body(alert, "slack", alert_id="a-1", quiet_seconds=0.0)["text"]
    assert text.count("```") == 2
    assert "<" not in text
    assert len(text.splitlines()) == 5
    json.dumps(text)
