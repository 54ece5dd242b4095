"""Heartbeats while an activity works, so that a dead worker is noticed in seconds."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from pydantic import ValidationError
from temporalio import activity

from activities.background import beside
from activities.lease import Lease
from holdfast.contracts.plans import Usage

FIRST_BEAT_SECONDS = 0.5
SLOWEST_BEAT_SECONDS = 2.0


@contextlib.asynccontextmanager
async def heartbeating(details: Callable[[], Any] | None = None) -> AsyncIterator[Lease]:
    """Heartbeat at least four times in each heartbeat timeout, with `details()` as the visible progress.

    Details cost no history; they are seen live among the run's pending activities. Work that is done within
    half a second never heartbeats: a beat is a call to the server. Yields the lease that the beats renew.
    """
    timeout = activity.info().heartbeat_timeout
    if timeout is None:
        yield Lease()
        return
    lease = Lease(timeout.total_seconds())
    async with beside(_beat(min(timeout.total_seconds() / 4, SLOWEST_BEAT_SECONDS), details, lease)):
        yield lease


async def _beat(seconds: float, details: Callable[[], Any] | None, lease: Lease) -> None:
    await asyncio.sleep(min(seconds, FIRST_BEAT_SECONDS))
    while True:
        if details is None:
            activity.heartbeat()
        else:
            activity.heartbeat(details())
        lease.renew()
        await asyncio.sleep(seconds)


LIVE_TEXT_CHARS = 2000
"""How much of the growing answer a heartbeat carries."""


class PlanBeat:
    """What a plan's heartbeats say: the step, the end of the answer as it grows, and what was used."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.read: Callable[[], str] = str
        self.lost = _lost_before()
        """What attempts used that failed, before this one and in it."""

    def details(self) -> dict[str, Any]:
        """The heartbeat's details."""
        said: dict[str, Any] = {"step": self.step, "text": self.read()[-LIVE_TEXT_CHARS:]}
        if self.lost.model_calls:
            said[LOST] = self.lost.model_dump(mode="json")
        return said


def _lost_before() -> Usage:
    """What the attempts before this one have used, as the last of them said."""
    said = activity.info().heartbeat_details[0] if activity.info().heartbeat_details else {}
    try:
        return Usage.model_validate(said.get(LOST, {}) if isinstance(said, dict) else {})
    except ValidationError:
        return Usage()


LOST = "lost"
