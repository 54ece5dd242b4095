"""What a run has to show: its result, its outcome in whatever state it is, its transcript, what is under way."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import logging
from typing import TYPE_CHECKING, Any, Generic, Literal, NoReturn, cast

from pydantic import ValidationError
from temporalio.client import WorkflowFailureError
from temporalio.common import SearchAttributeKey
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    TerminatedError,
    TimeoutError,  # noqa: A004
)
from temporalio.service import RPCError

from holdfast import archive
from holdfast.agent import Agent, OutT
from holdfast.artifacts import artifact_store
from holdfast.connection import ServerAway, server_failed
from holdfast.contracts import names
from holdfast.contracts.calls import CallRecord
from holdfast.contracts.messages import Message, Page, PageRequest
from holdfast.contracts.pending import PendingWork
from holdfast.contracts.run import InspectRequest, RunOutcome, RunStatus, RunView
from holdfast.errors import (
    AgentNotServed,
    HoldfastError,
    NoWorkerAnswers,
    RunNotCompleted,
    RunParked,
    UsageError,
)
from holdfast.pending import pending_work
from holdfast.promises import in_words

if TYPE_CHECKING:
    from temporalio.client import Client as TemporalClient
    from temporalio.client import WorkflowHandle

logger = logging.getLogger("holdfast")

FIRST_LOOK_SECONDS = 0.2
SLOWEST_LOOK_SECONDS = 2.0
"""How often it is looked whether the run is parked, where that ends the waiting."""

WATCH_SECONDS = 10.0
"""The same where it only leads to a word in the log."""

_EVERYTHING = 1_000_000_000

REBUILDING = "workers.rebuilding"
"""The engine's module that rebuilds a run from its history: loaded only where no worker answers."""

_STATUS = SearchAttributeKey.for_keyword(names.SA_STATUS)


class NeverBegan(NoWorkerAnswers):
    """The run was ended from outside before a worker had found its agent: there is nothing to tell, ever."""


