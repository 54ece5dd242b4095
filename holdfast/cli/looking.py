"""Looking at a run: by asking a worker, or, when none answers, by replaying its history here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from temporalio.client import (
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHistoryEventFilterType,
)
from temporalio.service import RPCError, RPCStatusCode

from holdfast.cli.workers_seen import is_served
from holdfast.contracts import names
from holdfast.contracts.messages import Message
from holdfast.contracts.pending import PendingWork
from holdfast.contracts.requests import Request
from holdfast.contracts.run import RunOutcome, RunStatus, RunView
from holdfast.errors import HoldfastError, NoWorkerAnswers, RunNotFound, UsageError
from holdfast.pending import pending_work

if TYPE_CHECKING:
    from holdfast.client import Client

TO_SHOW = 3.0
"""Seconds that a worker may take to answer before the run is rebuilt from its history instead."""

TO_DECIDE = 10.0
"""The same where a worker is needed: it may first have to replay a long run."""

_JUST_STARTED = 3.0
_LOOKS_AT_ONCE = 20


@dataclass(frozen=True)
class Seen:
    """A run as it was found."""

    view: RunView
    offline: bool
    """Rebuilt from its history, because no worker answered."""
    closed_as: str | None
    """How Temporal ended it, where the run could not record that itself: `terminated`, `timed_out`, `failed`."""
    closed_why: str = ""
    """What was said when it was ended like that."""
    pending: list[PendingWork] = field(default_factory=list)
    """What is under way, and what waits for its next try."""
    transcript: list[Message] = field(default_factory=list)
    """What was said, where it was asked for."""

    @property
    def status(self) -> str:
        """The run's status."""
        return self.closed_as or self.view.status

    @property
    def outcome(self) -> RunOutcome:
        """What it has to show, in whatever state it is."""
        if self.closed_as is None:
            return self.view.so_far()
        status: RunStatus = "cancelled" if self.closed_as == "terminated" else "failed"
        return self.view.so_far(status=status, reason=self.closed_why or self.closed_as.replace("_", " "))

    @property
    def requests(self) -> list[Request]:
        """What it asks of people, now."""
        return [] if self.closed_as else self.view.requests


async def describe(client: Client, run: str) -> WorkflowExecutionDescription:
    """What the server knows of a run. Raises RunNotFound, UsageError: it is some other workflow."""
    try:
        found = await client.temporal.get_workflow_handle(run).describe()
    except RPCError as error:
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):
            namespace = client.temporal.namespace
            raise RunNotFound(
                f"There is no run {run!r} in namespace {namespace!r}. `holdfast runs` lists them."
            ) from None
        raise
    if found.workflow_type != names.AGENT_RUN:
        raise UsageError(f"{run!r} is a workflow of type {found.workflow_type}, not a run of an agent.")
    return found


async def look(client: Client, run: str, *, patience: float = TO_SHOW, with_transcript: bool = False) -> Seen:
    """The run as it stands; a worker gets `patience` seconds to tell it.

    Raises:
        RunNotFound: There is no such run.
        UsageError: It could not begin, or its history does not replay with this version of Holdfast.
        NoWorkerAnswers: No worker has begun it yet.
    """
    execution = await describe(client, run)
    if await is_served(client.temporal, execution.task_queue):
        try:
            async with asyncio.timeout(patience):
                view = await _asked(client, run)
                said = await client.run(run).transcript() if with_transcript else []
                return await _seen(client, view, offline=False, transcript=said)
        except (NoWorkerAnswers, TimeoutError):
            pass
    if execution.status == WorkflowExecutionStatus.FAILED:
        await client.run(run).outcome()  # raises why it could not begin: only then does a run fail
    return await _rebuilt(client, execution, with_transcript=with_transcript)


async def _seen(client: Client, view: RunView, *, offline: bool, transcript: list[Message]) -> Seen:
    """The view, with what the server alone knows: what is pending, and how the run was ended from outside."""
    execution = await describe(client, view.run)
    calls = [call for step in view.steps[-1:] for call in step.calls]
    closed_as, why = _closed_as(execution), ""
    if closed_as is not None:
        why = await _closed_why(client, view.run)
        if execution.close_time is not None:
            view = view.model_copy(update={"finished_at": execution.close_time.isoformat()})
    return Seen(
        view,
        offline=offline,
        closed_as=closed_as,
        closed_why=why,
        pending=pending_work(execution.raw_description, calls),
        transcript=transcript,
    )


async def _closed_why(client: Client, run: str) -> str:
    handle = client.temporal.get_workflow_handle(run)
    closing = handle.fetch_history_events(event_filter_type=WorkflowHistoryEventFilterType.CLOSE_EVENT)
    async for event in closing:
        return event.workflow_execution_terminated_event_attributes.reason
    return ""


async def is_worked_on(client: Client, run: str, task_queue: str, *, within: float) -> bool:
    """Whether a worker is there that answers for the run; True too when the server cannot be asked."""
    try:
        if not await is_served(client.temporal, task_queue):
            return False
        async with asyncio.timeout(within):
            await client.run(run).requests()
    except TimeoutError:
        return False
    except NoWorkerAnswers as error:
        return "just starting" in str(error)
    except (HoldfastError, RPCError):
        return True
    return True


async def _asked(client: Client, run: str) -> RunView:
    """The view from a worker; a run that is only just starting gets a moment."""
    deadline = asyncio.get_running_loop().time() + _JUST_STARTED
    while True:
        try:
            return await client.run(run).inspect()
        except NoWorkerAnswers as error:
            if "just starting" not in str(error) or asyncio.get_running_loop().time() > deadline:
                raise
        await asyncio.sleep(0.1)


async def _rebuilt(client: Client, execution: WorkflowExecution, *, with_transcript: bool) -> Seen:
    from workers.rebuilding import transcript_of, view_of

    history = await client.temporal.get_workflow_handle(execution.id).fetch_history()
    try:
        view = await view_of(history)
        said = await transcript_of(history) if with_transcript else []
    except UsageError as error:
        if "not begun" not in str(error):
            raise
        raise NoWorkerAnswers(
            f"Run {execution.id} has not begun: no worker serves the task queue {execution.task_queue!r}. "
            "Start one with `holdfast worker package.module`; the run waits for it."
        ) from None
    return await _seen(client, view, offline=True, transcript=said)


def _closed_as(execution: WorkflowExecution) -> str | None:
    if execution.status in (WorkflowExecutionStatus.TERMINATED, WorkflowExecutionStatus.TIMED_OUT):
        return execution.status.name.lower()
    return None


@dataclass(frozen=True)
class Inbox:
    """What runs ask of people, and which of them had to be rebuilt, or could not be looked at."""

    requests: list[Request]
    offline: list[str]
    unknown: list[str]


async def look_at_all(client: Client, runs: list[str]) -> Inbox:
    """The open requests of these runs, oldest first; a run that ended meanwhile asks nothing."""
    gate = asyncio.Semaphore(_LOOKS_AT_ONCE)

    async def one(run: str) -> Seen | None:
        async with gate:
            try:
                return await look(client, run)
            except (HoldfastError, RPCError):
                return None

    seen = dict(zip(runs, await asyncio.gather(*map(one, runs)), strict=True))
    found = [request for each in seen.values() if each is not None for request in each.requests]
    return Inbox(
        requests=sorted(found, key=lambda request: request.opened_at),
        offline=[run for run, each in seen.items() if each is not None and each.offline],
        unknown=[run for run, each in seen.items() if each is None],
    )
