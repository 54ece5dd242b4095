"""activities/breakers.py: a worker's own view holds calls, however slow or silent the board is."""

from __future__ import annotations

import asyncio
import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.breakers import Breakers
from holdfast.contracts.breakers import BreakerSettings
from holdfast.contracts.calls import Failure

SETTINGS = BreakerSettings(failures=5, open_seconds=30)


class Board:
    """A client whose board was never started; what is reported to it goes to `report`."""

    namespace = "default"
    service_client = SimpleNamespace(config=SimpleNamespace(runtime=None))

    def __init__(self, *, silent: bool) -> None:
        self.silent = silent
        self.reports = 0
        self.told = asyncio.Condition()

    async def heard(self, reports: int) -> None:
        """When so many reports have come."""
        async with self.told:
            await self.told.wait_for(lambda: self.reports >= reports)

    def get_workflow_handle(self, _: str) -> Board:
        """Itself."""
        return self

    async def query(self, *_: Any, **__: Any) -> Any:
        """There is no such workflow."""
        raise RPCError("no board", RPCStatusCode.NOT_FOUND, b"")

    async def execute_update_with_start_workflow(self, *_: Any, **__: Any) -> Any:
        """No answer, or that the server is out of reach."""
        async with self.told:
            self.reports += 1
            self.told.notify_all()
        if self.silent:
            await asyncio.Event().wait()
        raise RPCError("out of reach", RPCStatusCode.UNAVAILABLE, b"")


async def call(breakers: Breakers, board: Any, made: list[str]) -> None:
    """One call to a service that is down."""

    async def attempt() -> None:
        async with breakers.guarding(("crm",), wait=False):
            made.append("call")
            failure = Failure(kind="transient", message="down", error="Down")
            raise ApplicationError("down", failure.model_dump(mode="json"), type="transient")

    environment = ActivityEnvironment(client=board)
    with contextlib.suppress(ApplicationError):
        await environment.run(attempt)


async def test_failures_count_before_the_board_has_answered() -> None:
    """While reports are on their way no further call is made: the fifth failure opens the breaker in this worker."""
    breakers, board, made = Breakers(SETTINGS), Board(silent=True), list[str]()
    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(call(breakers, board, made)) for _ in range(5)]
        await board.heard(5)
        await call(breakers, board, made)
        assert len(made) == 5
        await breakers.close()
        assert all(not one.done() or one.exception() is None for one in calls)


async def test_a_call_that_is_given_up_while_it_reports_has_failed_all_the_same() -> None:
    """An attempt that runs into its timeout while the board is slow is not forgotten."""
    breakers, board, made = Breakers(SETTINGS), Board(silent=True), list[str]()
    for at in range(5):
        attempt = asyncio.create_task(call(breakers, board, made))
        await board.heard(at + 1)
        attempt.cancel()
        with pytest.raises(asyncio.CancelledError):
            await attempt
    await call(breakers, board, made)
    assert len(made) == 5
    await breakers.close()


async def test_a_board_out_of_reach_leaves_each_worker_a_breaker_of_its_own() -> None:
    """A worker that cannot reach the board goes by what it has seen itself, and no call waits for the board."""
    breakers, board, made = Breakers(SETTINGS), Board(silent=False), list[str]()
    for _ in range(9):
        await call(breakers, board, made)
    assert (len(made), board.reports) == (5, 5)
    await breakers.close()
