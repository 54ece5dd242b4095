"""Tools and agents that are right, for tests of what becomes of them and of what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from pydantic import BaseModel, ConfigDict

from holdfast import (
    Agent,
    Call,
    Finish,
    Model,
    PastCall,
    PlanView,
    ProposedCall,
    Tool,
    ToolContext,
    Verdict,
    remote_tool,
    tool,
)


class Order(BaseModel):
    """Arguments of a remote tool."""

    number: int


class Open(BaseModel):
    """Takes whatever it is given."""

    model_config = ConfigDict(extra="allow")


def pay(ctx: ToolContext, order: str, amount: Decimal = Decimal(1)) -> str:
    """Pay an order."""
    return f"paid {amount} for {order}"


def rehearse(order: str, amount: Decimal) -> str:
    """Dry run of `pay`."""
    return f"would pay {amount} for {order}"


def take_back(ctx: ToolContext, call: PastCall) -> None:
    """Undo."""


def allow(call: ProposedCall) -> Verdict:
    """A guard."""
    return Verdict.allow()


class Fussy:
    """A guard that is an object."""

    def __call__(self, call: ProposedCall) -> Verdict:
        return Verdict.refuse(f"not {call.tool}")


def plan(view: PlanView) -> list[Call] | Finish:
    """Rules."""
    return Finish("done")


def a_tool(**options: Any) -> Tool[..., Any]:
    """`pay` with these promises."""
    return tool(**options)(pay)


def from_schema(schema: Any, **options: Any) -> Tool[..., Any]:
    """A tool with this schema."""
    return Tool.from_schema(
        "lookup", lambda _ctx, given: given, description="Look.", input_schema=schema, **options
    )


def remote(**options: Any) -> Tool[..., Any]:
    """A remote tool."""
    given: dict[str, Any] = {"task_queue": "billing", "description": "Pay.", "input_schema": {}, **options}
    return remote_tool("pay", **given)


def an_agent(**options: Any) -> Agent[Any]:
    """An agent that is right but for `options`."""
    given: dict[str, Any] = {"name": "agent", "instructions": "", "ladder": [Model("m")], **options}
    return Agent(**given)
