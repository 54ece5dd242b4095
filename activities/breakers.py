"""A worker's view of the circuit breakers, and what it does to a call.

The breakers of a task queue are kept by its board (`workflows/breaker_board.py`). Before a call the worker looks at what
it knows of the board; a failure is reported at once, and the answer is the newest state. While all is well that costs
one query in two seconds, beside the calls. A board that cannot be read never stops a call: the worker then goes by what
it has seen itself.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import MetricGauge, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.runtime import Runtime
from temporalio.service import RPCError, RPCStatusCode

from activities.failing import application_error
from holdfast.contracts import names
from holdfast.contracts.breakers import (
    Breaker,
    BreakerAnswer,
    BreakerBoardState,
    BreakerEvent,
    BreakerReport,
    BreakerSettings,
)
from holdfast.contracts.calls import Failure
from policies import breaker

GAUGE = "holdfast_breaker_open"

FRESH_SECONDS = 2.0
"""A view this young is believed."""

OLD_SECONDS = 10.0
"""A view older than this is refreshed before the call; a younger one in which all is well, beside it."""

DOUBTFUL_SECONDS = 0.25
"""How young a view must be of a dependency that has failed."""

NEARLY = 0.9
"""The part of its timeout after which a call that is given up has timed out."""

READ_TIMEOUT = timedelta(seconds=1)
REPORT_TIMEOUT = timedelta(seconds=5)
WATCH_SECONDS = 10.0
"""How often a worker that knows of an open breaker looks whether it has closed, for the sake of the metric."""

UNREACHABLE = (
    RPCError,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    TimeoutError,
    RuntimeError,
)


class Breakers:
    """The breakers as this worker knows them. One for each worker process and task queue.

    Args:
        settings: When they open and for how long.
    """

    def __init__(self, settings: BreakerSettings | None = None) -> None:
        self._settings = settings or BreakerSettings()
        self._board: dict[str, Breaker] = {}
        self._untold: dict[str, list[tuple[BreakerReport, datetime]]] = {}
        self._telling: set[asyncio.Task[BreakerAnswer]] = set()
        self._read_at: float | None = None
        self._reading: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._asking: dict[str, asyncio.Lock] = {}
        self._gauge: MetricGauge | None = None
        self._shown: dict[str, int] = {}

    @contextlib.asynccontextmanager
    async def guarding(self, dependencies: Sequence[str], *, wait: bool) -> AsyncIterator[None]:
        """Make the call within only while its dependencies are believed to work, and note how it ends.

        Raises ApplicationError, before the call has begun, while a breaker is open: with `wait` the server is to try
        again when a trial may be made; without, at once and for good.
        """
        if not dependencies:
            yield
            return
        client, queue = activity.client(), activity.info().task_queue
        trials = {one: await self._admit(client, queue, one, wait=wait) for one in dependencies}
        failure: BaseException | None = None
        began = time.monotonic()
        try:
            yield
        except BaseException as error:
            failure = error
            raise
        finally:
            for dependency, trial in trials.items():
                verdict = _verdict(failure, time.monotonic() - began)
                await self._ended(client, queue, dependency, trial, verdict)

    async def close(self) -> None:
        """Stop what goes on beside the calls."""
        tasks = [task for task in (self._reading, self._watching, *self._telling) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _admit(self, client: Client, queue: str, dependency: str, *, wait: bool) -> int | None:
        """The number of the trial that the call is, None for an ordinary call. Raises ApplicationError."""
        await self._refresh(client, queue, dependency)
        known = self._of(dependency)
        if known.state == "closed":
            self._show(client, known)
            return None
        async with self._asking.setdefault(dependency, asyncio.Lock()):
            known = self._of(dependency)
            if breaker.may_ask(known, _now()):
                report = BreakerReport(dependency=dependency, event="ask", settings=self._settings)
                answer = await self._tell(client, queue, report)
                if answer.trial is not None:
                    return answer.trial
                known = answer.breaker
        if known.state == "closed":
            return None
        seconds = breaker.wait_seconds(known, _now())
        spread = random.uniform(0, 0.1 * seconds)  # noqa: S311  # so that not all come back at once
        raise application_error(
            breaker.held(known), retry=wait, retry_after=seconds + spread if wait else None, started=False
        )

    async def _ended(
        self, client: Client, queue: str, dependency: str, trial: int | None, verdict: str | None
    ) -> None:
        """Report how the call ended, where that says something new.

        It counts here at once, however long the board takes: until then the next calls would be made. The report goes on
        when the attempt that it is about is given up.
        """
        known = self._of(dependency)
        healthy = verdict == "" and known.failures == 0  # None is another answer
        if verdict is None or (trial is None and (known.state != "closed" or healthy)):
            return
        event: BreakerEvent = "failed" if verdict else "succeeded"
        report = BreakerReport(
            dependency=dependency, event=event, trial=trial, why=verdict, settings=self._settings
        )
        untold = self._untold.setdefault(dependency, [])
        untold.append(entry := (report, _now()))
        self._show(client, self._of(dependency))
        task = asyncio.create_task(self._tell(client, queue, report))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)
        task.add_done_callback(lambda _: untold.remove(entry))
        await asyncio.shield(task)

    async def _tell(self, client: Client, queue: str, report: BreakerReport) -> BreakerAnswer:
        """The board's answer, or, when it cannot be reached, what it would be by this worker's own view."""
        board: WithStartWorkflowOperation[Any, None] = WithStartWorkflowOperation(
            names.BREAKER_BOARD,
            BreakerBoardState(),
            id=board_id(queue),
            task_queue=queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=f"circuit breakers of task queue {queue}"[:180],
        )
        try:
            async with asyncio.timeout(REPORT_TIMEOUT.total_seconds()):
                answer: BreakerAnswer = await client.execute_update_with_start_workflow(
                    names.BREAKER_REPORT,
                    report,
                    start_workflow_operation=board,
                    result_type=BreakerAnswer,
                    rpc_timeout=REPORT_TIMEOUT,
                )
        except UNREACHABLE as error:
            activity.logger.warning("the breaker board of %s cannot be reached: %s", queue, error)
            known = self._board.get(report.dependency) or Breaker(dependency=report.dependency)
            answer = breaker.after(known, report, _now())
            own = answer.breaker.model_copy(update={"version": known.version})  # the board's next word wins
            answer = BreakerAnswer(breaker=own, trial=answer.trial)
        self._learn(client, queue, answer.breaker)
        return answer

    async def _refresh(self, client: Client, queue: str, dependency: str) -> None:
        """Read the board when the view is too old for this dependency."""
        age = time.monotonic() - self._read_at if self._read_at is not None else float("inf")
        known = self._of(dependency)
        well = known.state == "closed" and known.failures == 0
        if age < (FRESH_SECONDS if well else DOUBTFUL_SECONDS):
            return
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read(client, queue))
        if not well or age >= OLD_SECONDS:
            await asyncio.shield(self._reading)

    async def _read(self, client: Client, queue: str) -> None:
        try:
            found = await read_board(client, queue)
        except UNREACHABLE as error:
            activity.logger.debug("the breaker board of %s cannot be read: %s", queue, error)
            found = []
        self._read_at = time.monotonic()
        for one in found:
            self._learn(client, queue, one)

    def _of(self, dependency: str) -> Breaker:
        """What the board said last, and what this worker has seen that the board has not answered yet."""
        known = self._board.get(dependency) or Breaker(dependency=dependency)
        for report, at in self._untold.get(dependency, ()):
            known = breaker.after(known, report, at).breaker
        return known

    def _learn(self, client: Client, queue: str, found: Breaker) -> None:
        """Keep the board's word, unless a newer one is known: answers come in any order."""
        found = breaker.newer(self._board.get(found.dependency), found)
        self._board[found.dependency] = found
        self._show(client, self._of(found.dependency))
        if found.state != "closed" and (self._watching is None or self._watching.done()):
            self._watching = asyncio.create_task(self._watch(client, queue))

    def _show(self, client: Client, known: Breaker) -> None:
        """Set the gauge: 1 while calls are held."""
        value = 0 if known.state == "closed" else 1
        if self._shown.get(known.dependency) == value:
            return
        if self._gauge is None:
            runtime = client.service_client.config.runtime or Runtime.default()
            about = "1 while a circuit breaker holds the calls of its dependency"
            meter = runtime.metric_meter.with_additional_attributes({"namespace": client.namespace})
            self._gauge = meter.create_gauge(GAUGE, about)
        self._shown[known.dependency] = value
        self._gauge.set(value, {"dependency": known.dependency})

    async def _watch(self, client: Client, queue: str) -> None:
        """Look now and then whether the open breakers have closed, though this worker may make no calls."""
        while any(one.state != "closed" for one in self._board.values()):
            await asyncio.sleep(WATCH_SECONDS)
            await self._read(client, queue)


