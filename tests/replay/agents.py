"""The agents whose runs are recorded. Each exists for what its runs make the engine decide."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from pydantic import BaseModel

from holdfast import (
    Agent,
    Approval,
    Call,
    Compaction,
    Correctable,
    Finish,
    Human,
    Limits,
    Model,
    PastCall,
    PlanView,
    Probed,
    ProposedCall,
    Retry,
    Rules,
    ToolContext,
    Transient,
    Unauthorised,
    Verdict,
    arg,
    remote_tool,
    tool,
)

REMOTE_QUEUE = "replay-remote"
QUICKLY = Retry(attempts=2, initial=timedelta(milliseconds=50))
CLAUDE = Model("claude-sonnet-4-5", retry=QUICKLY)
HAIKU = Model("claude-haiku-4-5", retry=QUICKLY)

_calls: Counter[str] = Counter()


def _first_time(ctx: ToolContext) -> bool:
    _calls[ctx.idempotency_key] += 1
    return _calls[ctx.idempotency_key] == 1


class Report(BaseModel):
    """What the rules hand in."""

    stopped: list[str]


async def start_again(ctx: ToolContext, call: PastCall) -> str:
    """Undo of `stop`."""
    return f"started {call.arguments['instance']}"


@tool(effect="read", retry=QUICKLY)
async def look(where: str) -> str:
    """Look somewhere."""
    return f"nothing in the {where}"


@tool(effect="read", retry=QUICKLY)
async def read_log(page: int) -> str:
    """Read a long page."""
    return f"page {page} " + " ".join(f"line {page}.{line} says that all is well" for line in range(150))


@tool(
    effect="reversible",
    undo=start_again,
    idempotent=True,
    approval=Approval(by="finops", when=arg("cost") > 100),
)
async def stop(ctx: ToolContext, instance: str, cost: int = 0) -> str:
    """Stop an instance."""
    return f"stopped {instance}"


@tool(effect="irreversible", approval=Approval(by="treasury"))
async def wire(ctx: ToolContext, order: str) -> str:
    """Wire money, behind a token that somebody must renew."""
    if _first_time(ctx):
        raise Unauthorised("the token expired")
    return f"wired {order}"


@tool(effect="irreversible", approval=Approval(by="treasury"))
async def pay(ctx: ToolContext, order: str, amount: int) -> str:
    """Pay an order."""
    return f"paid {amount} for {order}"


@tool(effect="irreversible", approval=Approval(by="treasury", expires_in=timedelta(milliseconds=300)))
async def pay_soon(ctx: ToolContext, order: str) -> str:
    """Pay an order, if somebody says so at once."""
    return f"paid {order}"


async def was_it_sent(ctx: ToolContext, call: PastCall) -> Probed:
    """Probe of `send`: letters to ana were sent, letters to others were not."""
    if call.arguments["to"] == "ana":
        return Probed(finding="happened", result="found in the outbox")
    return Probed(finding="did_not_happen")


@tool(effect="irreversible", waiver="letters harm nobody", probe=was_it_sent)
async def send(ctx: ToolContext, to: str) -> str:
    """Send a letter. Its first answer is lost."""
    if _first_time(ctx):
        raise Transient("the connection was lost while the answer was read")
    return f"sent to {to}"


@tool(effect="irreversible", waiver="parcels harm nobody")
async def ship(ctx: ToolContext, to: str) -> str:
    """Ship a parcel. Its first answer is lost, and nobody can look it up."""
    if _first_time(ctx):
        raise Transient("the connection was lost while the answer was read")
    return f"shipped to {to}"


@tool(effect="read", retry=QUICKLY)
async def flaky(ctx: ToolContext, how: str) -> int:
    """Fail in a chosen way."""
    match how:
        case "transient" if _first_time(ctx):
            raise Transient("busy")
        case "correctable":
            raise Correctable("there is no such thing; try another")
        case "contract":
            return "seven"  # type: ignore[return-value]  # what a vendor's change looks like
        case "bug":
            raise ZeroDivisionError("a bug")
        case _:
            return 7


@tool(effect="irreversible", waiver="a test", key="refund/{order}", idempotent=True, exclusive=True)
async def refund(ctx: ToolContext, order: str, amount: int) -> str:
    """Refund an order, once."""
    return f"refunded {amount} for {order}"


convert = remote_tool(
    "convert",
    task_queue=REMOTE_QUEUE,
    description="Convert an amount.",
    input_schema={"type": "object", "properties": {"amount": {"type": "number"}}, "required": ["amount"]},
    output_schema={"type": "object", "required": ["converted"]},
    effect="read",
)
nobody_serves = remote_tool(
    "nobody_serves",
    task_queue=f"{REMOTE_QUEUE}-nobody",
    description="No worker is there.",
    input_schema={"type": "object", "properties": {}},
    effect="read",
    retry=Retry(attempts=1),
    queue_timeout=timedelta(milliseconds=200),
)


async def spare_production(call: ProposedCall) -> Verdict:
    """Refuses production, asks about staging, allows the rest."""
    instance = str(call.arguments.get("instance", ""))
    if instance.startswith("prod"):
        return Verdict.refuse(f"{instance} is in production")
    return (
        Verdict.ask(f"{instance} is staging", by="lead")
        if instance.startswith("staging")
        else Verdict.allow()
    )


def plan_by_rules(view: PlanView) -> list[Call] | Finish:
    """Look, stop two, and report."""
    if not view.of("look"):
        return [Call("look", where="cellar")]
    if not view.of("stop"):
        return [Call("stop", instance="i-1", cost=50), Call("stop", instance="i-2", cost=60)]
    return Finish(Report(stopped=[made.arguments["instance"] for made in view.of("stop") if made.ok]))


by_rules = Agent(
    name="replay-rules",
    instructions="",
    tools=[look, stop],
    output=Report,
    ladder=[Rules(plan_by_rules)],
    autonomy="reversible",
)
reader = Agent(
    name="replay-reader",
    instructions="Read, and say what you read.",
    tools=[look, read_log],
    ladder=[CLAUDE],
    autonomy="reversible",
)
payer = reader.but(name="replay-payer", tools=[look, pay, pay_soon])
sender = reader.but(name="replay-sender", tools=[send, ship])
teller = reader.but(name="replay-teller", tools=[look, wire, pay], autonomy="full")
failing = reader.but(name="replay-failing", tools=[flaky])
refunder = reader.but(name="replay-refunder", tools=[refund])
abroad = reader.but(name="replay-abroad", tools=[convert, nobody_serves])
guarded = reader.but(name="replay-guarded", tools=[look, stop], guards=[spare_production])
observer = reader.but(name="replay-observer", tools=[stop, pay], autonomy="observe")
with_ladder = reader.but(name="replay-ladder", ladder=[CLAUDE, HAIKU])
limited = reader.but(name="replay-limited", limits=Limits(steps=2))
reporting = reader.but(name="replay-reporting", output=Report)
asking = reader.but(name="replay-asking", limits=Limits(steps=1, at_limit="ask"))
staffed = reader.but(name="replay-staffed", ladder=[CLAUDE, Human("finops")])
forgetful = reader.but(
    name="replay-forgetful",
    ladder=[Model("claude-sonnet-4-5", retry=QUICKLY, context_window=8_000)],
    compaction=Compaction(keep=2),
)
cautious = reader.but(name="replay-cautious", tools=[stop], on_failure="rollback")

AGENTS: list[Agent[Any]] = [
    by_rules, reader, payer, sender, failing, refunder, abroad, guarded, observer, with_ladder, limited, reporting,
    asking, staffed, forgetful, cautious, teller,
]  # fmt: skip
