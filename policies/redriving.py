"""What redriving a parked run would do again.

| redrive                        | what happens again                                                             |
|--------------------------------|--------------------------------------------------------------------------------|
| from where it stopped          | only the plan that failed, or the calls whose credentials were refused         |
| from step N                    | plans from N on; the model may ask again for the writes made since             |
| … a write with an own key      | not made again while its key is the same: the model is told that it was made   |
| on the latest agent            | the same, planned by the agent as it is defined now                            |
"""

from holdfast.contracts.calls import CallRecord
from holdfast.contracts.parked import Redrive, RepeatedWrite
from holdfast.contracts.run import StepRecord
from policies.json_safety import clip

MAX_TOLD_ARGUMENTS = 500
MAX_TOLD_CALLS = 50


def writes_since(run: str, steps: list[StepRecord], from_step: int | None) -> list[RepeatedWrite]:
    """The writes of a run that its model may repeat when it is redriven; none from where it stopped."""
    if from_step is None:
        return []
    return [
        RepeatedWrite(
            call=call.id,
            step=step.number,
            tool=call.tool,
            arguments=clip(call.arguments, MAX_TOLD_ARGUMENTS),
            outcome="done" if call.status == "done" else "unknown",
            kept_by_key=call.idempotency_key != f"{run}/{call.id}",
        )
        for step in steps
        if step.number >= from_step
        for call in step.calls
        if _stands(call)
    ]


def _stands(call: CallRecord) -> bool:
    """Whether the call may have changed the world."""
    if call.effect == "read" or call.dry_run:
        return False
    broken = call.status == "failed" and call.failure is not None and call.failure.kind == "contract"
    return call.status in ("done", "unknown") or broken


def problem(asked: Redrive, steps: int) -> str | None:
    """Why a run with so many steps cannot be redriven like this; None when it can."""
    if asked.from_step is None or asked.from_step <= steps:
        return None
    if not steps:
        return "it has no step yet to go back to: leave the step out"
    return f"there is no step {asked.from_step} to go back to: it has steps 1 to {steps}"


def told(from_step: int, writes: list[RepeatedWrite]) -> str:
    """What the planner is told when the run goes back: what was done since, and stands."""
    lines = [f"[An operator took this run back to before step {from_step}: plan again from here.]"]
    if writes:
        lines.append("Calls made after this point took effect, and stand. Do not make them again:")
        lines += [f"- {one.tool} {one.arguments}: {one.outcome}" for one in writes[:MAX_TOLD_CALLS]]
        if len(writes) > MAX_TOLD_CALLS:
            lines.append(f"… and {len(writes) - MAX_TOLD_CALLS} more.")
    return "\n".join(lines)