async def read_board(client: Client, queue: str) -> list[Breaker]:
    """The breakers of a task queue; none when its board was never started. Raises one of UNREACHABLE."""
    handle = client.get_workflow_handle(board_id(queue))
    try:
        async with asyncio.timeout(READ_TIMEOUT.total_seconds()):
            found: list[Breaker] = await handle.query(
                names.BREAKERS, result_type=list[Breaker], rpc_timeout=READ_TIMEOUT
            )
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return []
        raise
    return found


def board_id(queue: str) -> str:
    """The id of a task queue's board."""
    return f"{names.BREAKER_BOARD_ID}/{queue}"


def _verdict(error: BaseException | None, seconds: float) -> str | None:
    """How the call failed; empty: the service answered; None: nothing is known of the service."""
    if error is None:
        return ""
    if isinstance(error, asyncio.CancelledError):
        # The server tells that it has given up an attempt, not why; one that was cancelled has mostly not lasted as long.
        timeout = activity.info().start_to_close_timeout
        late = timeout is not None and seconds >= NEARLY * timeout.total_seconds()
        return "it did not answer within its timeout" if late else None
    if not isinstance(error, ApplicationError) or not error.details:
        return None
    failure = Failure.model_validate(error.details[0])
    counts = breaker.failure_counts(failure)
    if counts is None:
        return None
    return f"{failure.error or failure.kind}: {failure.message}" if counts else ""


def _now() -> datetime:
    return datetime.now(UTC)
