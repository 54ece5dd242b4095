"""What is a finding: from what was seen of server, queues and runs to what is wrong and what helps.

A run is somebody's. While it works it is the engine's, and its next event is due within the bounds of what it does. While
it waits, is paused or parked it is a person's, however long. A run that is the engine's and does nothing is nobody's:
that is what is looked for.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from holdfast.contracts import names
from holdfast.contracts.accounts import AccountView
from holdfast.contracts.breakers import Breaker
from holdfast.contracts.health import (
    Finding,
    FindingKind,
    HealthCheckLine,
    HealthReport,
    HealthSettings,
    QueueHealth,
    Severity,
)
from policies.json_safety import brief
from policies.labels import shell_quoted

FINDINGS_AT_MOST = 100
"""A report is the result of a workflow, and must not be large."""

NONDETERMINISM = "NON_DETERMINISTIC_ERROR"


@dataclass(frozen=True)
class PendingCall:
    """An activity that a run has under way: a plan, a call, or something of the engine's."""

    type: str
    state: str
    """`scheduled`, `started`, `paused` or `cancel_requested`."""
    attempt: int = 1
    attempts_at_most: int = 0
    """0: no limit of number."""
    scheduled_at: datetime | None = None
    alive_at: datetime | None = None
    """When its worker last gave a sign of life."""
    queue: str = ""
    last_failure: str = ""


@dataclass(frozen=True)
class RunSeen:
    """An open run that is the engine's to move."""

    run: str
    queue: str
    last_event_at: datetime
    calls: tuple[PendingCall, ...] = ()
    task_waits_since: datetime | None = None
    """Since when a workflow task waits for a worker, or is being worked on."""
    task_attempt: int = 0
    """How often the pending workflow task has been tried; 0: none is pending."""
    failure_cause: str = ""
    """Why its workflow task failed: Temporal's word, such as `NON_DETERMINISTIC_ERROR`."""
    failure: str = ""


@dataclass(frozen=True)
class ScheduleSeen:
    """The schedule of the check, if there is one."""

    every: timedelta
    created_at: datetime
    last_at: datetime | None
    paused: bool = False


@dataclass(frozen=True)
class Seen:
    """Everything that was looked at. What could not be is named in `unknown`, with the reason."""

    namespace: str
    version: str = ""
    retention: timedelta | None = None
    missing_attributes: tuple[str, ...] = ()
    queues: tuple[QueueHealth, ...] = ()
    runs: tuple[RunSeen, ...] = ()
    """Those with no event for long, or with failing workflow tasks."""
    working: int = 0
    """How many open runs are the engine's to move."""
    not_looked_at: int = 0
    at_rest: int = 0
    """How many open runs only a person moves."""
    parked: int = 0
    breakers: tuple[tuple[str, Breaker], ...] = ()
    """Each with its task queue."""
    accounts: tuple[AccountView, ...] = ()
    artifacts: str = ""
    artifacts_problem: str = ""
    schedule: ScheduleSeen | None = None
    unknown: dict[str, str] = field(default_factory=dict)


def examine(seen: Seen, settings: HealthSettings, now: datetime) -> HealthReport:
    """The report: each thing that was looked at, and what is wrong, problems first."""
    unserved: set[tuple[str, str]] = {(one.name, one.kind) for one in seen.queues if one.pollers == 0}
    found = [
        *_server(seen, settings),
        *_queues(seen.queues, settings),
        *_runs(seen.runs, settings, unserved, now),
        *(_breaker(queue, one) for queue, one in seen.breakers if one.state != "closed"),
        *(finding for one in seen.accounts for finding in _account(one)),
        *_artifacts(seen),
        *_schedule(seen.schedule, settings, now),
    ]
    found.sort(key=lambda one: one.severity != "problem")
    return HealthReport(
        at=now,
        checks=tuple(_lines(seen, found, now)),
        queues=seen.queues,
        findings=tuple(found[:FINDINGS_AT_MOST]),
        left_out=max(0, len(found) - FINDINGS_AT_MOST),
    )