class Results(Generic[OutT]):
    """The part of a `Run` that waits for what it has to show, and hands it over."""

    _temporal: TemporalClient
    _handle: WorkflowHandle[Any, Any]
    _agent: Agent[OutT] | None

    async def result(self, *, parked: Literal["wait", "raise"] = "wait") -> OutT:
        """Wait for the end, and return the agent's output in its type.

        A run that waits for a person is waited for. While it is parked (only a person can move it on) that is said
        in the log of `holdfast`, once; with `parked="raise"` the waiting ends there.

        Raises:
            RunNotCompleted: It ended as partial, failed or cancelled, or was cut from outside; `.outcome` holds what
                there is.
            RunParked: It is parked, and `parked="raise"`; `.outcome` holds what there is so far.
            UsageError: It could not begin: its input or its agent's name was wrong; or its output has another
                type than the agent has here.
            RunNotFound: There is no such run.
        """
        outcome = await self._end_or_parked() if parked == "raise" else await self.outcome()
        if outcome.status != "completed":
            raise RunNotCompleted(
                f"Run {self._handle.id} is {outcome.status}: {outcome.reason or 'no reason given'}", outcome
            )
        if self._agent is None:
            return cast(OutT, outcome.output)
        try:
            return self._agent.adapter.validate_json(json.dumps(outcome.output))
        except ValidationError as error:  # the run's worker had another version of the type
            raise UsageError(
                f"Run {self._handle.id} is completed, but its output does not fit the type of agent "
                f"{self._agent.name!r} here: {in_words(error)}. `outcome()` returns it as data."
            ) from None

    async def outcome(self, *, wait: bool = True) -> RunOutcome:
        """Everything there is: status, output, effects, usage, and why it is not completed.

        Waits for the end, also while the server is away, which is said in the log of `holdfast`, once; with
        `wait=False` it is the outcome so far, of a run in any state. Where no worker is up that could tell, it is
        rebuilt here from the run's history.

        Raises:
            UsageError: It could not begin: its input or its agent's name was wrong.
            RunNotFound: There is no such run.
            NoWorkerAnswers: With `wait=False`: it is open, no worker is up, and it cannot be rebuilt here: no worker
                has begun it yet, or this is another version of Holdfast.
            ConnectionFailed: The server refuses the credentials, or with `wait=False` does not answer.
        """
        if not wait:
            closed = await self._closed()
            return await self._ended() if closed else (await self._seen_or_rebuilt()).so_far()
        ending = asyncio.create_task(self._end())
        told = False
        try:
            while not (await asyncio.wait({ending}, timeout=WATCH_SECONDS))[0]:
                is_parked = await self._is_parked()
                if is_parked and not told:
                    logger.warning(
                        "run %s is parked: only a person can move it on, and its outcome is waited for until then. "
                        "`holdfast show %s` says why",
                        self._handle.id,
                        self._handle.id,
                    )
                told = is_parked
            return ending.result()
        finally:
            ending.cancel()

    async def transcript(self) -> list[Message]:
        """Everything that was said in the run so far, as its planner knows it; of a run in any state.

        Where no worker is up that could tell, it is rebuilt here from the run's history.

        Raises:
            RunNotFound: There is no such run.
            NoWorkerAnswers: No worker is up, and it cannot be rebuilt here.
            ArtifactNotFound, ArtifactStoreFailed: It has laid its beginning aside, and the artifact store that
                `HOLDFAST_ARTIFACTS` names here does not give it.
        """
        try:
            return await self._told_transcript()
        except NoWorkerAnswers as error:
            said: list[Message] = await self._rebuilt("rebuilt_transcript", error)
            return said

    async def _told_transcript(self) -> list[Message]:
        found: list[Message] = []
        while True:
            asked = PageRequest(start=len(found), stop=_EVERYTHING)
            page: Page = await self._query(names.TRANSCRIPT, asked, result_type=Page)
            if page.archived is not None:
                found += await archive.read_items(
                    artifact_store(),
                    [page.archived],
                    Message,
                    "messages",
                    start=len(found),
                    stop=page.archived.stop,
                )
            found += page.messages
            if len(found) >= page.total or not (page.messages or page.archived):
                return found

    async def pending(self) -> list[PendingWork]:
        """What is under way, and what waits for its next try. The server tells, also while no worker is up.

        Raises RunNotFound.
        """
        try:
            found = (await self._handle.describe()).raw_description
        except RPCError as error:
            self._raise(error)
        return pending_work(found, await self._calls_under_way() if found.pending_activities else ())

    async def _calls_under_way(self) -> list[CallRecord]:
        """The calls of the last step; none while no worker tells."""
        try:
            view: RunView = await self._query(
                names.INSPECT, InspectRequest(from_step=_EVERYTHING), result_type=RunView
            )
            view = await self._query(
                names.INSPECT, InspectRequest(from_step=max(1, view.total_steps)), result_type=RunView
            )
        except NoWorkerAnswers:
            return []
        return [call for step in view.steps for call in step.calls]

    async def _end_or_parked(self) -> RunOutcome:
        """The outcome at the end. Raises RunParked as soon as the run is parked."""
        ending = asyncio.create_task(self._end())
        pause = FIRST_LOOK_SECONDS
        try:
            while not (await asyncio.wait({ending}, timeout=pause))[0]:
                if await self._is_parked():
                    with contextlib.suppress(ServerAway):
                        outcome = await self._parked_outcome()
                        if outcome.status == "parked":
                            raise RunParked(f"Run {self._handle.id} is parked. {outcome.reason}", outcome)
                pause = min(pause * 1.5, SLOWEST_LOOK_SECONDS)
            return ending.result()
        finally:
            ending.cancel()

    async def _parked_outcome(self) -> RunOutcome:
        try:
            return await self.outcome(wait=False)
        except NoWorkerAnswers as error:
            return self._hardly_known("parked", f"No worker is up that could tell more: {error}")

    async def _is_parked(self) -> bool:
        """Whether only a person can move the run on; False too when the server cannot be asked."""
        try:
            found = (await self._handle.describe()).typed_search_attributes.get(_STATUS)
        except RPCError:
            return False
        return found == "parked"

    async def _end(self) -> RunOutcome:
        """Wait for the end, however it comes and however often the server is away meanwhile."""
        told = False
        while True:
            try:
                return await self._ended()
            except ServerAway as away:
                if not told:
                    logger.warning(
                        "%s The outcome of run %s is waited for until it is back", away, self._handle.id
                    )
                told = True
            await asyncio.sleep(SLOWEST_LOOK_SECONDS)

    async def _ended(self) -> RunOutcome:
        """The outcome at the end. Raises ServerAway where the server goes while it is waited for."""
        try:
            return RunOutcome.model_validate(await self._handle.result())
        except WorkflowFailureError as error:
            cause = error.cause
            if isinstance(cause, ApplicationError):
                kind = AgentNotServed if cause.type == "AgentNotServed" else UsageError
                raise kind(f"Run {self._handle.id} could not begin. {cause.message}") from None
            return await self._outcome_of_the_ended(cause)
        except RPCError as error:
            if failed := server_failed(error):
                raise failed from error
            self._raise(error)

    async def _outcome_of_the_ended(self, cause: BaseException | None) -> RunOutcome:
        """What a cancelled, terminated or timed-out run has to show: its record, if a worker is there to tell."""
        status: RunStatus = "cancelled" if isinstance(cause, CancelledError | TerminatedError) else "failed"
        reason = _cut_by(cause)
        try:
            return (await self._seen_or_rebuilt()).so_far(status=status, reason=reason)
        except NeverBegan:
            return self._hardly_known(status, f"{reason}; it had not begun")
        except ServerAway:
            raise
        except HoldfastError as error:
            return self._hardly_known(status, f"{reason}. What it did is not told here: {error}")

    async def _seen_or_rebuilt(self) -> RunView:
        """The run as its worker tells it, or, where none answers, as it is rebuilt. Raises as `inspect`."""
        try:
            return await self.inspect()
        except NeverBegan:
            raise
        except NoWorkerAnswers as error:
            view: RunView = await self._rebuilt("rebuilt_view", error)
            return view

    async def _rebuilt(self, what: str, unanswered: NoWorkerAnswers) -> Any:
        """What the run's history tells here. Raises NoWorkerAnswers where it does not tell it."""
        try:
            return await getattr(importlib.import_module(REBUILDING), what)(self._temporal, self._handle.id)
        except (UsageError, ImportError, RPCError) as error:
            raise NoWorkerAnswers(f"{unanswered} Nor can it be rebuilt from its history: {error}") from error

    def _hardly_known(self, status: RunStatus, reason: str) -> RunOutcome:
        return RunOutcome(run=self._handle.id, agent="", digest="", status=status, reason=reason)

    async def inspect(self) -> RunView:
        """See `Run`."""
        raise NotImplementedError

    async def _query(self, name: str, *args: Any, result_type: Any) -> Any:
        raise NotImplementedError

    async def _closed(self) -> bool:
        raise NotImplementedError

    def _raise(self, error: Exception) -> NoReturn:
        raise NotImplementedError


def _cut_by(cause: BaseException | None) -> str:
    """What ended a run that could not note its end itself."""
    said = str(cause or "").strip()
    if isinstance(cause, TerminatedError):
        return "terminated" + (f": {said}" if said not in ("", "Workflow terminated") else "")
    if isinstance(cause, TimeoutError):
        return "it ran into a time limit that its workflow was started with"
    return said or "cancelled"
