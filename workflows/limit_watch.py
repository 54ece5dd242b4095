"""Watching the limits: the last turn, what follows it, and raising them while the run is under way."""

import asyncio
from decimal import Decimal
from typing import Literal

from temporalio import workflow

from holdfast.contracts import names
from holdfast.contracts.base import Json
from holdfast.contracts.calls import Failure
from holdfast.contracts.limits import LimitsRaised, NewLimits, RaiseInput
from holdfast.contracts.messages import Message, text_block, user_text
from holdfast.contracts.plans import PlanOutcome
from holdfast.contracts.requests import Decision, DecisionInput
from holdfast.contracts.run import FinishStatus
from holdfast.contracts.spec import LimitsSpec
from policies import decisions, feedback, finishing, limits, loops, stops
from policies.json_safety import clip
from policies.limits import Spent
from workflows.budget_wait import HandedBack
from workflows.human_desk import HumanDesk
from workflows.run_state import RunState

MAX_SHOWN_CHARS = 2_000
"""Of what was handed back, in the request that asks for more."""


def limits_of(state: RunState) -> LimitsSpec:
    """The run's limits now: its agent's, or what somebody has raised them to."""
    return state.loop.limits or state.spec.limits


def spent(state: RunState) -> Spent:
    """What the run has used of them."""
    seconds = state.seconds()
    return Spent(
        steps=len(state.steps),
        calls=len(state.ledger),
        tokens=state.usage.tokens,
        cost_usd=state.usage.cost_usd,
        wall_clock_seconds=seconds,
        working_time_seconds=max(0.0, seconds - state.rested()),
        needs_usd=state.loop.needs_usd,
        unpriced=state.usage.unpriced,
    )


def last_turn(state: RunState) -> str:
    """Which limit makes the next plan the last one, in words; empty while none does. The planner is told once."""
    loop = state.loop
    if loop.last_turn:
        return loop.last_turn
    why = ""
    if loop.rejections_in_a_row >= state.spec.rejections:
        why = f"{loop.rejections_in_a_row} rejections in a row"
    elif loop.circles >= loops.CIRCLES_AT_MOST:
        why = loops.IN_CIRCLES
    elif state.steps and (field := _reached(state)) is not None:  # there is always a first plan
        why, loop.limit = limits.in_words(limits_of(state), field, spent(state)), field
    if why:
        _tell_last_turn(state, why)
    return loop.last_turn


def _tell_last_turn(state: RunState, why: str) -> None:
    state.loop.last_turn = why
    state.event("notice", f"last turn: {why}")
    state.transcript.append(user_text(stops.LAST_TURN.format(limit=why)))


async def hand_back(state: RunState, desk: HumanDesk, plan: PlanOutcome) -> None:
    """End the run with what its last turn says; or go on, if the limits are raised: the planner is told."""
    end = finishing.handed_back(state.spec, plan, state.loop.last_turn)
    told = await _end_or_ask(state, desk, end.status, end.output, end.reason)
    if told is None:
        return
    calls = [block for block in plan.content if block["type"] == "tool_use"]
    results = [
        feedback.tool_result(call["id"], told, is_error=call["name"] != names.FINISH) for call in calls
    ]
    state.transcript.append(Message(role="user", content=results or [text_block(told)]))


def left_usd(state: RunState) -> Decimal | None:
    """What the run's own limit of money leaves; None where it has none."""
    limit = limits_of(state).cost_usd
    return None if limit is None else max(Decimal(0), limit - state.usage.cost_usd)


class OutOfMoney(Exception):  # not an error: a limit is reached
    """No planner is left that the run's own limit of money can pay for."""

    def __init__(self, failure: Failure, needs_usd: Decimal) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.needs_usd = needs_usd


async def out_of_money(state: RunState, desk: HumanDesk, short: OutOfMoney) -> None:
    """The next plan is the last turn, which costs less; where not even that can be paid, end or ask."""
    loop = state.loop
    loop.needs_usd = short.needs_usd
    if not loop.last_turn:
        loop.limit = "cost_usd"
        _tell_last_turn(state, limits.in_words(limits_of(state), "cost_usd", spent(state)))
        return
    reason = f"it reached {loop.last_turn}; {short.failure.message}"
    await end_unplanned(state, desk, HandedBack(reason, by_person=False))


async def end_unplanned(state: RunState, desk: HumanDesk, end: HandedBack) -> None:
    """End the run with the words there are, since there is no money for a last turn; or go on as `hand_back`."""
    text = state.steps[-1].text if state.steps else ""
    if end.by_person:
        state.end("partial", output=text or None, reason=end.reason)
        return
    told = await _end_or_ask(state, desk, "partial", text or None, end.reason)
    if told is not None:
        state.transcript.append(user_text(told))


async def _end_or_ask(
    state: RunState, desk: HumanDesk, status: FinishStatus, output: Json, reason: str
) -> str | None:
    """End the run, or go on because its limits were raised: then what to tell the planner."""
    loop = state.loop
    if status == "partial" and loop.limit:
        if _reached(state) is not None and limits_of(state).at_limit == "ask":
            await _ask_for_more(state, desk, output, reason)
        if loop.raises and _reached(state) is None:
            loop.last_turn = loop.limit = ""
            last = loop.raises[-1]
            return stops.RAISED.format(by=last.by, limits=limits.told_raised(last.after))
    state.end(status, output=output, reason=reason)
    return None


