"""Handlers that survive whatever is sent to them.

A signal or an input with another number of values than its handler has parameters raises TypeError inside the
workflow task, which the server then retries for ever: one wrong command would hang a run for good. So the handlers
of a run take any number of values, while the SDK and the UI still see their one parameter.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

NOTHING = RawValue(Payload())
"""What a handler gets that was sent no value."""

S = TypeVar("S")
R = TypeVar("R")


def any_payloads(handler: Callable[[S, RawValue], R]) -> Callable[..., R]:
    """The handler, called with the one value, with `NOTHING`, or with a list of the values that came."""

    @functools.wraps(handler)
    def called(self: S, *given: Any) -> R:
        return handler(self, _one(given))

    return called


def any_payloads_async(handler: Callable[[S, RawValue], Awaitable[R]]) -> Callable[..., Awaitable[R]]:
    """The same for a coroutine function."""

    @functools.wraps(handler)
    async def called(self: S, *given: Any) -> R:
        return await handler(self, _one(given))

    return called


def _one(given: tuple[Any, ...]) -> RawValue:
    if not given:
        return NOTHING
    if len(given) == 1 and isinstance(given[0], RawValue):
        return given[0]
    # The SDK drops the type hints where the numbers differ, so these are decoded values.
    return RawValue(workflow.payload_converter().to_payload(list(given)))