def _server(seen: Seen, settings: HealthSettings) -> Iterable[Finding]:
    if seen.retention is not None and seen.retention.total_seconds() < settings.retention_seconds:
        wanted = max(settings.retention_seconds, 720 * 3600)
        yield Finding(
            kind="retention_short",
            severity="warning",
            subject=seen.namespace,
            text=f"Closed runs are kept for {span(seen.retention.total_seconds())} only.",
            helps="Keep them for longer, so that they can be looked into.",
            command=f"temporal operator namespace update --namespace {shell_quoted(seen.namespace)} "
            f"--retention {wanted / 3600:.0f}h",
        )
    if seen.missing_attributes:
        yield Finding(
            kind="search_attributes_missing",
            severity="problem",
            subject=seen.namespace,
            text=f"The namespace lacks search attributes: {', '.join(seen.missing_attributes)}.",
            helps="Add them: without them no run can begin.",
            command="holdfast doctor --fix",
        )


def _queues(queues: Sequence[QueueHealth], settings: HealthSettings) -> Iterable[Finding]:
    kinds = {(one.name, one.kind): one for one in queues}
    for one in queues:
        if one.pollers == 0:
            other = kinds.get((one.name, "workflow"))
            if one.kind == "activity" and other is not None and other.pollers == 0 and not one.backlog:
                continue  # said already, of its workflows
            wanted = one.waiting or one.backlog
            waits = (
                f"{one.waiting} open {'run waits' if one.waiting == 1 else 'runs wait'} for one"
                if one.waiting
                else f"{one.backlog} {'task waits' if one.backlog == 1 else 'tasks wait'} for one"
                if one.backlog
                else "nothing waits for one"
            )
            yield Finding(
                kind="no_worker",
                severity="problem" if wanted else "warning",
                subject=one.name,
                text=f"No worker asks for {one.kind} tasks on task queue {one.name}; {waits}.",
                helps="Start one. What waits goes on by itself.",
                command=f"holdfast worker MODULE --task-queue {shell_quoted(one.name)}",
            )
        elif one.backlog and one.age_seconds > settings.backlog_age_seconds:
            yield Finding(
                kind="backlog",
                severity="warning",
                subject=one.name,
                text=f"{one.backlog} {one.kind} {'task has' if one.backlog == 1 else 'tasks have'} waited up to "
                f"{span(one.age_seconds)} on task queue {one.name}, for {one.pollers} "
                f"{'worker' if one.pollers == 1 else 'workers'}.",
                helps="Start more workers, or let each do more at once.",
                command=f"holdfast worker MODULE --task-queue {shell_quoted(one.name)} --concurrency 200",
            )


def _runs(
    runs: Iterable[RunSeen], settings: HealthSettings, unserved: set[tuple[str, str]], now: datetime
) -> Iterable[Finding]:
    for run in runs:
        if run.failure_cause and run.task_attempt > 1:
            yield _failing(run)
        elif (now - run.last_event_at).total_seconds() > settings.no_progress_seconds:
            told = _stalled(run, settings, unserved, now)
            if told is not None:
                yield told


def _failing(run: RunSeen) -> Finding:
    why = brief(run.failure, 300) or run.failure_cause
    if run.failure_cause == NONDETERMINISM:
        text = (
            f"The workflow task of run {run.run} fails again and again: the engine's code decides otherwise than "
            f"the run's history says. {why}"
        )
        helps = (
            "See where they part. Then serve it with the build that it began on, or with one that agrees; it goes on "
            "by itself."
        )
    else:
        text = f"The workflow task of run {run.run} fails again and again ({run.failure_cause}): {why}"
        helps = "See where. A worker whose code does not fail there lets it go on by itself."
    return Finding(
        kind="task_failures",
        severity="problem",
        subject=run.run,
        text=text,
        helps=helps,
        command=f"holdfast replay {shell_quoted(run.run)}",
    )


