"""Steering a run: say something to its agent, pause it, resume it, cancel it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from pydantic import ValidationError
from temporalio.service import RPCError, RPCStatusCode

from holdfast.contracts import names
from holdfast.contracts.base import Contract
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

    async def _closed(self) -> bool:
        raise NotImplementedError

    def _raise(self, error: Exception) -> NoReturn:
        raise NotImplementedError
