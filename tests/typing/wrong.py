"""Mistakes of users that both type checkers must find.

Never run. Each marked line must fail in both, with the rules it names: a mark without an error is itself an error.
"""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel

import holdfast
from holdfast import (
    Agent,
    Approval,
    Call,
    Client,
    Finish,
    Limits,
    Model,
    PlanView,
    ProposedCall,
    Retry,
    Rules,
    Tool,
    ToolContext,
    Verdict,
    Worker,
    arg,
    remote_tool,
    tool,
)


class Report(BaseModel):
    stopped: list[str]


@tool
def look(region: str) -> list[str]:
    """Look."""
    return [region]


@tool(effect="read")
async def read(ctx: ToolContext, region: str) -> int:
    """Read."""
    return len(region)


# There is no such name.
holdfast.Agnet  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]

# A tool is called as its function is.
look(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
look()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
look("eu", limit=3)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
wrong_result: int = look("eu")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


async def call_wrongly(ctx: ToolContext) -> None:
    """An async tool gives an awaitable of its own type."""
    not_awaited: int = read(ctx, "eu")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    wrong_type: str = await read(ctx, "eu")  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    print(not_awaited, wrong_type)


# The promises of a tool.
tool(effect="writes")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
tool(timeout=30)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
tool(retry=3)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
tool(approval=True)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
tool(guards=look)  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
tool(unknown=True)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
Approval(when=True)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Approval(expires_in=60)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Retry(attempts="3")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Limits(cost_usd=0.5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Limits(wall_clock=60)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
arg("region").is_in(5)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
remote_tool("pay", description="Pay.", input_schema={})  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
remote_tool("pay", task_queue=5, description="Pay.", input_schema={})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def wrong_guard(call: ProposedCall) -> bool:
    """A guard says more than yes or no."""
    return bool(call)


def wrong_plan(view: PlanView) -> str:
    """Rules return calls or the end."""
    return view.task


async def good_guard(call: ProposedCall) -> Verdict:
    """A guard."""
    return Verdict.allow(because=call)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue, reportUnknownVariableType]


# Agents.
Agent(name="a", instructions="")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Agent("a", instructions="", ladder=[Model("m")])  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Agent(name="a", instructions="", ladder=["m"])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
Agent(name="a", instructions="", ladder=Model("m"))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Agent(name="a", instructions="", ladder=[Model("m")], tools=[len])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
Agent(name="a", instructions="", ladder=[Model("m")], guards=[wrong_guard])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
Agent(name="a", instructions="", ladder=[Rules(wrong_plan)])  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Agent(name="a", instructions="", ladder=[Model("m")], output=Report(stopped=[]))  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Agent(name="a", instructions="", ladder=[Model("m")], autonomy="total")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Agent(name="a", instructions="", ladder=[Model("m")], limits={"steps": 5})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Agent(name="a", instructions="", ladder=[Model("m")], model="m")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
Model(name="m", max_tokens="many")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Finish("done", status="done")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
Call()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

reporter = Agent(name="a", instructions="", ladder=[Model("m")], output=Report)
as_text: Agent[str] = reporter  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
reporter.instructions = "else"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


async def use_a_client(client: Client) -> None:
    """A run's result has its agent's type, and decisions have their words."""
    run = await client.start(reporter, "Cut")
    await run.result(parked="ignore")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    text: str = await run.result()  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    await client.start(5, "Cut")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType, reportCallIssue]
    await client.start(reporter)  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await client.start(reporter, "Cut", run_id="x")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue]
    await run.approve("1.1-approval")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await run.reject("1.1-approval", by="dana")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    await run.answer("1.1-approval", by="dana")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    print((await run.result()).saved)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownArgumentType, reportUnknownMemberType]
    Worker(client.temporal, reporter)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    print(text, Decimal(1))


wrong_tool: Tool[[int], str] = look  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
