"""Code as users write it, which both type checkers must take, with the types that users may rely on.

Never run. mypy and pyright check it in their strict modes; `reveal_type` has no place here, `assert_type` does.
"""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal, assert_type

from pydantic import BaseModel

from holdfast import (
    Agent,
    Approval,
    Call,
    Client,
    Correctable,
    Fatal,
    Finish,
    HoldfastError,
    Limits,
    Model,
    PastCall,
    PlanView,
    Probed,
    ProposedCall,
    Retry,
    Rules,
    Run,
    RunNotCompleted,
    RunParked,
    Tool,
    ToolContext,
    Transient,
    Verdict,
    Worker,
    arg,
    remote_tool,
    tool,
)
from holdfast.contracts.messages import Message
from holdfast.contracts.pending import PendingWork
from holdfast.contracts.requests import Decision, Request
from holdfast.contracts.run import RunEvent, RunOutcome, RunView
from holdfast.worker import HoldfastPlugin


class Report(BaseModel):
    stopped: list[str]
    saved: Decimal


class Order(BaseModel):
    number: int


# Tools: the decorator keeps the signature, so that a tool can be called as the function that it is.


@tool
def plain(region: str, limit: int = 10) -> list[str]:
    """Without promises."""
    return [region][:limit]


assert_type(plain("eu", limit=3), list[str])


async def start_again(ctx: ToolContext, call: PastCall) -> None:
    """An undo, async."""


def was_it_stopped(ctx: ToolContext, call: PastCall) -> Probed:
    """A probe, sync."""
    return Probed(finding="happened", result=call.arguments)


async def not_on_fridays(call: ProposedCall) -> Verdict:
    """A guard, async."""
    return Verdict.ask("on a Friday?", by="dana") if call.dry_run else Verdict.allow()


def never_in_production(call: ProposedCall) -> Verdict:
    """A guard, sync."""
    return Verdict.refuse(f"{call.arguments['id']} is critical")


def rehearse(instance: str, cost: Decimal) -> str:
    """A dry run."""
    return f"would stop {instance}"


@tool(
    effect="reversible",
    undo=start_again,
    probe=was_it_stopped,
    dry_run=rehearse,
    idempotent=True,
    timeout=timedelta(seconds=30),
    heartbeat=None,
    retry=Retry(attempts=3, initial=timedelta(seconds=1)),
    approval=Approval(
        by="finops",
        when=(arg("cost") > Decimal(100)) & (arg("region").is_in(["eu", "us"]) | (arg("force") == True)),  # noqa: E712  # a condition
        expires_in=timedelta(days=1),
    ),
    guards=[not_on_fridays, never_in_production],
    key="stop/{instance}",
    exclusive=True,
)
async def stop(ctx: ToolContext, instance: str, cost: Decimal) -> Report:
    """With every promise."""
    if not instance:
        raise Correctable("say which")
    if ctx.attempt > 1:
        raise Transient("later", retry_after=1.5)
    raise Fatal("never")


async def call_a_tool(ctx: ToolContext) -> None:
    """An async tool is awaited."""
    stopping: Coroutine[Any, Any, Report] = stop(ctx, "i-1", cost=Decimal(1))
    assert_type(await stopping, Report)
    assert_type(stop.name, str)


lookup = Tool.from_schema(
    "lookup",
    lambda _ctx, arguments: arguments,
    description="Look.",
    input_schema={"type": "object"},
    effect="read",
)
elsewhere = remote_tool(
    "pay",
    task_queue="billing",
    description="Pay.",
    input_schema=Order,
    idempotent=True,
    guards=[not_on_fridays],
)


# Agents: the output's type is the agent's.


def plan(view: PlanView) -> list[Call] | Finish:
    """Rules, sync."""
    return Finish(Report(stopped=[], saved=Decimal(0))) if view.of("stop") else [Call("stop", instance="i-1")]


async def plan_slowly(view: PlanView) -> Finish:
    """Rules, async."""
    return Finish(view.task, status="partial", reason="not yet")


reporter = Agent(
    name="reporter",
    instructions="Report.",
    tools=[plain, stop, lookup, elsewhere],
    guards=[never_in_production],
    output=Report,
    ladder=[Model("claude", thinking={"type": "enabled"}), Rules(plan), Rules(plan_slowly)],
    limits=Limits(steps=20, cost_usd="0.50", wall_clock=timedelta(hours=2)),
    autonomy="reversible",
)
assert_type(reporter, Agent[Report])
assert_type(reporter.but(instructions="Be quick."), Agent[Report])
assert_type(reporter.digest, str)

talker = Agent(name="talker", instructions="Talk.", ladder=[Model("claude")])
assert_type(talker, Agent[str])

counter = Agent(name="counter", instructions="Count.", output=dict[str, int], ladder=[Rules(plan)])
assert_type(counter, Agent[dict[str, int]])


# Clients: a run's result has the type of its agent's output.


async def use_a_client() -> None:
    """Everything that a client script does."""
    client = await Client.connect("localhost:7233", namespace="default")
    run = await client.start(reporter, "Cut our spend", id="ticket-88", user="ana", dry_run=False)
    assert_type(run, Run[Report])
    assert_type(await run.result(), Report)
    assert_type(await (await client.start(talker, "Hello")).result(), str)
    assert_type(client.run("ticket-88", counter), Run[dict[str, int]])
    assert_type(await client.run("ticket-88").result(), Any)
    assert_type(await client.start("reporter", "Cut our spend"), Run[Any])

    request = await run.next_request(kind="approval")
    assert_type(request, Request)
    assert_type(await run.approve(request, by="dana", arguments={"instance": "i-2"}), Decision)
    assert_type(await run.reject(request.id, by="dana", reason="too dear"), Decision)
    assert_type(await run.answer(request, "happened", by="dana", result={"stopped": True}), Decision)
    assert_type(await client.inbox(by="finops"), list[Request])
    assert_type(await run.inspect(), RunView)
    async for event in run.events():
        assert_type(event, RunEvent)
    try:
        await run.result()
    except RunNotCompleted as error:
        assert_type(error.outcome, RunOutcome)
    except HoldfastError:
        await run.cancel()


async def use_what_there_is(client: Client) -> None:
    """Whatever became of a run."""
    run = client.run("ticket-88", reporter)
    try:
        assert_type(await run.result(parked="raise"), Report)
    except RunParked as stopped:
        assert_type(stopped.outcome, RunOutcome)
    assert_type(await run.outcome(wait=False), RunOutcome)
    assert_type(await run.transcript(), list[Message])
    assert_type(await run.pending(), list[PendingWork])


async def use_a_worker(client: Client) -> None:
    """A worker serves agents of any output."""
    async with Worker(client.temporal, [reporter, talker], concurrency=10) as worker:
        assert_type(worker.agents, list[str])
    HoldfastPlugin([reporter, counter])


# Agents, tools and runs of unknown types can be passed around.


def names_of(agents: list[Agent[Any]], tools: list[Tool[..., Any]]) -> list[str]:
    """Take any agents and tools."""
    return [agent.name for agent in agents] + [one.name for one in tools]


names_of([reporter, talker], [plain, stop])

effect: Literal["read", "reversible", "irreversible"] = "read"
