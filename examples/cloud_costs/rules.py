"""The cloud cost agent's plan without a model: pure decisions on what the run knows so far.

Look, snapshot what was chosen, stop what has its snapshot, report. Each phase happens once, whatever became of its calls:
a call that was refused, rejected or failed leaves its instance alone and is reported with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from examples.cloud_costs.results import (
    IdleInstance,
    IdleReport,
    Proposal,
    Report,
    Skipped,
    Stopped,
)
from holdfast import Call, CallMade, Finish, PlanView

ResultT = TypeVar("ResultT", bound=BaseModel)

ASK_ABOVE_USD = 100
"""Saving more than this a month needs a human's approval; the tool's promise uses the same figure."""

REQUESTS_PER_RUN = 1
"""A person is asked about the most expensive ones first, and not about everything at once."""

UNASKED_PER_RUN = 2

_BEFORE_THE_RESULT = "before approving. Result: "

_ANSWERED = "Not done:"
"""So begins what the engine says of a call that a human or a guard decided against: an answer, not a failure."""

_REGION = re.compile(r"\b(?:us|eu|ap|sa|ca|me|af|il|mx|cn)(?:-gov|-iso[a-z]?)?-[a-z]+-\d\b")


class Choice(NamedTuple):
    """An instance that the rules want stopped."""

    region: str
    instance: IdleInstance


def plan(view: PlanView, default_region: str | None) -> Sequence[Call] | Finish:
    """The next calls, or the end.

    Args:
        view: The task, and every call so far with its result.
        default_region: Where to look when the task names no region; None when nothing is configured.
    """
    regions = regions_of(view.task) or ([default_region] if default_region else [])
    if not regions:
        reason = "The task names no region, and AWS_REGION is not set: name one, such as eu-west-1."
        return Finish(Report(stopped=[], monthly_savings_usd=Decimal(0), summary=reason), "failed", reason)
    looks = view.of("find_idle_instances")
    if not looks and not view.last_turn:
        return [Call("find_idle_instances", region=region) for region in regions]
    reports = [found for look in looks if look.ok and (found := _read(IdleReport, look)) is not None]
    chosen = choose(reports)
    if view.last_turn or not chosen:
        return _finish(view, reports, chosen)
    if not view.of("snapshot_instance"):
        return [
            Call("snapshot_instance", region=choice.region, instance_id=choice.instance.id)
            for choice in chosen
        ]
    safe = {str(call.arguments.get("instance_id")) for call in view.of("snapshot_instance") if call.ok}
    if not view.of("stop_instance") and (
        ready := [choice for choice in chosen if choice.instance.id in safe]
    ):
        return [
            Call(
                "stop_instance",
                region=choice.region,
                instance_id=choice.instance.id,
                monthly_cost_usd=float(choice.instance.monthly_cost_usd),
            )
            for choice in ready
        ]
    return _finish(view, reports, chosen)


def regions_of(task: str) -> list[str]:
    """The AWS regions that a text names, each once, in its order."""
    return list(dict.fromkeys(_REGION.findall(task.lower())))


def choose(reports: Iterable[IdleReport]) -> list[Choice]:
    """What to stop: the most expensive above the threshold, and the next ones below it.

    Only what is known not to be production: unknown environments are left to a human.
    """
    known = [
        Choice(report.region, candidate)
        for report in reports
        for candidate in report.candidates
        if candidate.protection == "open"
    ]
    known.sort(key=lambda choice: (-choice.instance.monthly_cost_usd, choice.instance.id))
    above = [choice for choice in known if choice.instance.monthly_cost_usd > ASK_ABOVE_USD]
    below = [choice for choice in known if choice.instance.monthly_cost_usd <= ASK_ABOVE_USD]
    return above[:REQUESTS_PER_RUN] + below[:UNASKED_PER_RUN]


def _finish(view: PlanView, reports: list[IdleReport], chosen: list[Choice]) -> Finish:
    stopped: list[Proposal] = []
    proposed: list[Proposal] = []
    failures: dict[str, str] = {}
    for call in [*view.of("snapshot_instance"), *view.of("stop_instance")]:
        instance_id = str(call.arguments.get("instance_id"))
        if not call.ok:
            failures[instance_id] = _words(call)
        elif call.tool == "stop_instance":
            done, dry = _outcome(call, instance_id)
            (proposed if dry else stopped).append(done)
    handled = {one.instance_id for one in [*stopped, *proposed]}
    unread = [call for call in view.of("find_idle_instances") if not call.ok]
    skipped = [
        Skipped(
            instance_id=choice.instance.id,
            name=choice.instance.name,
            reason=failures.get(choice.instance.id, "not reached in this run"),
        )
        for choice in chosen
        if choice.instance.id not in handled
    ]
    skipped += [
        Skipped(instance_id=one.id, name=one.name, reason=f"for a human to decide: {one.why}")
        for report in reports
        for one in report.candidates
        if one.protection == "unknown" and one.id not in handled
    ]
    skipped += [
        Skipped(instance_id=one.id, name=one.name, reason=f"production or critical: {one.why}")
        for report in reports
        for one in report.protected
    ]
    saved = sum((one.monthly_savings_usd for one in stopped), Decimal(0))
    report = Report(
        stopped=[one.instance_id for one in stopped],
        proposed=proposed,
        skipped=skipped,
        monthly_savings_usd=saved,
        summary=_summary(reports, stopped, proposed, unread, saved),
    )
    reasons = [f"{call.arguments.get('region')}: {_words(call)}" for call in unread]
    reasons += [
        f"{instance_id}: {why}" for instance_id, why in failures.items() if not why.startswith(_ANSWERED)
    ]
    if view.last_turn:
        reasons.append("a limit of the run was reached")
    if not reasons:
        return Finish(report)
    return Finish(report, "partial" if reports else "failed", "; ".join(reasons)[:2000])


def _outcome(call: CallMade, instance_id: str) -> tuple[Proposal, bool]:
    """What a successful stop saves, and whether it was a dry run."""
    result = _read(Stopped, call)
    if result is not None:
        return (
            Proposal(
                instance_id=result.instance_id,
                name=result.name,
                monthly_savings_usd=result.monthly_savings_usd,
            ),
            result.dry_run,
        )
    # The result is not readable: what was asked for is known.
    cost = Decimal(str(call.arguments.get("monthly_cost_usd", 0)))
    return Proposal(instance_id=instance_id, monthly_savings_usd=cost), False


def _summary(
    reports: list[IdleReport],
    stopped: list[Proposal],
    proposed: list[Proposal],
    unread: list[CallMade],
    saved: Decimal,
) -> str:
    idle = sum(report.totals.idle for report in reports)
    looked = ", ".join(report.region for report in reports) or "no region"
    parts = [f"Looked at {looked}: {idle} idle instances."]
    if stopped:
        parts.append(f"Stopped {len(stopped)}, which saves ${saved} a month; each has a snapshot.")
    if proposed:
        possible = sum((one.monthly_savings_usd for one in proposed), Decimal(0))
        parts.append(f"Dry run: would stop {len(proposed)}, which would save ${possible} a month.")
    if not stopped and not proposed:
        parts.append("Stopped nothing.")
    if unread:
        parts.append(f"Could not look at {', '.join(str(call.arguments.get('region')) for call in unread)}.")
    return " ".join(parts)


def _words(call: CallMade) -> str:
    return (call.result if isinstance(call.result, str) else str(call.result))[:500]


def _read(kind: type[ResultT], call: CallMade) -> ResultT | None:
    """The call's result as the tool made it; None when it was cut or replaced by words.

    When a person edited the call, words about that stand before the result.
    """
    try:
        if isinstance(call.result, str):
            return kind.model_validate_json(call.result.rpartition(_BEFORE_THE_RESULT)[2])
        return kind.model_validate(call.result)
    except ValidationError:
        return None
