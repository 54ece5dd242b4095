"""Credentials that were refused: renewed once, by the function that a tool's author gave, and the call made once more.

Many calls meet an expired token at the same moment. Those of one worker that share a refresh share one run of it: who
comes while it runs waits for it, and whose call began before the last one ended needs no other.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from activities.calling import call
from holdfast.context import ToolContext
from holdfast.contracts.base import Json
from holdfast.errors import Unauthorised
from holdfast.promises import Refresh
from holdfast.signatures import context_parameter

Work = Callable[[], Coroutine[Any, Any, Json]]


class _Running:
    """A refresh under way, and how many calls wait for it."""

    def __init__(self, task: "asyncio.Task[Any]") -> None:
        self.task = task
        self.waiting = 0


class Refreshes:
    """The refreshes of one worker."""

    def __init__(self) -> None:
        self._running: dict[object, _Running] = {}
        self._ended: dict[object, float] = {}

    async def carry_out(
        self,
        work: Work,
        refresh: Refresh | None,
        context: ToolContext,
        *,
        guarded: Callable[[Work], Awaitable[Json]],
        before_again: Callable[[], Awaitable[None]] | None = None,
    ) -> Json:
        """Do the work; where its credentials are refused renew them, and do it once more.

        All of it is done by `guarded`, which turns what it raises into the activity's own error; but for
        `before_again`, which stands before the second try and raises such an error itself.
        """
        began, refused = time.monotonic(), False

        async def first() -> Json:
            nonlocal refused
            try:
                return await work()
            except Unauthorised as error:
                if refresh is None:
                    raise
                await self._renew(refresh, context, began, error)
                refused = True
                return None

        async def again() -> Json:
            try:
                return await work()
            except Unauthorised as error:
                raise Unauthorised(f"{_sentence(error)} The credentials had been refreshed once.") from error

        result = await guarded(first)
        if not refused:
            return result
        if before_again is not None:
            await before_again()
        return await guarded(again)

    async def _renew(
        self, refresh: Refresh, context: ToolContext, began: float, refused: Unauthorised
    ) -> None:
        """Renew them, unless that was done since the call began. Raises Unauthorised that says why it failed."""
        key = _key(refresh)
        if self._ended.get(key, began) > began:
            return
        try:
            await self._shared(key, refresh, context)
        except Exception as error:
            why = str(error) or type(error).__name__
            raise Unauthorised(
                f"{_sentence(refused)} The credentials could not be refreshed ({type(error).__name__}): {why}"
            ) from error
        self._ended[key] = time.monotonic()

    async def _shared(self, key: object, refresh: Refresh, context: ToolContext) -> None:
        """One run of it for all who come meanwhile. It is given up when nobody waits for it any more."""
        running = self._running.get(key)
        if running is None or running.task.done():
            name = context_parameter(refresh)
            task = asyncio.create_task(call(refresh, **({name: context} if name else {})))
            running = self._running[key] = _Running(task)
        running.waiting += 1
        try:
            await asyncio.shield(running.task)
        finally:
            running.waiting -= 1
            if not running.waiting:
                running.task.cancel()
                if self._running.get(key) is running:
                    del self._running[key]


def _key(refresh: Refresh) -> object:
    """What tells refreshes apart: the method of one object is one, however often it is looked up."""
    try:
        hash(refresh)
    except TypeError:
        return id(refresh)
    return refresh


def _sentence(error: Exception) -> str:
    text = str(error).rstrip() or type(error).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."