def _stalled(
    run: RunSeen, settings: HealthSettings, unserved: set[tuple[str, str]], now: datetime
) -> Finding | None:
    """Why the run does nothing; None when it does something, or when that is said of its task queue."""
    idle = span((now - run.last_event_at).total_seconds())
    show = f"holdfast show {shell_quoted(run.run)}"
    if run.task_waits_since is not None:
        if (run.queue, "workflow") in unserved:
            return None
        return _no_progress(
            run,
            "problem",
            f"Its workflow task has waited for {span((now - run.task_waits_since).total_seconds())}, though workers "
            f"ask for work on {run.queue}.",
            "Either they have too much to do, or it belongs to a build that no worker runs.",
            f"temporal workflow describe --workflow-id {shell_quoted(run.run)}",
        )
    if not run.calls:
        return _no_progress(
            run,
            "problem",
            f"For {idle} it has done nothing, has nothing under way and asks nobody.",
            "Look at its last step. A pause and a resume make it look again.",
            show,
        )
    stalled = [told for call in run.calls if (told := _held(call, settings, unserved, now)) is not None]
    if len(stalled) < len(run.calls):
        return None  # something of it works, or its queue has a finding
    text, helps, command = stalled[0]
    return _no_progress(run, "warning", f"No event for {idle}. {text}", helps, command.format(show=show))


def _held(
    call: PendingCall, settings: HealthSettings, unserved: set[tuple[str, str]], now: datetime
) -> tuple[str, str, str] | None:
    """What holds a call up, what helps, and the command; None when it is being worked on."""
    if call.state == "paused":
        return f"{call.type} was paused by an operator.", "Unpause it.", "{show}"
    if call.state == "started":
        silent = (now - call.alive_at).total_seconds() if call.alive_at is not None else 0.0
        if silent <= settings.silent_seconds:
            return None
        text = f"{call.type} is under way and has given no sign of life for {span(silent)}."
        return text, "It ends at its timeout at the latest. Is its service alive?", "{show}"
    if call.attempt > 1:
        most = f" of {call.attempts_at_most}" if call.attempts_at_most else ""
        text = f"{call.type} is at attempt {call.attempt}{most}: {brief(call.last_failure, 200) or 'it failed before'}."
        return text, "Mend what it calls; it is tried again by itself, a bounded number of times.", "{show}"
    if (call.queue, "activity") in unserved:
        return None
    text = f"{call.type} waits for a worker of task queue {call.queue or 'unknown'}."
    return text, "Start more workers there.", "{show}"


def _no_progress(run: RunSeen, severity: Severity, why: str, helps: str, command: str) -> Finding:
    return Finding(
        kind="no_progress",
        severity=severity,
        subject=run.run,
        text=f"Run {run.run} makes no progress. {why}",
        helps=helps,
        command=command,
    )


def _breaker(queue: str, one: Breaker) -> Finding:
    state = "open" if one.state == "open" else "half-open: one call is being tried"
    return Finding(
        kind="breaker_open",
        severity="warning",
        subject=one.dependency,
        text=f"The breaker of {one.dependency} is {state}, on task queue {queue}. {brief(one.last_failure, 200)}".rstrip(),
        helps="It closes by itself when a trial call succeeds. When the service is mended, close it now:",
        command=f"holdfast breakers --reset {shell_quoted(one.dependency)} --task-queue {shell_quoted(queue)}",
    )


def _account(one: AccountView) -> Iterable[Finding]:
    spent = one.spent_usd + one.reserved_usd >= one.limit_usd
    if not spent and not one.waiting:
        return
    waits = (
        f" {len(one.waiting)} {'run waits' if len(one.waiting) == 1 else 'runs wait'}." if one.waiting else ""
    )
    yield Finding(
        kind="budget_exhausted",
        severity="warning",
        subject=one.account,
        text=f"Account {one.account} has spent ${one.spent_usd:.2f} of ${one.limit_usd:.2f} today.{waits}",
        helps="It is refilled at midnight UTC. A higher limit lets those who wait go on at once.",
        command=f"holdfast budgets set {shell_quoted(one.account)} {max(1, int(one.limit_usd * 2))}",
    )


