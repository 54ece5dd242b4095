"""Forks and rewinds: what may be written after going back, and what has been done already."""

from collections.abc import Iterable

from holdfast.contracts.calls import CallRecord
from holdfast.contracts.forks import MadeCall, Writes
from holdfast.contracts.requests import DecisionInput, Request
from holdfast.contracts.spec import AgentSpec, ToolSpec
from policies import decisions
from policies.approval import Clearance


def careful(
    clearance: Clearance,
    spec: AgentSpec,
    tool: ToolSpec,
    record: CallRecord,
    *,
    writes: Writes | None,
    made: Iterable[MadeCall],
    run: str = "",
) -> Clearance:
    """The clearance of a call in a run that went back (`writes` is None in a rewind of no fork).

    A real write is asked about where the fork says so, and where the same call, or one under the same key, was
    made in what the run went back behind: that still stands.
    """
    if not tool.writes or clearance.simulate or clearance.kind == "refuse":
        return clearance
    again = next((one for one in made if _same(one, tool, record)), None)
    if again is not None:
        who, when = ("this run", " before it was rewound") if again.run == run else (f"run {again.run}", "")
        why = f"{who} has done this already{when}, as call {again.call}, and that may still stand"
        return clearance.model_copy(
            update={
                "kind": "ask",
                "why": f"{why}; {clearance.why}" if clearance.why else why,
                "by": clearance.by or spec.approvers,
            }
        )
    if writes == "ask" and clearance.kind == "run":
        why = "every write of this fork is asked about"
        return clearance.model_copy(update={"kind": "ask", "why": why, "by": clearance.by or spec.approvers})
    return clearance


def pointless(request: Request, given: DecisionInput) -> str | None:
    """Why a fork cannot change a decision like this, though it fits the request; None when it can."""
    if given.arguments is not None:
        return "a fork cannot give a call other arguments; give the call's result instead, in `answers`"
    match request.kind:
        case "rollback":
            return "a fork has no effects of its own to take back; undo those of the run itself"
        case "limit" if not decisions.asks_for_limits(request):
            return (
                "it is about an account or one plan's cost, which a fork asks about itself; fork without it"
            )
        case "limit" | "parked" if given.answer in ("finish", "discard"):
            return f"after {given.answer} there is nothing to go on with"
        case "parked" if given.result is not None:
            return "a fork goes on from the step that it is forked at: choose that, and its agent, instead of a `result`"
    return None


def _same(one: MadeCall, tool: ToolSpec, record: CallRecord) -> bool:
    if one.tool != tool.name:
        return False
    return one.fingerprint == record.fingerprint or (
        bool(record.idempotency_key) and one.idempotency_key == record.idempotency_key
    )
