"""Planning by rules: an author's function in the place of a model."""

import json

import pydantic_core
from pydantic import BaseModel

from activities.calling import call
from activities.failing import application_error
from activities.registry import AgentRegistry
from holdfast.agent import Planner
from holdfast.context import Call, CallMade, Finish, PlanView
from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.calls import Failure, FailureKind
from holdfast.contracts.messages import Message, text_of
from holdfast.contracts.names import FINISH
from holdfast.contracts.plans import PlanInput, PlanOutcome
from holdfast.contracts.spec import AgentSpec, RulesRung
from holdfast.errors import ToolError, Transient
from policies.handoff import api_name, contain
from policies.json_safety import safe


async def plan_by_rules(
    registry: AgentRegistry, spec: AgentSpec, rung: RulesRung, asked: PlanInput, messages: list[Message]
) -> PlanOutcome:
    """Ask the rules for the next plan. Raises ApplicationError with a Failure."""
    planner = registry.planner(asked.agent, rung.function)
    if planner is None:
        message = f"this worker has no rule planner {rung.function!r} for agent {asked.agent!r}"
        raise application_error(
            Failure(kind="transient", message=message, error="RulesNotServed"), retry=True
        )
    wishes = await _ask(planner, rung.function, view_of(asked, messages, spec))
    content, defects = contain(_content(wishes, asked.step), spec.max_argument_bytes)
    stop = "tool_use" if any(block["type"] == "tool_use" for block in content) else "end_turn"
    return PlanOutcome(
        content=content, stop_reason=stop, planner=f"rules {rung.function}", kind="rules", defects=defects
    )


async def _ask(planner: Planner, name: str, view: PlanView) -> list[Call] | Finish:
    try:
        wishes = await call(planner, view)
    except Exception as error:
        retry = isinstance(error, Transient)
        kind: FailureKind = (
            "transient" if retry else "fatal" if isinstance(error, ToolError) else "unclassified"
        )
        failure = Failure(kind=kind, message=f"rules {name}: {error}", error=type(error).__name__)
        raise application_error(failure, retry=retry) from error
    if isinstance(wishes, Finish):
        return wishes
    if isinstance(wishes, list | tuple) and all(isinstance(one, Call) for one in wishes):
        return list(wishes)
    message = f"rules {name} returned {wishes!r}; they must return a list of Call, or Finish"
    raise application_error(Failure(kind="fatal", message=message, error="TypeError"), retry=False)


def _content(wishes: list[Call] | Finish, step: int) -> list[JsonObject]:
    """The plan in the same form as a model's, so that either can go on where the other stopped."""
    if isinstance(wishes, Finish):
        arguments: JsonObject = {"status": wishes.status}
        if wishes.output is not None:
            arguments["result"] = _json(wishes.output)
        if wishes.reason:
            arguments["reason"] = wishes.reason
        wishes = [Call(FINISH, **arguments)]
    return [
        {"type": "tool_use", "id": f"rules_{step}_{number}", "name": one.tool, "input": _json(one.arguments)}
        for number, one in enumerate(wishes, start=1)
    ]


def _json(value: object) -> Json:
    if isinstance(value, BaseModel):
        return json.loads(value.model_dump_json())
    try:
        return pydantic_core.to_jsonable_python(value)
    except (pydantic_core.PydanticSerializationError, ValueError):
        return safe(value)


def view_of(asked: PlanInput, messages: list[Message], spec: AgentSpec) -> PlanView:
    """The transcript as rules see it: the calls made, by the author's names, and how they ended."""
    spelled = {api_name(tool.name): tool.name for tool in spec.tools}
    results: dict[str, JsonObject] = {}
    calls: list[CallMade] = []
    notes: list[str] = []
    proposed: list[JsonObject] = []
    for message in messages:
        if message.role == "assistant":
            proposed = [block for block in message.content if block["type"] == "tool_use"]
            continue
        results = {b["tool_use_id"]: b for b in message.content if b["type"] == "tool_result"}
        calls += [_made(block, results[block["id"]], spelled) for block in proposed if block["id"] in results]
        proposed = []
        if said := text_of(message.content):
            notes.append(said)
    task = notes.pop(0) if notes else ""
    return PlanView(
        run=asked.run, task=task, step=asked.step, calls=calls, last_turn=asked.last_turn, notes=notes
    )


def _made(proposed: JsonObject, result: JsonObject, spelled: dict[str, str]) -> CallMade:
    text = result["content"]
    try:
        value = pydantic_core.from_json(text)
    except ValueError:
        value = text
    name: str = proposed["name"]
    return CallMade(spelled.get(name, name), proposed["input"], value, ok=not result.get("is_error", False))
