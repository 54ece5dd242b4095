"""Steering a run: say something to its agent, pause it, resume it, cancel it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from pydantic import ValidationError
from temporalio.service import RPCError, RPCStatusCode

from holdfast.contracts import names
from holdfast.contracts.base import Contract
from holdfast.contracts.limits import LimitsRaised, RaiseInput
from holdfast.contracts.steering import MessageInput, SteerInput
from holdfast.errors import UsageError
from holdfast.promises import in_words

if TYPE_CHECKING:
    from temporalio.client import WorkflowHandle

InputT = TypeVar("InputT", MessageInput, SteerInput)


def _checked(model: type[InputT], **given: str) -> InputT:
    try:
        return model(**given)
    except ValidationError as error:
        raise UsageError(f"Not sent. {in_words(error)}") from None


def _spelled(value: int | str | Decimal | timedelta | None) -> str | None:
    if value is None:
        return None
    return str(value.total_seconds()) if isinstance(value, timedelta) else str(value)


class Steered:
    """The part of a `Run` that steers it. Everything here is durable once it returns, also while no worker is up."""

    _handle: WorkflowHandle[Any, Any]

    async def send(self, text: str, *, by: str) -> None:
        """Say something to the agent. It hears it with its next plan, in the order in which messages came.

        A run does not end before it has heard what came in time; in its last turn it may (`RunOutcome.untold`).

        Raises:
            UsageError: The message is empty or too large, nobody says it, or the run has ended.
            RunNotFound: There is no such run.
        """
        await self._signal(names.MESSAGE, _checked(MessageInput, text=text, by=by))

    async def pause(self, *, by: str, reason: str = "") -> None:
        """Let calls under way come to their end, and begin nothing new until `resume`. Raises as `send`.

        A paused run costs nothing. Deadlines of its requests go on.
        """
        await self._signal(names.PAUSE, _checked(SteerInput, by=by, reason=reason))

    async def resume(self, *, by: str, reason: str = "") -> None:
        """Let a paused run go on from where it stopped. Raises as `send`."""
        await self._signal(names.RESUME, _checked(SteerInput, by=by, reason=reason))

    async def raise_limits(
        self,
        *,
        by: str,
        reason: str = "",
        steps: int | str | None = None,
        calls: int | str | None = None,
        tokens: int | str | None = None,
        cost_usd: str | Decimal | None = None,
        wall_clock: timedelta | str | None = None,
        working_time: timedelta | str | None = None,
        later: bool = False,
    ) -> LimitsRaised | None:
        """Raise limits of the run: before it reaches them, or when it asks for more; then it goes on.

        A value is the new limit, such as `40` or `timedelta(hours=2)`, or so much more as a string: `"+20"`,
        `"+0.50"`, `"+1h30m"`. Returns what was changed; None with `later`, which leaves it with the server.

        Raises:
            UsageError: A value is not to be understood.
            DecisionRefused: The run has no such limit, has used as much already, has ended, or `by` may not.
            NoWorkerAnswers: Nobody took it in 30 s; with `later` it counts when a worker is up.
        """
        try:
            asked = RaiseInput(
                by=by,
                reason=reason,
                steps=_spelled(steps),
                calls=_spelled(calls),
                tokens=_spelled(tokens),
                cost_usd=_spelled(cost_usd),
                wall_clock=_spelled(wall_clock),
                working_time=_spelled(working_time),
            )
        except ValidationError as error:
            raise UsageError(f"Nothing was raised. {in_words(error)}") from None
        if later:
            await self._signal(names.RAISE_LIMITS, asked)
            return None
        found: LimitsRaised = await self._update(names.RAISE_LIMITS, asked, LimitsRaised)
        return found

    async def cancel(self, *, by: str = "", reason: str = "") -> None:
        """Ask the run to end. What it has done stays done; `outcome()` tells what that was, and what is unknown.

        A tool under way gets `asyncio.CancelledError` at its next heartbeat, and 30 seconds to clean up; what it
        returns or raises then is recorded.
        """
        _checked(SteerInput, by=by or "nobody", reason=reason)
        said = ": ".join(part for part in (f"by {by}" if by else "", reason) if part)
        try:
            await self._handle.cancel(reason=said)
        except RPCError as error:
            self._raise(error)

    async def _signal(self, name: str, value: Contract) -> None:
        try:
            await self._handle.signal(name, value)
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND and await self._closed():
                raise UsageError(f"Run {self._handle.id} has ended already; nothing was sent.") from None
            self._raise(error)

    async def _update(self, name: str, asked: Contract, result_type: type[Any]) -> Any:
        raise NotImplementedError

    async def _closed(self) -> bool:
        raise NotImplementedError

    def _raise(self, error: Exception) -> NoReturn:
        raise NotImplementedError
