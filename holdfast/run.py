"""One run, seen from outside: watch it, decide what it asks, wait for its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Generic, Literal, NoReturn, cast

from temporalio.client import Client as TemporalClient
from temporalio.client import (
    WorkflowHandle,
    WorkflowQueryFailedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import (
    ApplicationError,
)
from temporalio.service import RPCError, RPCStatusCode

from holdfast import archive
from holdfast.agent import Agent, OutT
from holdfast.archive import RecordT
from holdfast.artifacts import artifact_store
from holdfast.connection import ServerAway, server_failed
from holdfast.contracts import names
from holdfast.contracts.archive import ArchivedPart, PartKind
from holdfast.contracts.base import Contract, Json, JsonObject
from holdfast.contracts.parked import Redrive, Rehearsal
from holdfast.contracts.requests import Choice, Decision, DecisionInput, Request
from holdfast.contracts.run import (
    EventsRequest,
    InspectRequest,
    RunEvent,
    RunView,
    StepRecord,
)
from holdfast.contracts.undo import UndoInput, UndoOutcome
from holdfast.errors import (
    DecisionRefused,
    NoWorkerAnswers,
    RunNotCompleted,
    RunNotFound,
    UsageError,
)
from holdfast.forked import Forked
from holdfast.results import NeverBegan, Results
from holdfast.undoing import undo

QUERY_TIMEOUT = timedelta(seconds=10)
DECISION_TIMEOUT = timedelta(seconds=30)
"""How long a decision by update waits for a worker to take it."""

_ENDED_UNBEGUN = "closed before WorkflowTaskStarted"
"""What the server says of a run that was ended before any worker had it."""

_FIRST_MOMENTS = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between looks at a run that is only just starting."""

FASTEST_POLL_SECONDS = 0.1
SLOWEST_POLL_SECONDS = 2.0


