"""Has a run used up what it may, and what becomes of its limits when somebody raises them?

Limits are hard: one last turn without tools follows. Then the run ends, or it asks for more, as its agent says.
"""

from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import ValidationError

from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.limits import LimitsRaised, NewLimits, seconds_of
from holdfast.contracts.spec import LimitsSpec

MONEYED = frozenset({"tokens", "cost_usd"})
"""Limits that hold back money: whoever a run was started for does not raise these."""

_FIELDS = {
    "steps": "steps",
    "calls": "calls",
    "tokens": "tokens",
    "cost_usd": "cost_usd",
    "wall_clock": "wall_clock_seconds",
    "working_time": "working_time_seconds",
}
"""The fields of `NewLimits`, and what they change in a `LimitsSpec`."""

_ASKED_AS = {field: name for name, field in _FIELDS.items()}


class Spent(NamedTuple):
    """What a run has used of what it may; named as the limits are."""

    steps: int = 0
    calls: int = 0
    tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    wall_clock_seconds: float = 0.0
    """Since it was started."""
    working_time_seconds: float = 0.0
    """The same without the time in which only a person could have moved it."""
    needs_usd: Decimal = Decimal(0)
    """What the next plan may cost, where that is known to be too much."""
    unpriced: int = 0
    """Model calls whose price nobody knows."""


def reached(limits: LimitsSpec, spent: Spent) -> str | None:
    """The field of the first limit that is used up; None while there is room for another step."""
    for field in _FIELDS.values():
        limit = getattr(limits, field)
        if limit is not None and getattr(spent, field) >= limit:
            return field
    if limits.cost_usd is not None and (spent.unpriced or spent.cost_usd + spent.needs_usd > limits.cost_usd):
        return "cost_usd"
    return None


def in_words(limits: LimitsSpec, field: str, spent: Spent) -> str:
    """The limit as the model and people are told of it: `the limit of 20 steps`."""
    known = limits.cost_usd is None or spent.cost_usd + spent.needs_usd > limits.cost_usd
    if field == "cost_usd" and spent.unpriced and not known and spent.cost_usd != limits.cost_usd:
        return f"the limit of {amount(field, limits.cost_usd)}, since a model without a known price was used"
    return f"the limit of {amount(field, getattr(limits, field))}"


def amount(field: str, value: Any) -> str:
    """`20 steps`, `$0.50`, `90 s`."""
    match field:
        case "cost_usd":
            return f"${value}"
        case "wall_clock_seconds":
            return f"{value:g} s"
        case "working_time_seconds":
            return f"{value:g} s of working time"
        case _:
            return f"{value:,} {field}"


def raised(limits: LimitsSpec, spent: Spent, asked: NewLimits) -> LimitsSpec | str:
    """The limits as they are to be, or what is wrong with what was asked for."""
    found: dict[str, Any] = {}
    for name, field in _FIELDS.items():
        said = getattr(asked, name)
        if said is None:
            continue
        limit = getattr(limits, field)
        if limit is None:
            return f"{name}: this run has no such limit"
        value, used = _value(field, said), _used(field, spent)
        if said.startswith("+"):
            value += max(limit, used)
        if value <= limit:
            return f"{name}: {value} is not more than the limit is now, {limit}"
        if value <= used:
            return f"{name}: {value} is not more than what is used already, {used}"
        found[field] = value
    if not found:
        return (
            f'say which limit is raised, and to what: one of {", ".join(_FIELDS)}, such as {{"steps": "+20"}}'
        )
    return limits.model_copy(update=found)


def as_much_again(field: str, agents: LimitsSpec) -> NewLimits:
    """What is added where nobody says how much: what the agent had of it at first."""
    limit = getattr(agents, field)
    said = f"{limit:.3f}" if field.endswith("_seconds") else f"{limit:f}" if field == "cost_usd" else limit
    return NewLimits(**{_ASKED_AS[field]: f"+{said}"})


