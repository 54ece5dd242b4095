"""The agents that the benchmarks run: planned by rules, so that no model's latency is in the figures."""

import re

from bench.floor import page
from holdfast import Agent, Approval, Call, Finish, Limits, Model, PlanView, Rules, tool


@tool(effect="read")
async def read_page(page_number: int, characters: int) -> str:
    """Read one page of text."""
    return page(page_number, characters)


@tool(effect="irreversible", approval=Approval(by="operator"))
async def pay(amount: int) -> str:
    """Pay an amount."""
    return f"paid {amount}"


def read_pages(view: PlanView) -> list[Call] | Finish:
    """Read as many pages as the task says: `read 20 pages of 1000 characters`."""
    pages, characters = map(int, re.findall(r"\d+", view.task))
    if view.step > pages:
        return Finish(f"read {pages} pages")
    return [Call("read_page", page_number=view.step, characters=characters)]


def pay_once(view: PlanView) -> list[Call] | Finish:
    """Pay, which needs approval; then finish."""
    return Finish("paid") if view.calls else [Call("pay", amount=100)]


reader = Agent(
    name="reader",
    instructions="Read pages.",
    tools=[read_page],
    ladder=[Rules(read_pages)],
    limits=Limits(steps=10_000, calls=10_000),
)

payer = Agent(name="payer", instructions="Pay.", tools=[pay], ladder=[Rules(pay_once)], autonomy="supervised")

talker = Agent(
    name="talker",
    instructions="Read pages.",
    tools=[read_page],
    ladder=[Model("claude-haiku-4-5", context_window=10_000_000)],  # what is measured is a whole transcript
    budgets=[],  # what it costs is not the point
)
