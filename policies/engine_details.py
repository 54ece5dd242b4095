"""What the workflows beside runs show in the Temporal UI, in Markdown: accounts, breakers, checks, alerts, undos."""

from collections.abc import Sequence

from holdfast.contracts import user_metadata
from holdfast.contracts.accounts import AccountView
from holdfast.contracts.alerts import Alert, AlertOutcome
from holdfast.contracts.breakers import Breaker
from holdfast.contracts.health import HealthReport
from holdfast.contracts.undo import UndoneCall
from policies.markdown import dollars, moment, quoted, span
from policies.undoing import why_not

MAX_SHOWN = 30
"""Lines of one list."""


def of_account(view: AccountView) -> str:
    """What has been spent today, of how much, and who waits for room."""
    unknown = f" ({dollars(view.presumed_usd)} of it presumed)" if view.presumed_usd else ""
    spent = f"{dollars(view.spent_usd)} spent{unknown} of {dollars(view.limit_usd)}"
    kept = f"{dollars(view.reserved_usd)} set aside for calls under way"
    by = f"set by {quoted(view.set_by, 100)}" if view.set_by else "the agents' own"
    lines = [
        f"Account **{quoted(view.account, 200)}** on {view.day} (UTC): {spent}, {kept}. The limit is {by}."
    ]
    if view.waiting:
        lines += [
            "",
            f"### {len(view.waiting)} waiting for room",
            *_listed([span(run) for run in view.waiting]),
        ]
    return user_metadata.details("\n".join(lines))


def of_breakers(known: Sequence[Breaker]) -> str:
    """How each breaker stands, those that are not closed first."""
    worst_first = sorted(known, key=lambda one: (one.state == "closed", one.dependency))
    return user_metadata.details("\n".join(_listed([_breaker(one) for one in worst_first])))


def of_check(report: HealthReport) -> str:
    """What was looked at, and what is wrong with what helps."""
    lines = [f"- {check.name}: **{check.status}**, {quoted(check.text, 300)}" for check in report.checks]
    for one in report.findings[:MAX_SHOWN]:
        lines += ["", f"### {one.severity}: {quoted(one.subject, 200)}", f"{quoted(one.text, 500)}", ""]
        lines += [f"{quoted(one.helps, 500)} {span(one.command) if one.command else ''}"]
    return user_metadata.details("\n".join(lines))


def of_alert(alert: Alert, outcome: AlertOutcome) -> str:
    """What people are alerted of, how often it has happened, and whether they were told."""
    about = f" in run {span(alert.run)}" if alert.run else ""
    more = f" {alert.more} more met the same." if alert.more else ""
    sent = f"Sent to {quoted(outcome.sent_to, 200)}." if outcome.sent_to else "Not sent: no webhook is set."
    lines = [f"**{quoted(alert.where, 200)}** ({alert.kind}){about}: {quoted(alert.message, 500)}", ""]
    return user_metadata.details("\n".join([*lines, sent + more]))


def of_undo(run: str, undone: Sequence[UndoneCall]) -> str:
    """What has been taken back of what a run did, and what not and why."""
    lines = [f"Takes back what {span(run)} did:", ""]
    lines += _listed([f"{span(f'{one.call} {one.tool}')} {_undone(one)}" for one in undone])
    return user_metadata.details("\n".join(lines))


def _undone(one: UndoneCall) -> str:
    return "was undone" if one.outcome == "undone" else f"**stands**: {quoted(why_not(one), 300)}"


def _breaker(one: Breaker) -> str:
    until = f", a trial after {moment(one.until.isoformat())}" if one.until and one.state == "open" else ""
    why = f": {quoted(one.last_failure, 200)}" if one.last_failure else ""
    reset = f", closed by {quoted(one.reset_by, 100)}" if one.reset_by and one.state == "closed" else ""
    failures = f", {one.failures} failures in a row" if one.failures else ""
    return f"{span(one.dependency)} **{one.state}**{failures}{until}{reset}{why}"


def _listed(lines: Sequence[str]) -> list[str]:
    more = [f"- … and {len(lines) - MAX_SHOWN} more"] if len(lines) > MAX_SHOWN else []
    return [*(f"- {one}" for one in lines[:MAX_SHOWN]), *more]
