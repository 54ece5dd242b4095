"""Asking a model: the provider loaded, its breaker respected, its time bounded."""

import asyncio
import contextlib
import importlib
import sys
from collections.abc import AsyncIterator

from activities.breakers import Breakers
from activities.failing import application_error
from holdfast.contracts.calls import Failure
from holdfast.contracts.spec import ModelRung
from policies.breaker import model_dependency

PROVIDER = "activities.providers.anthropic"

ANSWERS_WITHIN = 0.95
"""The part of its timeout that a model gets: the rest is for telling why, which a timeout of the server does not."""


async def claude() -> None:
    """Load the provider.

    On first use: the SDK takes seconds, in which the worker's other work goes on, and agents that plan by rules
    never need it.
    """
    if PROVIDER not in sys.modules:
        await asyncio.to_thread(importlib.import_module, PROVIDER)


@contextlib.asynccontextmanager
async def asking(breakers: Breakers, rung: ModelRung, *, wait: bool) -> AsyncIterator[None]:
    """Ask a model within: while its breaker lets it be asked, and no longer than its timeout.

    Raises ApplicationError.
    """
    async with breakers.guarding((model_dependency(rung.model),), wait=wait):
        try:
            async with asyncio.timeout(ANSWERS_WITHIN * rung.timeout_seconds):
                yield
        except TimeoutError:
            message = f"{rung.model} did not answer within {rung.timeout_seconds:g} s"
            failure = Failure(kind="transient", message=message, error="Timeout")
            raise application_error(failure, retry=True) from None
