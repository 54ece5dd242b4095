"""Does a result fit the agent's output type? The workflow checks the schema; validators are code, and run here."""

import json

from pydantic import ValidationError

from activities.calling import call
from holdfast.agent import Agent
from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.names import FINISH
from holdfast.contracts.plans import Defect, PlanOutcome
from holdfast.promises import in_words
from policies.finishing import result_problems
from policies.json_safety import safe_text, shorten

MAX_PROBLEM_CHARS = 2000


async def with_misfits(agent: Agent[object] | None, outcome: PlanOutcome) -> PlanOutcome:
    """The plan, with a defect for each result that the agent's own type refuses. No agent: nothing is checked."""
    if agent is None or agent.spec.output_schema is None:
        return outcome
    broken = {defect.block for defect in outcome.defects}
    defects = list(outcome.defects)
    for at, block in enumerate(outcome.content):
        if at not in broken and _completes(agent, block):
            problem = await _misfit(agent, block["input"]["result"])
            defects += [Defect(block=at, message=problem)] if problem else []
    return outcome.model_copy(update={"defects": defects})


def _completes(agent: Agent[object], block: JsonObject) -> bool:
    """Whether the block hands in a whole result that fits the schema; what does not, the workflow finds."""
    if block["type"] != "tool_use" or block["name"] != FINISH or block["input"].get("status") != "completed":
        return False
    return not result_problems(agent.spec, block["input"])


async def _misfit(agent: Agent[object], result: Json) -> str:
    """Why the type refuses the result, as a client would find it when it reads the run's output."""
    try:
        await call(agent.adapter.validate_json, json.dumps(result))
    except ValidationError as error:
        problem = in_words(error)
    except Exception as error:  # noqa: BLE001  # a validator is any Python
        problem = f"{type(error).__name__}: {error}"
    else:
        return ""
    return shorten(safe_text(f"result: {problem}"), MAX_PROBLEM_CHARS)
