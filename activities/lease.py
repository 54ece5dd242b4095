"""A lease on an attempt: for how long the server still believes in the worker that carries it out.

A process that is stopped (a frozen container, a swapping host) and goes on later knows nothing of the pause. Its call has
been given to another worker meanwhile, or the run was told that its outcome is unknown. So every time that a tool
would go on after waiting for something, its lease is looked at first, and a tool whose lease has run out goes no
further: it gets `CancelledError` where it waited.

A call that was handed to a process while it was stopped begins after the pause, with a fresh lease. A write that must not
happen twice therefore asks the server first whether the call is still its own (`confirm_still_ours`).

What cannot be seen from here: a tool in a thread (a plain `def`) goes on, and so does one whose heartbeats were lost on
the way to the server. Their last guards are the idempotency key and the probe.
"""

import asyncio
import functools
import time
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar

from temporalio import activity
from temporalio.api.workflowservice.v1 import RecordActivityTaskHeartbeatRequest
from temporalio.service import RPCError, RPCStatusCode

from activities.failing import application_error
from holdfast.contracts.calls import Failure

T = TypeVar("T")

CONFIRMED_WITHIN = timedelta(seconds=5)

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The one that goes on while the machine sleeps, where there is one."""


def _now() -> float:
    return time.clock_gettime(_CLOCK)


SILENT_TOO_LONG = (
    "the worker was silent for longer than its heartbeat timeout, so another may have taken over"
)


class LeaseLost(Exception):  # named for what is the case
    """The attempt went no further, because nobody may be waiting for it any more."""


@dataclass
class Lease:
    """Runs out `seconds` after it was last renewed; without a number, never."""

    seconds: float | None = None
    _renewed: float = field(default_factory=_now)

    def renew(self) -> None:
        """The worker has just given a sign of life."""
        if not self.is_lost():  # one that comes back from the dead has lost it for good
            self._renewed = _now()

    def is_lost(self) -> bool:
        """Whether the server may have given up on this attempt."""
        return self.seconds is not None and _now() - self._renewed > self.seconds


class Leased(Generic[T]):
    """Awaits a coroutine step by step, for as long as the lease lasts. Raises LeaseLost after that.

    The coroutine is told by CancelledError, once, so that it can clean up and will hardly go on by mistake.
    """

    def __init__(self, lease: Lease, work: Coroutine[Any, Any, T]) -> None:
        self._lease = lease
        self._work = work

    def __await__(self) -> Generator[Any, Any, T]:
        work, told = self._work, False
        go_on: Callable[[], Any] = functools.partial(work.send, None)
        while True:
            try:
                waits_for = go_on()
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]  # the coroutine's own result
            except asyncio.CancelledError:
                if told:
                    raise LeaseLost(SILENT_TOO_LONG) from None
                raise
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001  # passed on to whom it is meant for
                go_on = functools.partial(work.throw, error)
            else:
                go_on = functools.partial(work.send, None)
                if not told and self._lease.is_lost():
                    told = True
                    go_on = functools.partial(work.throw, asyncio.CancelledError(SILENT_TOO_LONG))


async def confirm_still_ours() -> None:
    """Ask the server whether it still waits for this attempt. Raises ApplicationError: nothing was done.

    It costs one call to the server, as a heartbeat does.
    """
    info, client = activity.info(), activity.client()
    heartbeat = RecordActivityTaskHeartbeatRequest(
        namespace=client.namespace, task_token=info.task_token, identity=client.identity
    )
    try:
        await client.workflow_service.record_activity_task_heartbeat(
            heartbeat, retry=True, timeout=CONFIRMED_WITHIN
        )
    except RPCError as error:
        given_away = error.status == RPCStatusCode.NOT_FOUND
        why = "the call was given to another worker" if given_away else f"the server does not answer: {error}"
        failure = Failure(kind="transient", message=f"{why}; nothing was done", error="LeaseLost")
        raise application_error(failure, retry=True, started=False) from None
