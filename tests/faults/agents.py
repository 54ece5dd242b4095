"""The agents of the fault tests: everything they do to the world is entered in the journal."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from holdfast import (
    Agent,
    Approval,
    Budget,
    Limits,
    Model,
    PastCall,
    Probed,
    ProposedCall,
    Retry,
    ToolContext,
    Verdict,
    tool,
)
from tests.faults.reporting import Line, happened, reach

SILENCE = timedelta(seconds=2)
"""A worker that says nothing for so long is taken for dead."""

QUICKLY = Retry(attempts=5, initial=timedelta(milliseconds=100))
CLAUDE = Model("claude-sonnet-4-5", heartbeat=SILENCE, retry=QUICKLY, context_window=10_000_000)


@tool(effect="read", heartbeat=SILENCE, retry=QUICKLY)
async def look(ctx: ToolContext, month: str) -> str:
    """Look for free rooms."""
    await reach(ctx.run, "look")
    return f"room 7 is free in {month}"


@tool(effect="irreversible", idempotent=True, waiver="it can be given back", heartbeat=SILENCE, retry=QUICKLY)
async def reserve(ctx: ToolContext, room: int) -> str:
    """Reserve a room; the hotel knows a repeated request by its key."""
    hotel = await Line.open()
    await reach(ctx.run, "reserve:before its effect")
    await hotel.report("effect", ctx.run, "reserve", ctx.idempotency_key)
    await reach(ctx.run, "reserve:after its effect")
    return f"room {room} is reserved"


async def was_charged(ctx: ToolContext, call: PastCall) -> Probed:
    """Probe of `charge`: asks the bank."""
    await reach(ctx.run, "probe")
    if await happened(ctx.run, "charge", ctx.idempotency_key):
        return Probed(finding="happened", result=f"charged {call.arguments['amount']}")
    return Probed(finding="did_not_happen")


async def charge(ctx: ToolContext, amount: int) -> str:
    """Charge the guest. The bank knows no keys: asked twice, it charges twice."""
    bank = await Line.open()
    await reach(ctx.run, "charge:before its effect")
    await bank.report("effect", ctx.run, "charge", ctx.idempotency_key)
    await reach(ctx.run, "charge:after its effect")
    return f"charged {amount}"


charge_with_probe = tool(
    effect="irreversible", approval=Approval(by="treasury"), probe=was_charged, heartbeat=SILENCE
)(charge)
charge_blindly = tool(effect="irreversible", waiver="a test", heartbeat=SILENCE)(charge)


async def watch(call: ProposedCall) -> Verdict:
    """Takes note of every write, and allows it."""
    await reach(call.run, f"guard of {call.tool}")
    return Verdict.allow()


PAGE_CHARS = 5000


def page(number: int) -> str:
    """A page of the book, unlike every other."""
    text = f"page {number}: " + "".join(f"{number * 7919 + n:>9}" for n in range(PAGE_CHARS // 9))
    return text[:PAGE_CHARS].ljust(PAGE_CHARS, ".")


@tool(effect="read", heartbeat=SILENCE, retry=QUICKLY)
async def read_page(ctx: ToolContext, number: int) -> str:
    """Read a page of 5 KB."""
    await reach(ctx.run, f"page {number}")
    return page(number)


booking = Agent(
    name="booking",
    instructions="Book a room.",
    tools=[look, reserve, charge_with_probe],
    guards=[watch],
    ladder=[CLAUDE],
    autonomy="reversible",
    budgets=[],  # many workers die in the name of one user
)
booking_blindly = booking.but(name="booking-blindly", tools=[look, reserve, charge_blindly])
reader = Agent(
    name="reader",
    instructions="Read the book.",
    tools=[read_page],
    ladder=[CLAUDE],
    limits=Limits(steps=400, calls=400),
    autonomy="observe",
    budgets=[],  # what it costs is not the point
)
forgetful = reader.but(
    name="forgetful",
    ladder=[Model("claude-sonnet-4-5", heartbeat=SILENCE, retry=QUICKLY, context_window=12_000)],
)

spender = Agent(
    name="spender",
    instructions="Spend.",
    # At most $0.30 a call; its input costs nothing to speak of.
    ladder=[
        Model(
            "my-own",
            max_tokens=300_000,
            usd_per_million_tokens=("0.0001", "1"),
            heartbeat=SILENCE,
            retry=QUICKLY,
        )
    ],
    budgets=[Budget("user", daily_usd="1.00")],
)

AGENTS: list[Agent[Any]] = [booking, booking_blindly, reader, forgetful, spender]
