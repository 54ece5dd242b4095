"""The end of the demo: what the run reports, and whether the account agrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from examples.cloud_costs import journal as facts
from examples.cloud_costs.demo_processes import DemoFailed
from examples.cloud_costs.demo_screen import Screen, many
from examples.cloud_costs.journal import Journal
from examples.cloud_costs.results import Report
from holdfast.contracts.calls import EffectRecord
from holdfast.contracts.run import RunOutcome

_REASONS_SHOWN = 3


@dataclass(frozen=True)
class Finding:
    """What the account shows of one write.

    Attributes:
        seen: In words.
        once: Whether the effect is there, exactly once, under the call's own key.
    """

    effect: EffectRecord
    seen: str
    once: bool


def findings(effects: Sequence[EffectRecord], journal: Journal) -> list[Finding]:
    """Asks the account, not the run, about every write that the run says is done."""
    done = sorted((effect for effect in effects if effect.outcome == "done"), key=lambda effect: effect.call)
    regions = {str(effect.arguments["region"]) for effect in done}
    account = {
        region: _Region(facts.states(region), facts.stopped_by(region), facts.snapshots(region))
        for region in regions
    }
    return [_finding(effect, account[str(effect.arguments["region"])], journal) for effect in done]


@dataclass(frozen=True)
class _Region:
    states: Mapping[str, str]
    stopped_by: Mapping[str, str]
    snapshots: Sequence[facts.TakenSnapshot]


def _finding(effect: EffectRecord, region: _Region, journal: Journal) -> Finding:
    instance = str(effect.arguments["instance_id"])
    if effect.tool == "stop_instance":
        state = region.states.get(instance, "gone")
        ours = region.stopped_by.get(instance) == effect.idempotency_key
        asked = len([one for one in journal.writes("StopInstances") if one.resource == instance])
        return Finding(effect, f"{state}, asked {_times(asked)}", ours and state in ("stopping", "stopped"))
    taken = [one for one in region.snapshots if one.key == effect.idempotency_key]
    volumes = {one.volume_id for one in taken}
    asked = len([one for one in journal.writes("CreateSnapshot") if one.resource in volumes])
    each = asked / len(volumes) if volumes else 0
    seen = f"{many(len(taken), 'snapshot')}, asked {_times(round(each, 1))}"
    return Finding(effect, seen, bool(taken) and len(taken) == len(volumes))


def show_end(screen: Screen, outcome: RunOutcome, found: Sequence[Finding]) -> None:
    """The report, what each write did, and the cost.

    Raises:
        DemoFailed: The run did not complete, or the account does not show what the run says.
    """
    if outcome.status != "completed":
        raise DemoFailed(f"The run is {outcome.status}: {outcome.reason}")
    report = Report.model_validate(outcome.output)
    screen.say(report.summary or "The agent gave no summary.", "bold")
    if report.skipped:
        screen.explain(f"Left alone: {_left_alone(report)}.")
    if found:
        screen.say("What each write did, as AWS itself shows it:")
        screen.table(_table(screen, found))
    screen.say(_cost(outcome))
    wrong = [one for one in found if not one.once]
    if wrong:
        calls = "; ".join(f"call {one.effect.call} {one.effect.tool}: {one.seen}" for one in wrong)
        raise DemoFailed(f"AWS does not show what the run says: {calls}")


def account_after_undo(effects: Sequence[EffectRecord]) -> str:
    """What AWS shows of the same instances and snapshots now."""
    regions = {str(effect.arguments["region"]) for effect in effects}
    states = {key: state for region in regions for key, state in facts.states(region).items()}
    stopped = {str(effect.arguments["instance_id"]) for effect in effects if effect.tool == "stop_instance"}
    up = sum(states.get(one) in ("pending", "running") for one in stopped)
    left = sum(len(facts.snapshots(region)) for region in regions)
    return f"In AWS {up} of {many(len(stopped), 'instance')} run again, and {many(left, 'snapshot')} of theirs are left"


def _table(screen: Screen, found: Sequence[Finding]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for heading in ("call", "write", "instance", "approved by", "in AWS"):
        table.add_column(heading, overflow="fold")
    for one in found:
        effect = one.effect
        table.add_row(
            effect.call,
            effect.tool.removesuffix("_instance"),
            screen.name(effect.arguments["instance_id"]),
            effect.approved_by or "",
            Text.assemble(("✓ ", "green") if one.once else ("✗ ", "red"), one.seen),
        )
    return table


def _left_alone(report: Report) -> str:
    """How many for which reason, where reasons repeat; else the first ones by name."""
    reasons = Counter(one.reason.partition(":")[0] for one in report.skipped)
    if len(reasons) <= _REASONS_SHOWN:
        return ", ".join(
            f"{count} {reason[:1].lower()}{reason[1:]}" for reason, count in reasons.most_common()
        )
    named = [one.name or one.instance_id for one in report.skipped[:_REASONS_SHOWN]]
    return f"{', '.join(named)} and {len(report.skipped) - len(named)} more, each with its reason"


def _times(count: float) -> str:
    return {0.0: "never", 1.0: "once", 2.0: "twice"}.get(count, f"{count:g} times")


def _cost(outcome: RunOutcome) -> str:
    usage = outcome.usage
    if not usage.model_calls:
        return "Cost $0: planned by rules. With ANTHROPIC_API_KEY set, Claude plans."
    unpriced = f", and {usage.unpriced} calls whose price is not known" if usage.unpriced else ""
    return (
        f"Cost ${usage.cost_usd:.4f} for {usage.model_calls} model calls, {usage.tokens:,} tokens{unpriced}."
    )
