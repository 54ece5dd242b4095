"""When a dependency that fails is left alone, and when it is tried again.

| state     | what happened                                  | becomes   | and                                     |
|-----------|------------------------------------------------|-----------|-----------------------------------------|
| closed    | a call failed                                  | closed    | one more failure in a row               |
| closed    | … and it was the fifth in a row                | open      | for 60 s no call is made                |
| closed    | a call succeeded                               | closed    | no failure in a row                     |
| open      | a call ended that began before                 | open      | it says nothing new                     |
| open      | a caller asks, after the 60 s                  | half_open | the caller makes the one trial call     |
| half_open | a caller asks, while the trial is under way    | half_open | it is refused                           |
| half_open | … and nothing was heard of the trial for 60 s  | half_open | the caller makes another trial call     |
| half_open | a call ended that was no trial                 | half_open | it says nothing new                     |
| half_open | the trial failed                               | open      | for 60 s no call is made                |
| half_open | a trial succeeded, the last or an earlier one  | closed    | all calls are made again                |
| any       | a person resets it                             | closed    | no failure in a row                     |

No library keeps such a breaker: its state is shared by a fleet through a workflow, so the clock is passed in, and each
change is a value.
"""

from datetime import datetime, timedelta

from holdfast.contracts.breakers import Breaker, BreakerAnswer, BreakerReport, BreakerSettings, BreakerState
from holdfast.contracts.calls import Failure, FailureKind
from policies.json_safety import brief

TRANSITIONS: dict[tuple[BreakerState, str], BreakerState] = {
    ("closed", "failed"): "closed",
    ("closed", "failed_once_too_often"): "open",
    ("closed", "succeeded"): "closed",
    ("open", "trial_granted"): "half_open",
    ("half_open", "trial_granted"): "half_open",
    ("half_open", "trial_failed"): "open",
    ("half_open", "trial_succeeded"): "closed",
    ("closed", "reset"): "closed",
    ("open", "reset"): "closed",
    ("half_open", "reset"): "closed",
}
"""What changes a breaker; everything else leaves it as it is."""

COUNTED: frozenset[FailureKind] = frozenset({"transient", "unclassified"})
"""Failures that say something against the service. Any other answer shows that it lives."""

NOT_THE_SERVICES: frozenset[str] = frozenset({"BreakerOpen", "LeaseLost", "ToolNotServed", "QueryFailed"})
"""Errors of the engine itself: they say nothing of the service."""

MAX_WHY_CHARS = 300
MAX_WAIT_SECONDS = 60.0
TRIAL_WAIT_SECONDS = 10.0
"""Who is refused because a trial is under way comes again after this: mostly its end is known by then."""


def model_dependency(model: str) -> str:
    """The dependency that a model is."""
    return f"model:{model}"


def failure_counts(failure: Failure) -> bool | None:
    """Whether a failed call counts as a failure of its service; None: it says nothing of the service."""
    if failure.error in NOT_THE_SERVICES:
        return None
    return failure.kind in COUNTED


def after(known: Breaker, report: BreakerReport, now: datetime) -> BreakerAnswer:
    """The breaker after what was reported, and for a caller that asks whether it may make the trial."""
    event = _meaning(known, report, now)
    state = TRANSITIONS.get((known.state, event))
    if state is None or (event == "succeeded" and known.failures == 0):
        return BreakerAnswer(breaker=known)
    changes = _changes(known, report, event, now)
    since = now if state != known.state else known.since
    changed = known.model_copy(
        update={"state": state, "since": since, "version": known.version + 1, **changes}
    )
    return BreakerAnswer(breaker=changed, trial=changed.trial if event == "trial_granted" else None)


def _meaning(known: Breaker, report: BreakerReport, now: datetime) -> str:
    """The report as an event of the table."""
    if report.event == "ask":
        return "trial_granted" if may_ask(known, now) else "refused"
    if report.event == "reset" or known.state == "closed":
        too_often = report.event == "failed" and known.failures + 1 >= report.settings.failures
        return "failed_once_too_often" if too_often else report.event
    if known.state == "half_open" and report.trial is not None:
        if report.event == "succeeded":
            return "trial_succeeded"
        if report.trial == known.trial:
            return "trial_failed"
    return "too_late"


def _changes(known: Breaker, report: BreakerReport, event: str, now: datetime) -> dict[str, object]:
    settings = report.settings
    failed = {"last_failure": brief(report.why, MAX_WHY_CHARS), "failed_at": now}
    match event:
        case "failed":
            return {**failed, "failures": known.failures + 1, "reset_by": ""}
        case "failed_once_too_often":
            until = now + timedelta(seconds=settings.open_seconds)
            return {**failed, "failures": known.failures + 1, "until": until, "reset_by": ""}
        case "trial_failed":
            return {**failed, "until": now + timedelta(seconds=settings.open_seconds)}
        case "trial_granted":
            return {"trial": known.trial + 1, "until": now + timedelta(seconds=settings.trial_seconds)}
        case "reset":
            return {"failures": 0, "until": None, "reset_by": brief(report.why, MAX_WHY_CHARS)}
        case _:  # it succeeded
            return {"failures": 0, "until": None}


def may_ask(known: Breaker, now: datetime) -> bool:
    """Whether a trial may be made now, as far as this view knows."""
    return known.state != "closed" and (known.until is None or now >= known.until)


def wait_seconds(known: Breaker, now: datetime) -> float:
    """How long a caller that was refused should wait before it comes again; never longer than a minute."""
    left = (known.until - now).total_seconds() if known.until is not None else 0.0
    longest = TRIAL_WAIT_SECONDS if known.state == "half_open" else MAX_WAIT_SECONDS
    return max(1.0, min(left, longest))


BREAKER_OPEN = "BreakerOpen"
"""The error of a call that was not made."""

LAST_FAILURE = ", lastly: "
"""Behind it stands, in that error's message, what opened the breaker: the error's type, a colon, its message."""


def held(known: Breaker) -> Failure:
    """Why a call was not made."""
    until = f" until {known.until:%H:%M:%S} UTC" if known.until is not None else ""
    times = f"its last {known.failures} calls failed" if known.failures > 1 else "its last call failed"
    last = f"{LAST_FAILURE}{known.last_failure}" if known.last_failure else ""
    return Failure(
        kind="transient",
        message=f"{known.dependency} is not called{until}, because {times}{last}",
        error=BREAKER_OPEN,
    )


def newer(known: Breaker | None, other: Breaker) -> Breaker:
    """Of two views of one breaker the one that knows more."""
    return known if known is not None and known.version > other.version else other


DEFAULTS = BreakerSettings()
