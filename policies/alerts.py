"""What an alert says: to programs as JSON, to people in a chat."""

from typing import Any

from holdfast.contracts import user_metadata
from holdfast.contracts.alerts import Alert, AlertFormat
from holdfast.contracts.base import JsonObject
from holdfast.contracts.calls import Failure, FailureKind
from holdfast.contracts.parked import ParkedNote
from policies.fingerprints import fingerprint
from policies.json_safety import brief

MAX_MESSAGE_CHARS = 500

_ONLY_WHERE_GIVEN = ("run", "agent", "parked_at", "severity", "helps")
"""Fields that programs do not get where they are empty: they belong to other events."""


def alert_of(run: str, agent: str, note: ParkedNote) -> Alert:
    """The alert about a run that has parked."""
    return Alert(
        fingerprint=note.fingerprint,
        run=run,
        agent=agent,
        where=note.where,
        kind=note.failure.kind,
        error=note.failure.error,
        message=brief(note.failure.message, MAX_MESSAGE_CHARS),
        parked_at=note.last_attempt_at,
    )


HELPS: dict[FailureKind, str] = {
    "contract": "It answered something else than it promises: has the service behind it changed?",
    "credentials": "Its credentials were refused: renew them where its worker runs.",
    "fatal": "It says that trying again is of no use: mend what its message names.",
    "unclassified": "Nobody has said what this error means: mend it, or let the tool raise Transient, Correctable or Fatal.",
}
"""What a person can do about a failure that did not stop its run."""


def alert_of_failure(run: str, agent: str, where: str, failure: Failure) -> Alert:
    """The alert about a failure that the run has got over, and that a person must mend all the same."""
    return Alert(
        event="failure",
        fingerprint=fingerprint(f"went on: {where}", failure),
        run=run,
        agent=agent,
        where=where,
        kind=failure.kind,
        error=failure.error,
        message=brief(failure.message, MAX_MESSAGE_CHARS),
        helps=f"Run '{run}' of agent '{agent}' goes on without it. {HELPS.get(failure.kind, '')}".strip(),
        commands=(f"holdfast show {run}",),
    )


def log_line(alert: Alert) -> str:
    """One line for the log of a worker."""
    if alert.event == "failure":
        return f"{alert.run}  a person must mend it: {alert.where} failed ({_class(alert)}): {alert.message}"
    return (
        f"{alert.run}  parked, a person must move it on: {alert.where} failed ({_class(alert)}): "
        f"{alert.message} [group {alert.fingerprint}]"
    )


def summary(alert: Alert) -> str:
    """What the alert is about, as it is shown in lists of workflows and in logs."""
    return user_metadata.summary(_title(alert))


def body(alert: Alert, form: AlertFormat, *, alert_id: str, quiet_seconds: float) -> JsonObject:
    """What is posted. `alert_id` is the same when one alert is sent again, because its first answer was lost."""
    if form == "slack":
        return {"text": _chat(alert, quiet_seconds)}
    told: dict[str, Any] = alert.model_dump(mode="json", exclude={"event", "commands", "quiet_until"})
    return {
        "event": alert.event,
        "id": alert_id,
        **{name: value for name, value in told.items() if value or name not in _ONLY_WHERE_GIVEN},
        "quiet_seconds": quiet_seconds,
        "commands": list(_commands(alert)),
    }


def _chat(alert: Alert, quiet_seconds: float) -> str:
    """Slack's own markup, in which the data cannot call anybody, link anywhere or end a code block."""
    quiet = f" No other alert of this cause for {_words(quiet_seconds)}." if quiet_seconds else ""
    error = f" ({_plain(_class(alert))})" if alert.event in ("run_parked", "failure") else ""
    return (
        f"*{_plain(_title(alert))}*{error}\n"
        f"> {_plain(alert.message)}\n"
        f"{_what_to_do(alert)}{quiet}\n"
        "```" + "\n".join(map(_plain, _commands(alert))) + "```"
    )


def _title(alert: Alert) -> str:
    match alert.event:
        case "run_parked" if alert.more:
            return f"{_count(alert.more, 'more run is', 'more runs are')} parked: {alert.where} failed"
        case "run_parked":
            return f"A run is parked: {alert.where} failed"
        case "failure" if alert.more:
            return f"{_count(alert.more, 'more run', 'more runs')} met this: {alert.where} failed"
        case "failure":
            return f"A person must mend this: {alert.where} failed"
        case "finding":
            more = f", and {alert.more} like it" if alert.more else ""
            return f"holdfast doctor: {alert.kind.replace('_', ' ')}, {alert.where}{more}"
        case "request_waits" if alert.more:
            return f"{_count(alert.more, 'more run waits', 'more runs wait')} for {alert.where}"
        case "request_waits":
            return f"A request waits for {alert.where}"
        case "request_escalated" if alert.more:
            return f"{_count(alert.more, 'more run asks', 'more runs ask')} {alert.where} too"
        case "request_escalated":
            return f"A request is now for {alert.where} too"


def _what_to_do(alert: Alert) -> str:
    run, agent, group = _plain(alert.run), _plain(alert.agent), alert.fingerprint
    match alert.event:
        case "run_parked" if alert.more:
            return (
                f"So many were stopped by this cause since its last alert; the first of all was `{run}` of agent "
                f"`{agent}`. They have kept everything, and wait for a person: group `{group}`."
            )
        case "run_parked":
            return (
                f"Run `{run}` of agent `{agent}` has kept everything, and waits for a person. "
                f"Runs that the same cause stops are group `{group}`."
            )
        case _:
            return _plain(alert.helps)


def _commands(alert: Alert) -> tuple[str, ...]:
    if alert.event != "run_parked":
        return alert.commands
    return (
        f"holdfast parked list --group {alert.fingerprint}",
        f"holdfast parked redrive --group {alert.fingerprint} --dry-run",
    )


def _class(alert: Alert) -> str:
    return f"{alert.kind}, {alert.error}" if alert.error else alert.kind


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def _plain(text: str) -> str:
    """The text on one line, without what a chat would take for markup."""
    for mark, instead in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("`", "'")):
        text = text.replace(mark, instead)
    return " ".join(text.split())


def _words(seconds: float) -> str:
    """`1 h`, `90 min`, `45 s`."""
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
