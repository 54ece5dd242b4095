"""An agent whose limits are too small for its task, and which asks for more."""

from __future__ import annotations

from holdfast import Agent, Call, Finish, Limits, PlanView, Rules, tool


@tool(effect="read")
async def count_parcel(number: int) -> int:
    """Count a parcel."""
    return number


def count(view: PlanView) -> list[Call] | Finish:
    """Count four parcels, one a step, and hand back how many were counted."""
    counted = len(view.of("count_parcel"))
    if counted == 4:
        return Finish(counted)
    if view.last_turn:
        return Finish(counted, status="partial", reason="there are more")
    return [Call("count_parcel", number=counted)]


counter = Agent(
    name="counter",
    instructions="Count.",
    tools=[count_parcel],
    ladder=[Rules(count)],
    output=int,
    limits=Limits(steps=2, at_limit="ask"),
)
