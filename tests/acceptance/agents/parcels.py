"""A small agent for the tests of the command line. It plans by rules; its task's first word chooses what happens."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel

from holdfast import (
    Agent,
    Approval,
    Call,
    CallMade,
    Finish,
    PastCall,
    PlanView,
    Retry,
    Rules,
    ToolContext,
    Transient,
    arg,
    tool,
)


class Parcel(BaseModel):
    number: str
    weight_kg: int


class Delivered(BaseModel):
    delivered: list[str]
    left: list[str] = []


PARCELS = [Parcel(number="p-1", weight_kg=2), Parcel(number="p-2", weight_kg=30)]


@tool(effect="read")
async def list_parcels(depot: str) -> list[Parcel]:
    """List the parcels of a depot."""
    return PARCELS


async def fetch_back(ctx: ToolContext, call: PastCall) -> None:
    """Take a delivered parcel back to the depot."""


@tool(
    effect="reversible",
    undo=fetch_back,
    idempotent=True,
    approval=Approval(by="dispatch", when=arg("weight_kg") > 10, expires_in=timedelta(days=1)),
)
async def deliver(number: str, weight_kg: int) -> str:
    """Deliver a parcel."""
    return f"{number} is at its door"


@tool(effect="read", retry=Retry(attempts=2, initial=timedelta(milliseconds=50)))
async def ask_the_road(road: str) -> str:
    """Ask how busy a road is."""
    raise Transient("the road does not pick up")


@tool(effect="irreversible", waiver="a letter is cheap")
async def post_letter(to: str) -> str:
    """Post a letter: not idempotent, and here its outcome is never known."""
    raise Transient("the postman was last seen at the letter box")


def plan_route(view: PlanView) -> list[Call] | Finish:
    """Plan by the task's first word: deliver, ask, fail, letter, park, partial or say."""
    match view.task.split()[0]:
        case "deliver":
            return _deliver(view)
        case "ask":
            asked = view.of("ask_human")
            if not asked:
                return [Call("ask_human", question="Which depot?")]
            return Finish(Delivered(delivered=[str(asked[0].result)]))
        case "fail":
            return _then_finish(view, "ask_the_road", road="A1")
        case "letter":
            return _then_finish(view, "post_letter", to="ana")
        case "park":
            raise RuntimeError("the map is upside down")
        case "partial":
            return Finish(Delivered(delivered=[]), status="partial", reason="it is Sunday")
        case _:
            return Finish(Delivered(delivered=[view.task]))


def _deliver(view: PlanView) -> list[Call] | Finish:
    if not view.of("list_parcels"):
        return [Call("list_parcels", depot="north")]
    made = view.of("deliver")
    if not made:
        return [Call("deliver", number=one.number, weight_kg=one.weight_kg) for one in PARCELS]
    return Finish(Delivered(delivered=_numbers(made, ok=True), left=_numbers(made, ok=False)))


def _numbers(calls: list[CallMade], *, ok: bool) -> list[str]:
    return [call.arguments["number"] for call in calls if call.ok is ok]


def _then_finish(view: PlanView, name: str, **arguments: str) -> list[Call] | Finish:
    return Finish(Delivered(delivered=[])) if view.of(name) else [Call(name, **arguments)]


parcels = Agent(
    name="parcels",
    instructions="Deliver every parcel of the depot.",
    tools=[list_parcels, deliver, ask_the_road, post_letter],
    output=Delivered,
    ladder=[Rules(plan_route)],
    approvers="dispatch",
    autonomy="reversible",
)
