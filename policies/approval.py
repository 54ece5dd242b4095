"""May a call run? It may, it may once a human says so, or it must not; and is it simulated?

| the call                                   | observe  | reversible | supervised | full     |
|--------------------------------------------|----------|------------|------------|----------|
| reads                                      | runs     | runs       | runs       | runs     |
| reversible write                           | simulated| runs       | asks       | runs     |
| irreversible write                         | simulated| asks       | asks       | asks     |
| irreversible write, approval rule says no  | simulated| asks       | asks       | runs     |
| irreversible write with a waiver           | simulated| runs       | asks       | runs     |

Above the table stand a guard's verdict (`refuse` refuses, `ask` asks) and the tool's own approval rule (asks
when its condition holds). A dry run asks as a real one would: it rehearses the approvals too. Agents that
only observe do not ask about writes.
"""

from typing import Literal

from holdfast.contracts.base import Contract, JsonObject
from holdfast.contracts.calls import Verdict
from holdfast.contracts.spec import AgentSpec, Compare, Condition, ToolSpec
from policies.conditions import holds
from policies.reminding import Patience, patience_of


class Clearance(Contract):
    """The decision about one call."""

    kind: Literal["run", "ask", "refuse"]
    simulate: bool = False
    why: str = ""
    by: str = ""
    patience: Patience = Patience()


def clear(
    spec: AgentSpec, tool: ToolSpec, arguments: JsonObject, verdict: Verdict | None, *, dry_run: bool
) -> Clearance:
    """What happens with a valid call, given the guards' strictest verdict (None: no guard looked)."""
    if verdict is not None and verdict.kind == "refuse":
        return Clearance(kind="refuse", why=verdict.why)
    observed = tool.writes and spec.autonomy == "observe"
    simulate = tool.writes and (dry_run or observed)
    rule = tool.approval
    by = (verdict.by if verdict else None) or (rule.by if rule else spec.approvers)
    why = "" if observed else _why_ask(spec, tool, arguments, verdict)
    if why:
        return Clearance(kind="ask", simulate=simulate, why=why, by=by, patience=patience_of(rule))
    return Clearance(kind="run", simulate=simulate)


def _why_ask(spec: AgentSpec, tool: ToolSpec, arguments: JsonObject, verdict: Verdict | None) -> str:
    if verdict is not None and verdict.kind == "ask":
        return verdict.why or f"the guard {verdict.guard} asks for a human"
    rule = tool.approval
    if rule is not None and (rule.when is None or holds(rule.when, arguments)):
        return f"{tool.name} needs approval by {rule.by}" + (
            _condition(rule.when) if rule.when is not None else ""
        )
    if not tool.writes:
        return ""
    if spec.autonomy == "supervised":
        return "every write of this agent is supervised"
    if tool.effect == "irreversible" and not tool.waiver:
        if spec.autonomy != "full":
            return f"{tool.name} cannot be undone"
        if rule is None:
            return f"{tool.name} cannot be undone, and nobody is named to approve it"
    return ""


def _condition(condition: Condition) -> str:
    if isinstance(condition, Compare):
        return f": {condition.argument} {condition.op} {condition.value}"
    return ": its condition holds"
