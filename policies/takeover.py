"""A person in a planner's place: what they are shown, and whether the plan that they give can be carried out.

A person's plan is held to the same rules as a model's: known tools, valid arguments, a result that fits. What does
not fit is told to the person, and no model hears of it.
"""

import json
from typing import Any, NamedTuple

from holdfast.contracts import names
from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.messages import Message, text_block
from holdfast.contracts.plans import PlanOutcome
from holdfast.contracts.requests import Decision, DecisionInput
from holdfast.contracts.spec import AgentSpec
from policies import finishing, validation
from policies.handoff import api_name, contain
from policies.json_safety import shorten

EXAMPLE = '[{"tool": "…", "arguments": {…}}]'

MAX_TOLD_CHARS = 4_000
"""Of what the planner is told since its last plan, in the request."""


class Wish(NamedTuple):
    """A call that a person wants made."""

    tool: str
    arguments: Any


def problem(spec: AgentSpec, given: DecisionInput, *, last_turn: bool) -> str | None:
    """Why a takeover cannot be decided so, with what would do; None when it can."""
    match given.answer:
        case "plan":
            return _plan_problem(spec, given.result, last_turn=last_turn)
        case "finish" if given.result is not None:
            found = finishing.result_problems(spec, {"status": "completed", "result": given.result})
            return f"the result does not fit the agent's output: {'; '.join(found)}" if found else None
        case "pass" if given.result is not None:
            return "pass takes no result: the better planners are asked again"
    return None


def outcome_of(spec: AgentSpec, decision: Decision, step: int) -> PlanOutcome:
    """The person's plan in the form of a model's; `finish` without a result hands back nothing, as partial."""
    text = decision.note
    if decision.answer == "finish":
        arguments: JsonObject = {"status": "completed", "result": decision.result}
        if decision.result is None:
            arguments = {"status": "partial", "reason": text or f"{decision.by} ended it"}
        wishes = [Wish(names.FINISH, arguments)]
    else:
        wishes = _wishes(decision.result) or []
    blocks: list[JsonObject] = [text_block(text)] if text else []
    for number, wish in enumerate(wishes, start=1):
        tool = validation.find_tool(spec, wish.tool)
        name = api_name(tool.name if tool else wish.tool)
        blocks.append(
            {"type": "tool_use", "id": f"human_{step}_{number}", "name": name, "input": wish.arguments}
        )
    content, defects = contain(blocks, spec.max_argument_bytes)
    return PlanOutcome(
        content=content, stop_reason="tool_use", planner=f"human {decision.by}", kind="human", defects=defects
    )


def tools_shown(spec: AgentSpec) -> JsonObject:
    """The tools by name, each with the arguments that it takes."""
    return {tool.name: validation.valid_arguments(tool.input_schema) for tool in spec.tools}


def told_last(messages: list[Message]) -> str:
    """What the planner would be told: everything since the last plan, shortened."""
    said: list[str] = []
    for message in reversed(messages):
        if message.role == "assistant":
            break
        said[:0] = [_text(block) for block in message.content]
    return shorten("\n\n".join(text for text in said if text), MAX_TOLD_CHARS)


def _text(block: JsonObject) -> str:
    if block.get("type") == "text":
        return str(block["text"])
    content = block.get("content", "")
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _plan_problem(spec: AgentSpec, result: Json, *, last_turn: bool) -> str | None:
    if last_turn:
        return "a limit is reached, so no more calls are made: answer finish, or pass"
    wishes = _wishes(result)
    if not wishes:
        return f"the result holds the calls to make, such as {EXAMPLE}"
    for wish in wishes:
        tool = validation.find_tool(spec, wish.tool)
        if tool is None:
            return validation.unknown_tool(spec, wish.tool, [])
        block = {"type": "tool_use", "id": "human", "name": api_name(wish.tool), "input": wish.arguments}
        _, defects = contain([block], spec.max_argument_bytes)
        found = defects[0].message if defects else validation.argument_problems(tool, wish.arguments)
        if found:
            return f"{wish.tool}: {found}"
    return None


def _wishes(result: Json) -> list[Wish] | None:
    """The calls in a result: a list of objects, or one object. None where it is neither."""
    listed = [result] if isinstance(result, dict) else result
    if not isinstance(listed, list):
        return None
    found = []
    for one in listed:
        if (
            not isinstance(one, dict)
            or not isinstance(one.get("tool"), str)
            or set(one) - {"tool", "arguments"}
        ):
            return None
        found.append(Wish(one["tool"], one.get("arguments", {})))
    return found