class Run(Forked, Results[OutT], Generic[OutT]):
    """A run. Made by `Client.start` and `Client.run`."""

    def __init__(self, temporal: TemporalClient, run: str, agent: Agent[OutT] | None = None) -> None:
        self._temporal = temporal
        self._handle: WorkflowHandle[Any, Any] = temporal.get_workflow_handle(run)
        self._agent = agent

    @property
    def id(self) -> str:
        """The run's id: the workflow id."""
        return self._handle.id

    def __repr__(self) -> str:
        return f"Run({self.id!r})"

    async def inspect(self, *, at: int | None = None) -> RunView:
        """The run as it stands: steps, calls, requests, effects, cost; with `at` as it was after that step.

        Then its `transcript` is there too.

        Raises:
            RunNotFound: There is no such run.
            NoWorkerAnswers: No worker is up that could tell.
            ConnectionFailed: The server does not answer any more, or refuses the credentials.
            UsageError: There is no such step.
            ArtifactNotFound, ArtifactStoreFailed: It is so long that it has laid its first steps aside, and the
                artifact store that `HOLDFAST_ARTIFACTS` names here does not give them.
        """
        if at is not None:
            return await self._inspect_at(at)
        view: RunView = await self._query(names.INSPECT, InspectRequest(), result_type=RunView)
        steps = await self._laid_aside("steps", StepRecord, 0, view.steps[0].number - 1 if view.steps else 0)
        steps += view.steps
        while len(steps) < view.total_steps:  # a long run answers in pages
            asked = InspectRequest(from_step=len(steps) + 1)
            page: RunView = await self._query(names.INSPECT, asked, result_type=RunView)
            steps += page.steps
        return view.model_copy(update={"steps": steps})

    async def requests(self) -> list[Request]:
        """What the run asks of humans now. Raises as `inspect`."""
        return cast("list[Request]", await self._query(names.REQUESTS, result_type=list[Request]))

    async def events(self, *, after: int = 0) -> AsyncIterator[RunEvent]:
        """Everything that happens, from event number `after` on, until the run has ended.

        It outlives workers and the server's restarts: while nobody answers it waits. Watching leaves nothing
        in the run's history. Raises RunNotFound, and ConnectionFailed where the server refuses the credentials.
        """
        pause = FASTEST_POLL_SECONDS
        while True:
            try:
                asked = EventsRequest(after=after)
                found = cast(
                    "list[RunEvent]", await self._query(names.EVENTS, asked, result_type=list[RunEvent])
                )
            except NeverBegan:
                return
            except (NoWorkerAnswers, ServerAway):
                found = []
            if found and found[0].number > after:  # the run has laid these aside since
                found = [*await self._laid_aside("events", RunEvent, after, found[0].number), *found]
            for event in found:
                after = event.number + 1
                yield event
                if event.kind == "finished":
                    return
            if not found and pause == SLOWEST_POLL_SECONDS and await self._closed():
                return  # ended from outside, without a last event
            pause = FASTEST_POLL_SECONDS if found else min(pause * 1.5, SLOWEST_POLL_SECONDS)
            await asyncio.sleep(pause)

    async def next_request(self, *, kind: str | None = None) -> Request:
        """Wait until the run asks a human something, and return it. While no worker answers, it waits.

        Raises:
            RunNotCompleted: The run ended without asking.
        """
        async for event in self.events():
            if event.kind != "request":
                continue
            for request in await self._requests_patiently():
                if kind is None or request.kind == kind:
                    return request
        raise RunNotCompleted(f"Run {self.id} ended without asking anything.", await self.outcome())

    async def approve(
        self, request: Request | str, *, by: str, note: str = "", arguments: JsonObject | None = None
    ) -> Decision:
        """Approve exactly what the request shows, or with other `arguments`, which are checked again.

        Raises:
            DecisionRefused: The request is closed or unknown, the arguments are not valid, or `by` may not.
            NoWorkerAnswers: Nobody took the decision in 30 s; `temporal workflow signal` leaves it for later.
        """
        return await self._decide("approve", request, by=by, note=note, arguments=arguments)

    async def reject(self, request: Request | str, *, by: str, reason: str) -> Decision:
        """Reject a request; the model is told the reason. Raises as `approve`."""
        return await self._decide("reject", request, by=by, reason=reason)

    async def answer(
        self, request: Request | str, answer: str, *, by: str, result: Json = None, note: str = ""
    ) -> Decision:
        """Answer a question, an unknown effect (`happened`, `run`, `skip`) or a parked run (`redrive`, `discard`).

        With `happened`, `result` is what the call returned. Raises as `approve`.
        """
        return await self._decide("answer", request, by=by, answer=answer, result=result, note=note)

    async def redrive(
        self,
        *,
        by: str,
        note: str = "",
        from_step: int | None = None,
        agent: Literal["latest"] | None = None,
    ) -> Decision:
        """Let a parked run go on, from where it stopped: nothing that it did is done again.

        Args:
            by: Who decides.
            note: Why; kept with the decision.
            from_step: Go back, and plan again from this step on. What the run did since stands; its planner is
                told so, and may all the same ask for it again.
            agent: `"latest"`: live by the agent as its workers define it now, such as one that has been mended.

        Raises:
            DecisionRefused: The run is not parked, or has no such step.
            NoWorkerAnswers: No worker is up that could take the decision.
        """
        how = Redrive(from_step=from_step, agent=agent).model_dump(exclude_none=True)
        return await self.answer(await self._parked(), "redrive", by=by, result=how or None, note=note)

    async def rehearse(self, *, from_step: int | None = None) -> Rehearsal:
        """What `redrive` would do again, without doing it: the writes that its model may ask for once more.

        From where it stopped a run repeats none. Raises as `inspect`; that it cannot be redriven is in the answer.
        """
        asked = Redrive.model_construct(from_step=from_step)
        found: Rehearsal = await self._query(names.REHEARSE, asked, result_type=Rehearsal)
        if found.problem is None and await self._closed():  # ended from outside, which it does not know
            return found.model_copy(update={"problem": "it has ended"})
        return found

    async def discard(self, *, by: str, reason: str) -> Decision:
        """End a parked run as failed; what it did stays done, and is in its outcome. Raises as `redrive`."""
        return await self.answer(await self._parked(), "discard", by=by, note=reason)

    async def _parked(self) -> Request:
        """The request of a parked run. Raises DecisionRefused: it is not parked."""
        for request in await self.requests():
            if request.kind == "parked":
                return request
        raise DecisionRefused(f"run {self.id} is not parked")

    async def undo(
        self,
        *,
        by: str,
        calls: list[str] | None = None,
        to_step: int | None = None,
        forgotten: bool = False,
        note: str = "",
    ) -> UndoOutcome:
        """Take back what the run did, last call first, and wait until that is done.

        It runs as a workflow of its own, so it survives crashes, and asking again for the same calls returns
        the outcome of the first time; of what failed, another try is made. Undo a run that is still open only
        after cancelling it.

        Args:
            by: Who asks.
            calls: Ids of calls, such as `["3.1"]`; None means every call that had an effect.
            to_step: Take back only what was done after this step; what it did before it was rewound counts by the
                step that it was done in.
            forgotten: Take back only what the run has gone back behind, when it was rewound.
            note: Why.

        Raises:
            RunNotFound: There is no such run.
            UsageError: It has no such effects.
        """
        if not await self._closed():
            raise UsageError(f"Run {self.id} is still open: cancel it first, or let it end.")
        asked = UndoInput(
            run=self.id,
            by=by,
            calls=calls and sorted(calls),
            note=note,
            to_step=to_step,
            forgotten=forgotten,
        )
        ended = await self._handle.describe()
        return await undo(self._temporal, asked, task_queue=ended.task_queue, ended_at=ended.close_time)

    async def input_mark(self, field: str) -> str | None:
        """The digest of the input it was started with, if it was started by a client of Holdfast."""
        memo = await (await self._handle.describe()).memo()
        return cast("str | None", memo.get(field))

    async def _decide(self, choice: Choice, request: Request | str, **given: Any) -> Decision:
        name = request if isinstance(request, str) else request.id
        asked = DecisionInput(request=name, choice=choice, **given)
        return cast(Decision, await self._update(names.DECIDE, asked, Decision))

    async def _update(self, name: str, asked: Contract, result_type: type[Any]) -> Any:
        for pause in _FIRST_MOMENTS:
            try:
                return await self._update_once(name, asked, result_type)
            except DecisionRefused as error:
                if "just starting" not in str(error):
                    raise
            await asyncio.sleep(pause)
        return await self._update_once(name, asked, result_type)

    async def _update_once(self, name: str, asked: Contract, result_type: type[Any]) -> Any:
        try:
            return await self._handle.execute_update(
                name, asked, result_type=result_type, rpc_timeout=DECISION_TIMEOUT
            )
        except WorkflowUpdateFailedError as error:
            cause = error.cause
            raise DecisionRefused(
                cause.message if isinstance(cause, ApplicationError) else str(cause)
            ) from None
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            raise NoWorkerAnswers(self._nobody()) from None
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND and await self._closed():
                raise DecisionRefused(f"run {self.id} has ended") from None
            self._raise(error)

    async def _requests_patiently(self) -> list[Request]:
        """The open requests; none when the run has ended and nobody can tell."""
        while True:
            try:
                return await self.requests()
            except (NoWorkerAnswers, ServerAway):
                if await self._closed():
                    return []
                await asyncio.sleep(SLOWEST_POLL_SECONDS)

    async def _laid_aside(self, kind: PartKind, model: type[RecordT], start: int, stop: int) -> list[RecordT]:
        """What a long run does not tell itself any more, from the artifact store. Raises as `archive.read_items`."""
        if start >= stop:
            return []
        parts = await self._query(names.ARCHIVED, result_type=list[ArchivedPart])
        return await archive.read_items(artifact_store(), parts, model, kind, start=start, stop=stop)

    async def _query(self, name: str, *args: Any, result_type: Any) -> Any:
        for pause in (*_FIRST_MOMENTS, None):
            try:
                return await self._handle.query(
                    name, args=args, result_type=result_type, rpc_timeout=QUERY_TIMEOUT
                )
            except (RPCError, WorkflowQueryFailedError) as error:
                # A worker has the run, and is still finding its agent.
                starting = "just starting" in str(error)
                if _ENDED_UNBEGUN in str(error) or (starting and pause is None and await self._closed()):
                    raise NeverBegan(f"Run {self.id} was ended before it began.") from None
                if pause is None or not starting:
                    self._raise(error)
            await asyncio.sleep(pause)
        return None

    async def _closed(self) -> bool:
        try:
            return (await self._handle.describe()).close_time is not None
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                self._raise(error)
            return False

    def _raise(self, error: Exception) -> NoReturn:
        if isinstance(error, RPCError) and error.status == RPCStatusCode.NOT_FOUND:
            where = f"in namespace {self._temporal.namespace!r}"
            raise RunNotFound(f"There is no run {self.id!r} {where}. `holdfast runs` lists them.") from None
        if isinstance(error, RPCError) and (failed := server_failed(error, waits_for_worker=True)):
            raise failed from error
        raise NoWorkerAnswers(f"{self._nobody()} ({error})") from error

    def _nobody(self) -> str:
        return f"No worker answers for run {self.id}: is one running? `holdfast worker package.module` starts one."
