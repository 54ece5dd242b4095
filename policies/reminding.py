"""What becomes of a request that nobody answers: people are reminded, then others are asked too, then it is denied.

Each happens once, at a time that stands in the request from the beginning.
"""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from holdfast.contracts.alerts import Alert
from holdfast.contracts.base import Contract
from holdfast.contracts.digests import digest
from holdfast.contracts.requests import Request
from holdfast.contracts.spec import ApprovalSpec
from policies.fingerprints import FINGERPRINT_CHARS
from policies.labels import shell_quoted

Step = Literal["remind", "escalate", "expire"]


class Patience(Contract):
    """How long a request waits for what. None: that never comes."""

    expires_in_seconds: float | None = None
    remind_after_seconds: float | None = None
    escalate_after_seconds: float | None = None
    escalate_to: str = ""


class Due(NamedTuple):
    """What is due next, and when."""

    at: datetime
    step: Step

    @property
    def summary(self) -> str:
        """What its timer is for."""
        return {"remind": "reminder", "escalate": "escalation", "expire": "deadline"}[self.step]


def patience_of(rule: ApprovalSpec | None) -> Patience:
    """The patience of a tool's rule of approval; without one a request waits for ever."""
    if rule is None:
        return Patience()
    return Patience(
        expires_in_seconds=rule.expires_in_seconds,
        remind_after_seconds=rule.remind_after_seconds,
        escalate_after_seconds=rule.escalate_after_seconds,
        escalate_to=rule.escalate_to,
    )


def timed(request: Request, patience: Patience, now: datetime) -> Request:
    """The request with the times at which something is due."""
    return request.model_copy(
        update={
            "deadline": _in(now, patience.expires_in_seconds),
            "remind_at": _in(now, patience.remind_after_seconds),
            "escalate_at": _in(now, patience.escalate_after_seconds),
            "escalate_to": patience.escalate_to,
        }
    )


def next_due(request: Request) -> Due | None:
    """What is due next; None: it waits for ever. At one moment the reminder comes first, and the end last."""
    times: tuple[tuple[Step, str | None], ...] = (
        ("remind", None if request.reminded_at else request.remind_at),
        ("escalate", None if request.escalated_at else request.escalate_at),
        ("expire", request.deadline),
    )
    return min(
        (Due(datetime.fromisoformat(at), step) for step, at in times if at),
        key=lambda due: due.at,
        default=None,
    )


def after(request: Request, step: Step, now: str) -> Request:
    """The request once this has happened."""
    return request.model_copy(update={"reminded_at" if step == "remind" else "escalated_at": now})


def in_words(request: Request, step: Step) -> str:
    """What happened, for those who watch the run."""
    if step == "remind":
        return (
            f"reminded {request.asked} of {request.id}, which has waited since {_minute(request.opened_at)}"
        )
    return f"{request.id} was not answered by {request.by}: {request.escalate_to} is asked too"


def alert_of(request: Request, step: Step) -> Alert:
    """Tells people. Requests of one agent that wait for the same people are one cause: a hundred are one alert."""
    whom = request.asked if step == "remind" else request.escalate_to
    about = f"Its {request.kind.replace('_', ' ')}" + (f" of {request.tool}" if request.tool else "")
    since = f"has waited for {request.by} since {_minute(request.opened_at)}"
    ends = f" Unanswered, it is denied at {_minute(request.deadline)}." if request.deadline else ""
    which = f"{shell_quoted(request.run)} {shell_quoted(request.id)}"
    return Alert(
        event="request_waits" if step == "remind" else "request_escalated",
        fingerprint=digest([step, request.agent, request.kind, whom])[:FINGERPRINT_CHARS],
        run=request.run,
        agent=request.agent,
        where=whom,
        kind=request.kind,
        message=f"Run {request.run} of agent {request.agent}. {about} {since}.{ends}",
        helps="Look at what it asks, then answer. All that wait are in the inbox.",
        commands=(f"holdfast show {shell_quoted(request.run)}", *_answers(request, which), "holdfast inbox"),
    )


def log_line(request: Request, step: Step, alert: Alert) -> str:
    """One line for the log of a worker, with the command that answers."""
    return f"{request.run}  {in_words(request, step)}; answer: {alert.commands[1]}"


def _answers(request: Request, which: str) -> tuple[str, ...]:
    if request.kind == "approval":
        return (
            f"holdfast approve {which} --by YOUR-NAME",
            f"holdfast reject {which} --by YOUR-NAME --reason WHY",
        )
    return (f"holdfast answer {which} YOUR-ANSWER --by YOUR-NAME",)


def _in(now: datetime, seconds: float | None) -> str | None:
    return None if seconds is None else (now + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def _minute(at: str) -> str:
    return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M} UTC"
