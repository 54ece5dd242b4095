"""Waiting for an account that cannot pay for the next plan: the account calls, or a human says what to do.

There is no polling: the run tells the account that it waits, and the account signals it when there is room, at the
latest when the next day begins. A shortage that others' reservations make is over in a moment, so nobody is asked.
"""

import asyncio
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ValidationError
from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

from holdfast.contracts import names
from holdfast.contracts.accounts import Expensive, SetLimit, Shortage, WaitForRoom
from holdfast.contracts.requests import Decision
from workflows.human_desk import HumanDesk
from workflows.run_state import RunState


class HandedBack(Exception):  # not an error: the run ends with what there is
    """The run ends as partial, without another turn that costs."""

    def __init__(self, reason: str, *, by_person: bool = True) -> None:
        super().__init__(reason)
        self.reason = reason
        self.by_person = by_person
        """Whether somebody said `finish`; else there is no money for a last turn."""


def read_shortage(error: ActivityError) -> Shortage | None:
    """What a plan lacked, if it failed for want of money in an account."""
    cause = error.cause
    if not isinstance(cause, ApplicationError) or len(cause.details) < 2:
        return None
    try:
        return Shortage.model_validate(cause.details[1])
    except ValidationError:
        return None


def may_cost(state: RunState) -> Decimal | None:
    """What the next plan may cost without a human being asked; None for any amount."""
    given, allowed = state.spec.limits.ask_above_usd, state.loop.may_cost_usd
    return given if given is None or allowed is None else max(given, allowed)


async def asked_first(state: RunState, desk: HumanDesk, error: ActivityError, why: str) -> bool:
    """Ask a human, if a plan failed because it may cost too much: True when it may be asked for again.

    `raise` allows as much as was shown, for this and later plans. Raises HandedBack when the human says `finish`.
    """
    cause = error.cause
    if not isinstance(cause, ApplicationError) or len(cause.details) < 2:
        return False
    try:
        asks = Expensive.model_validate(cause.details[1])
    except ValidationError:
        return False
    state.loop.waits_for = "a human"
    state.move("waiting")
    told = f"{why}. `raise` lets it go on; `finish` ends the run with what there is."
    try:
        decision = await desk.ask(
            "limit", told, state.spec.approvers, arguments={"next_plan_usd": str(asks.may_cost_usd)}
        )
    finally:
        state.loop.waits_for = ""
    state.move("planning")
    if decision.answer == "finish":
        raise HandedBack(f"{decision.by} ended it: {why}")
    state.loop.may_cost_usd = asks.may_cost_usd
    return True


async def wait_for_room(state: RunState, desk: HumanDesk, shortage: Shortage, why: str) -> None:
    """Wait until the account has room again. Raises HandedBack when a human says `finish` instead."""
    loop, moment = state.loop, shortage.grant.for_a_moment
    loop.waits_for, loop.account_called = shortage.account, False
    state.event(
        "notice", f"waits for its budget: {why}", {"account": shortage.account, "for_a_moment": moment}
    )
    asked: asyncio.Task[Decision] | None = None
    try:
        if not moment:
            state.move("waiting")
            asked = asyncio.create_task(_ask(state, desk, shortage, why))
        told = WaitForRoom(run=state.run, usd=shortage.usd, daily_usd=shortage.daily_usd, for_a_moment=moment)
        if not await _tell(shortage.account, names.WAIT_FOR_ROOM, told):
            loop.account_called = True  # it is gone: asking it again starts it again
        while True:
            await _until_called_or_decided(state, asked)
            if asked is None:
                return
            if not asked.done():
                _close(state, desk, shortage.account)
                await asked
                return
            decision = asked.result()
            if decision.answer == "finish":
                state.move("planning")
                raise HandedBack(f"{decision.by} ended it: {why}")
            change = _raised(decision, shortage)
            if isinstance(change, SetLimit):
                await _tell(shortage.account, names.SET_LIMIT, change)
                return
            state.event("notice", f"{decision.request}: {change}")
            asked = asyncio.create_task(_ask(state, desk, shortage, f"{change}. {why}"))
    finally:
        loop.waits_for, loop.account_called = "", False
        if asked is not None:
            asked.cancel()


def _ask(state: RunState, desk: HumanDesk, shortage: Shortage, why: str) -> Any:
    """Ask for more. The answer `raise` may hold a result `{"daily_usd": "5"}`."""
    needs = shortage.usd > shortage.grant.limit_usd
    hint = "; that is more than a whole day's limit" if needs else ""
    return desk.ask(
        "limit",
        f"{why}{hint}. `raise` gives it one more day's limit for today, or from now on what the result names, such "
        'as {"daily_usd": "5"}; `finish` ends the run with what there is. It goes on by itself when there is room.',
        state.spec.approvers,
        arguments={
            "account": shortage.account,
            "limit_usd": str(shortage.grant.limit_usd),
            "spent_usd": str(shortage.grant.spent_usd),
            "reserved_usd": str(shortage.grant.reserved_usd),
            "next_plan_usd": str(shortage.usd),
        },
    )


def _close(state: RunState, desk: HumanDesk, account: str) -> None:
    """The account has called: nobody needs to decide any more."""
    for request in list(state.requests.values()):
        if request.kind == "limit" and (request.arguments or {}).get("account") == account:
            desk.close(request.id, by=f"account {account}", answer="raise", note="it has room again")


def _raised(decision: Decision, shortage: Shortage) -> SetLimit | str:
    """The change that a decision asks for, or what is wrong with it."""
    if decision.result is None:
        more = max(shortage.daily_usd, shortage.usd)
        return SetLimit(by=decision.by, today_usd=more)
    named = decision.result.get("daily_usd") if isinstance(decision.result, dict) else decision.result
    try:
        limit = Decimal(str(named))
    except InvalidOperation:
        limit = Decimal("NaN")
    if not limit.is_finite() or limit < 0:
        return f'the result must be {{"daily_usd": "5"}}, or nothing, and not {decision.result!r}'
    return SetLimit(by=decision.by, daily_usd=limit)


async def _until_called_or_decided(state: RunState, asked: asyncio.Task[Decision] | None) -> None:
    await workflow.wait_condition(lambda: state.loop.account_called or (asked is not None and asked.done()))


async def _tell(account: str, signal: str, what: WaitForRoom | SetLimit) -> bool:
    """Signal the account; False when there is none any more."""
    try:
        await workflow.get_external_workflow_handle(names.ACCOUNT_PREFIX + account).signal(signal, what)
    except FailureError:
        return False
    return True
