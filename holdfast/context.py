"""What tools, guards and rule planners are given: who is asking, and about which call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel

from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.spec import Effect


@dataclass(frozen=True)
class ToolContext:
    """Facts about the call that a tool is carrying out. Ask for it with a parameter of this type.

    Attributes:
        run: Id of the run.
        call: Id of the call within the run, such as `3.1` (step 3, first call).
        agent: Name of the agent.
        idempotency_key: The same for every attempt of this call; hand it to the system you write to.
        attempt: 1 for the first attempt.
        dry_run: True only for a tool's `dry_run` function.
        user: On whose behalf the run was started, if anyone's.
    """

    run: str
    call: str
    agent: str
    idempotency_key: str
    attempt: int = 1
    dry_run: bool = False
    user: str | None = None


@dataclass(frozen=True)
class PastCall:
    """The call that an undo takes back or a probe asks about.

    Attributes:
        arguments: As the call was made with.
        result: What it returned; None for a probe, since nobody knows.
    """

    arguments: JsonObject
    result: Json = None


@dataclass(frozen=True)
class ProposedCall:
    """A call that a guard is asked about. It has passed validation and has not been made."""

    run: str
    call: str
    agent: str
    tool: str
    effect: Effect
    arguments: JsonObject
    dry_run: bool = False
    user: str | None = None


@dataclass(frozen=True)
class CallMade:
    """A call of this run and how it ended, as a rule planner sees it.

    Attributes:
        result: What the tool returned (JSON); the words of the engine when `ok` is False.
        ok: False when the call was refused, rejected or failed.
    """

    tool: str
    arguments: JsonObject
    result: Json
    ok: bool


@dataclass(frozen=True)
class PlanView:
    """What a rule planner plans from.

    Attributes:
        task: The task of the run.
        step: Number of the step to plan, from 1.
        calls: Every call so far, in the order they were proposed.
        last_turn: Only `Finish` will be accepted: a limit is reached.
        notes: What the engine or a human said to the planner beside results, oldest first.
    """

    run: str
    task: str
    step: int
    calls: list[CallMade]
    last_turn: bool = False
    notes: list[str] = field(default_factory=list)

    def of(self, tool: str) -> list[CallMade]:
        """The calls of one tool."""
        return [call for call in self.calls if call.tool == tool]


class Call:
    """A rule planner's wish: `Call("stop_instance", instance_id="i-0abc")`."""

    def __init__(self, tool: str, /, **arguments: Any) -> None:
        self.tool = tool
        self.arguments = arguments

    def __repr__(self) -> str:
        return f"Call({self.tool!r}, {self.arguments!r})"


@dataclass(frozen=True)
class Finish:
    """A rule planner's end of the run: its output, and whether the task is done."""

    output: BaseModel | Json
    status: Literal["completed", "partial", "failed"] = "completed"
    reason: str = ""