def check_raise(state: RunState, given: RaiseInput) -> None:
    """Raises ValueError with why the limits cannot be raised so."""
    found = decisions.raised(limits_of(state), spent(state), given, by=given.by, user=state.given.user)
    if isinstance(found, str):
        raise ValueError(found)  # noqa: TRY004  # not a wrong type: the reason


def raise_limits(state: RunState, given: RaiseInput, via: Literal["signal", "update"]) -> LimitsRaised:
    """Raise the limits. A request that asks for that is then closed. Raises ValueError as `check_raise`."""
    check_raise(state, given)
    return _raise(state, given, by=given.by, reason=given.reason, via=via)


def _reached(state: RunState) -> str | None:
    return limits.reached(limits_of(state), spent(state))


def _raise(
    state: RunState, asked: NewLimits, *, by: str, reason: str, via: Literal["signal", "update"]
) -> LimitsRaised:
    before = limits_of(state)
    after = limits.raised(before, spent(state), asked)
    if isinstance(after, str):
        raise ValueError(after)  # noqa: TRY004  # not a wrong type: the reason
    old, new = limits.changed(before, after)
    found = LimitsRaised(
        by=by, at=state.now(), step=len(state.steps), reason=reason, via=via, before=old, after=new
    )
    state.loop.limits = after
    state.loop.raises.append(found)
    why = f": {reason}" if reason else ""
    state.event(
        "notice", f"{by} raised the limits to {limits.told_raised(new)}{why}", found.model_dump(mode="json")
    )
    state.show()
    return found


def raise_in_fork(state: RunState, given: DecisionInput, *, instead: bool) -> str:
    """Raise the limits of a fork, in place of the last time where that was decided. Returns what the planner is told."""
    loop = state.loop
    if instead and loop.raises:
        before = loop.raises.pop().before
        loop.limits = LimitsSpec.model_validate({**limits_of(state).model_dump(mode="json"), **before})
    field, new = _reached(state), "time and money count from now on"
    try:
        if field is not None or given.result is not None:
            asked = limits.asked_for(given.result, field or "", state.spec.limits)
            if isinstance(asked, str):
                raise ValueError(asked)  # noqa: TRY301  # the source has checked it, by its own agent
            new = limits.told_raised(_raise(state, asked, by=given.by, reason=given.note, via="update").after)
    except ValueError as error:
        state.event("notice", f"the limits stay as they are: {error}")
    return stops.RAISED.format(by=given.by, limits=new)


async def _ask_for_more(state: RunState, desk: HumanDesk, output: Json, reason: str) -> None:
    """Wait until nothing that is used up is left, or a human says `finish`."""
    state.loop.waits_for = "a human"
    state.move("waiting")
    try:
        while (field := _reached(state)) is not None:
            asked = _ask(state, desk, field, output, reason)
            try:
                await workflow.wait_condition(lambda a=asked, f=field: a.done() or _reached(state) != f)  # type: ignore[misc]
                if not asked.done():
                    _close(state, desk)
                decision = await asked
            finally:
                asked.cancel()
            if decision.answer == "finish":
                state.status = "planning"  # what it waited for has come; it is shown with its end
                return
            if _reached(state) == field:
                _raise_as_decided(state, decision, field)
    finally:
        state.loop.waits_for = ""
    state.move("planning")


def _ask(state: RunState, desk: HumanDesk, field: str, output: Json, reason: str) -> asyncio.Task[Decision]:
    now, used, agents = limits_of(state), spent(state), state.spec.limits
    costs = limits.may_cost_more(field, agents, used)
    again = limits.amount(field, getattr(agents, field))
    rate = f"; at the rate so far that costs about {limits.money(costs)}" if costs else ""
    why = (
        f"it has reached {limits.in_words(now, field, used)}. So far: {limits.spending(used)}. `raise` gives it as "
        f"much again ({again}{rate}), or what the result names, "
        f"such as {limits.example(field)}; `finish` ends the run with what it has handed back"
        + (f" ({reason})." if reason else ".")
    )
    arguments = {
        "reached": field,
        "limits": now.model_dump(mode="json", exclude_none=True),
        "spent": limits.as_json(used),
        "as_much_again": again,
        "raising_may_cost_usd": str(costs),
        **clip({"handed_back": output}, MAX_SHOWN_CHARS),
    }
    bound = {"reached": field, "limits": arguments["limits"]}
    return asyncio.create_task(
        desk.ask("limit", why, state.spec.approvers, arguments=arguments, bound_to=bound)
    )


def _close(state: RunState, desk: HumanDesk) -> None:
    """The limits were raised otherwise: nobody needs to decide any more."""
    last = state.loop.raises[-1]
    for request in list(state.requests.values()):
        if decisions.asks_for_limits(request):
            desk.close(request.id, by=last.by, answer="raise", note=last.reason, via=last.via)


def _raise_as_decided(state: RunState, decision: Decision, field: str) -> None:
    asked = limits.asked_for(decision.result, field, state.spec.limits)
    via: Literal["signal", "update"] = "update" if decision.via == "update" else "signal"
    try:
        if isinstance(asked, str):
            raise ValueError(asked)  # noqa: TRY301, TRY004  # the desk has checked it, but time has passed since
        _raise(state, asked, by=decision.by, reason=decision.note, via=via)
    except ValueError as error:
        state.event("notice", f"{decision.request}: {error}")
