"""What an alert says: to programs as JSON, to people in a chat."""

from holdfast.contracts.alerts import Alert, AlertFormat
from holdfast.contracts.base import JsonObject
from holdfast.contracts.parked import ParkedNote
from policies.json_safety import brief

MAX_MESSAGE_CHARS = 500


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


def log_line(alert: Alert) -> str:
    """One line for the log of a worker."""
    return (
        f"{alert.run}  parked, a person must move it on: {alert.where} failed ({_class(alert)}): "
        f"{alert.message} [group {alert.fingerprint}]"
    )


def body(alert: Alert, form: AlertFormat, *, alert_id: str, quiet_seconds: float) -> JsonObject:
    """What is posted. `alert_id` is the same when one alert is sent again, because its first answer was lost."""
    if form == "slack":
        return {"text": _chat(alert, quiet_seconds)}
    return {
        "event": "run_parked",
        "id": alert_id,
        **alert.model_dump(mode="json"),
        "quiet_seconds": quiet_seconds,
        "commands": list(_commands(alert)),
    }


def _chat(alert: Alert, quiet_seconds: float) -> str:
    """Slack's own markup, in which the data cannot call anybody, link anywhere or end a code block."""
    quiet = f" No other alert of this cause for {_words(quiet_seconds)}." if quiet_seconds else ""
    return (
        f"*A run is parked: {_plain(alert.where)} failed* ({_plain(_class(alert))})\n"
        f"> {_plain(alert.message)}\n"
        f"Run `{_plain(alert.run)}` of agent `{_plain(alert.agent)}` has kept everything, and waits for a person. "
        f"Runs that the same cause stops are group `{alert.fingerprint}`.{quiet}\n"
        "```" + "\n".join(_commands(alert)) + "```"
    )


def _commands(alert: Alert) -> tuple[str, ...]:
    return (
        f"holdfast parked list --group {alert.fingerprint}",
        f"holdfast parked redrive --group {alert.fingerprint} --dry-run",
    )


def _class(alert: Alert) -> str:
    return f"{alert.kind}, {alert.error}" if alert.error else alert.kind


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