def asked_for(result: Json, field: str, agents: LimitsSpec) -> NewLimits | str:
    """The limits in the answer `raise`: its result, or as much again; or why the result cannot be used."""
    if result is None:
        return as_much_again(field, agents)
    try:
        return NewLimits.model_validate(result)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        what = f"{where}: {first['msg']}" if where else first["msg"]
        return f'the result holds the new limits, such as {{"steps": "+20"}}: {what}'


def changed(before: LimitsSpec, after: LimitsSpec) -> tuple[JsonObject, JsonObject]:
    """The fields that differ, as they were and as they are."""
    old, new = before.model_dump(mode="json"), after.model_dump(mode="json")
    fields = [field for field in new if old[field] != new[field]]
    return {field: old[field] for field in fields}, {field: new[field] for field in fields}


def kept(agents: LimitsSpec, now: LimitsSpec, raises: list[LimitsRaised]) -> LimitsSpec:
    """The limits when another version of the agent takes over: its own, but not less than somebody raised them to."""
    found = {field: getattr(now, field) for one in raises for field in one.after}
    own = {field: getattr(agents, field) for field in found}
    return agents.model_copy(
        update={field: max(value, own[field]) for field, value in found.items() if own[field] is not None}
    )


def told_raised(after: JsonObject) -> str:
    """The new limits in words: `40 steps, $1.00`."""
    return ", ".join(amount(field, value) for field, value in after.items())


def spending(spent: Spent) -> str:
    """What was used so far, for whoever is to decide: `20 steps, 31 calls, 45,000 tokens, $0.2100, 95 s (12 s of work)`."""
    return (
        f"{spent.steps} steps, {spent.calls} calls, {spent.tokens:,} tokens, {money(spent.cost_usd)}, "
        f"{spent.wall_clock_seconds:.0f} s ({spent.working_time_seconds:.0f} s of working time)"
        + (f"; the next plan may cost {money(spent.needs_usd)}" if spent.needs_usd else "")
    )


def may_cost_more(field: str, agents: LimitsSpec, spent: Spent) -> Decimal:
    """What as much again would cost, at the rate so far; USD."""
    limit, used = getattr(agents, field), getattr(spent, field)
    if field == "cost_usd":
        return Decimal(limit)
    return (
        (spent.cost_usd * Decimal(str(limit)) / Decimal(str(used))).quantize(Decimal("0.0001"))
        if used
        else Decimal(0)
    )


_MORE = {
    "cost_usd": "+0.50",
    "wall_clock_seconds": "+2h",
    "working_time_seconds": "+30m",
    "tokens": "+100000",
}


def example(field: str) -> str:
    """A result for the answer `raise`, in JSON: `{"steps": "+20"}`."""
    return f'{{"{_ASKED_AS[field]}": "{_MORE.get(field, "+20")}"}}'


def option_of(field: str) -> str:
    """The same as an option of `holdfast raise`: `--steps +20`."""
    return f"--{_ASKED_AS[field].replace('_', '-')} {_MORE.get(field, '+20')}"


def as_json(spent: Spent) -> JsonObject:
    """What was used, as data; `from_json` reads it."""
    return {**spent._asdict(), "cost_usd": str(spent.cost_usd), "needs_usd": str(spent.needs_usd)}


def from_json(data: JsonObject) -> Spent:
    """What `as_json` wrote."""
    money_spent = {name: Decimal(data[name]) for name in ("cost_usd", "needs_usd")}
    return Spent(**{**data, **money_spent})


def room_for_calls(limits: LimitsSpec, calls: int) -> int:
    """How many more calls may be made."""
    return max(0, limits.calls - calls)


def money(usd: Decimal) -> str:
    """USD as people read it: `$0.0042`, `$1.30`."""
    return f"${usd:.2f}" if usd >= 1 else f"${usd:.4f}"


def _used(field: str, spent: Spent) -> Any:
    """What is used of a limit; of money also what the next plan needs."""
    return spent.cost_usd + spent.needs_usd if field == "cost_usd" else getattr(spent, field)


def _value(field: str, said: str) -> Any:
    if field.endswith("_seconds"):
        return seconds_of(said)
    return Decimal(said.lstrip("+")) if field == "cost_usd" else int(said)
