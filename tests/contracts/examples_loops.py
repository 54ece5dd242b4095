"""Examples of what loops, stalls, raised limits and people in a model's place add to the contracts."""

from __future__ import annotations

from pydantic import BaseModel

from holdfast.contracts import calls, run, spec, state

EXAMPLES: dict[str, BaseModel] = {
    "CallRecord.repeated": calls.CallRecord(
        id="4.1",
        tool_use_id="toolu_04",
        tool="look",
        arguments={"n": 1},
        status="skipped",
        why="answered from memory: the same as call 3.1",
        result_digest="0123456789abcdef0123456789abcdef",
        answered_by="3.1",
    ),
    "StepRecord.noted": run.StepRecord(
        number=4, rung=0, planner="claude-sonnet-4-5", stop_reason="tool_use", notes=["5 calls made."]
    ),
    "LoopState.circling": state.LoopState(circles=2, fresh_from=7),
    "ToolSpec.polled": spec.ToolSpec(name="state_of", input_schema={}, effect="read", polls=True),
}
