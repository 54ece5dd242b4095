"""Values of what takes a run back: rollback, undo, forks."""

from __future__ import annotations

from pydantic import BaseModel

from holdfast.contracts.spec import AgentSpec, ModelRung

EXAMPLES: dict[str, BaseModel] = {
    "AgentSpec.rollback": AgentSpec(
        name="a",
        instructions="",
        ladder=(ModelRung(kind="model", model="claude-sonnet-4-5"),),
        on_failure="rollback",
    ),
}
