"""The end of a run as a call: `finish`, its schema, and whether a result may be handed in."""

from typing import Any, NamedTuple

from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.messages import text_of
from holdfast.contracts.names import ASK_HUMAN, FINISH, READ_ARTIFACT
from holdfast.contracts.plans import PlanOutcome
from holdfast.contracts.run import FinishStatus
from holdfast.contracts.spec import AgentSpec
from policies import stops
from policies.excerpts import READ_SCHEMA
from policies.validation import problems

MAX_INVALID_RESULTS = 3
"""A result that does not fit is sent back this often; then the run ends as partial."""


def finish_schema(spec: AgentSpec) -> JsonObject:
    """The input schema of `finish`: the agent's output type under `result`."""
    output: JsonObject = dict(spec.output_schema or {"type": "string"})
    definitions = output.pop("$defs", None)  # its references start at the root, so it moves there
    schema: JsonObject = {
        "type": "object",
        "properties": {
            "status": {
                "enum": ["completed", "partial", "failed"],
                "description": "completed: the task is done. partial: some of it. failed: it cannot be done.",
            },
            "result": output,
            "reason": {"type": "string", "description": "Why the task is not completed."},
        },
        "required": ["status"],
        "additionalProperties": False,
    }
    return {**schema, "$defs": definitions} if definitions is not None else schema


def built_in_tools(spec: AgentSpec, *, last_turn: bool, has_artifacts: bool = False) -> list[JsonObject]:
    """The calls that every agent has, in the form of the Messages API; `read_artifact` once there is one to read."""
    finish: JsonObject = {
        "name": FINISH,
        "description": "Hand in the result and end the run. Call it alone, once all results are in.",
        "input_schema": finish_schema(spec),
    }
    ask: JsonObject = {
        "name": ASK_HUMAN,
        "description": "Ask a human a question that only they can answer. The answer may take days.",
        "input_schema": ASK_SCHEMA,
    }
    read: JsonObject = {
        "name": READ_ARTIFACT,
        "description": "Read a page of an artifact: of a result too long to be shown whole, or of an attachment.",
        "input_schema": READ_SCHEMA,
    }
    return [finish] if last_turn else [finish, ask, read] if has_artifacts else [finish, ask]


ASK_SCHEMA: JsonObject = {
    "type": "object",
    "properties": {"question": {"type": "string", "minLength": 1}},
    "required": ["question"],
    "additionalProperties": False,
}


def result_problems(spec: AgentSpec, arguments: JsonObject) -> list[str]:
    """Why a `finish` is sent back; empty when the run may end with it.

    Only a completed result must fit the output type: half a result is better than none.
    """
    if arguments.get("status") == "completed":
        found = problems(finish_schema(spec), arguments)
        return found or ([] if "result" in arguments else ["result: it is missing"])
    loose: Any = {**finish_schema(spec)["properties"], "result": {}}
    return problems({**finish_schema(spec), "properties": loose}, arguments)


class HandedBack(NamedTuple):
    """What a run ends with."""

    status: FinishStatus
    output: Json
    reason: str


def handed_back(spec: AgentSpec, plan: PlanOutcome, limit: str) -> HandedBack:
    """What a last turn hands back, whatever it says: a result, one that does not fit, or words."""
    calls = [block for block in plan.content if block["type"] == "tool_use"]
    finishes = len(calls) == 1 and calls[0]["name"] == FINISH
    if not finishes or stops.after(plan.stop_reason, has_calls=True) != "calls":
        return HandedBack("partial", text_of(plan.content) or None, f"it reached {limit}")
    given: JsonObject = calls[0]["input"]
    found = [defect.message for defect in plan.defects] or result_problems(spec, given)
    if found:
        why = f"its result does not fit the output type: {'; '.join(found)}"
        return HandedBack("partial", output_of(given), why)
    return HandedBack(given["status"], output_of(given), given.get("reason", ""))


def text_is_answer(spec: AgentSpec) -> bool:
    """Whether plain text ends the run: only where the output is text."""
    return spec.output_schema is None


def output_of(arguments: JsonObject) -> Json:
    """The result in a `finish`, if there is one."""
    return arguments.get("result")