def _artifacts(seen: Seen) -> Iterable[Finding]:
    if seen.artifacts_problem:
        yield Finding(
            kind="artifacts_unreachable",
            severity="problem",
            subject=seen.artifacts,
            text=f"The artifact store does not answer: {brief(seen.artifacts_problem, 300)}",
            helps="Large results are cut meanwhile, and runs cannot go on in a new execution. Is HOLDFAST_ARTIFACTS right?",
        )


def _schedule(one: ScheduleSeen | None, settings: HealthSettings, now: datetime) -> Iterable[Finding]:
    if one is None or one.paused:
        return
    silent = (now - (one.last_at or one.created_at)).total_seconds()
    if silent > 3 * one.every.total_seconds() + 60:
        yield Finding(
            kind="check_silent",
            severity="warning",
            subject=f"{names.HEALTH_CHECK_ID}/{settings.task_queue}",
            text=f"The scheduled check was last started {span(silent)} ago; it should be every "
            f"{span(one.every.total_seconds())}.",
            helps="A check that waits for a worker holds the next ones up. Is a worker running?",
            command=f"holdfast worker MODULE --task-queue {shell_quoted(settings.task_queue)}",
        )


CHECKS: dict[str, tuple[FindingKind, ...]] = {
    "server": ("retention_short",),
    "search attributes": ("search_attributes_missing",),
    "workers": ("no_worker", "backlog"),
    "runs": ("no_progress",),
    "workflow tasks": ("task_failures",),
    "breakers": ("breaker_open",),
    "budgets": ("budget_exhausted",),
    "artifacts": ("artifacts_unreachable",),
    "schedule": ("check_silent",),
}
"""What is looked at, in this order, and the findings that each may have."""


def _lines(seen: Seen, found: Sequence[Finding], now: datetime) -> Iterable[HealthCheckLine]:
    well = _well(seen, now)
    for name, kinds in CHECKS.items():
        own = [one for one in found if one.kind in kinds]
        if name in seen.unknown:
            yield HealthCheckLine(name=name, status="unknown", text=brief(seen.unknown[name], 300))
        elif not own:
            yield HealthCheckLine(name=name, status="ok", text=well[name])
        else:
            problem = any(one.severity == "problem" for one in own)
            text = own[0].text if len(own) == 1 else f"{len(own)} findings"
            yield HealthCheckLine(name=name, status="problem" if problem else "warning", text=text)


def _well(seen: Seen, now: datetime) -> dict[str, str]:
    """What is said of a thing that is well."""
    kept = f", closed runs kept for {span(seen.retention.total_seconds())}" if seen.retention else ""
    pollers = [f"{one.name} ({one.kind}) {one.pollers}" for one in seen.queues]
    more = f", and {seen.not_looked_at} not looked at" if seen.not_looked_at else ""
    parked = f" ({seen.parked} parked: `holdfast parked groups`)" if seen.parked else ""
    every = seen.schedule
    last = f", last {span((now - every.last_at).total_seconds())} ago" if every and every.last_at else ""
    return {
        "server": f"Temporal {seen.version}, namespace {seen.namespace}{kept}",
        "search attributes": "all there",
        "workers": f"on {', '.join(pollers)}" if pollers else "no task queue",
        "runs": f"{seen.working} at work, {seen.at_rest} with a person{parked}{more}",
        "workflow tasks": "none fails",
        "breakers": f"{len(seen.breakers)} known, all closed",
        "budgets": f"{len(seen.accounts)} looked at, none used up",
        "artifacts": seen.artifacts or "not looked at",
        "schedule": "no scheduled check: `holdfast doctor --schedule 5m` makes one"
        if every is None
        else "paused"
        if every.paused
        else f"every {span(every.every.total_seconds())}{last}",
    }


def span(seconds: float) -> str:
    """`40 s`, `12 min`, `5 h`, `30 d`: roughly."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
