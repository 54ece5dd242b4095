"""Starting runs, watching them, and deciding what they ask: what a client script needs."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast, overload

from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio.client import Client as TemporalClient
from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from holdfast.agent import Agent, OutT
from holdfast.connection import connect, server_failed
from holdfast.contracts import names, user_metadata
from holdfast.contracts.breakers import Breaker, BreakerAnswer, BreakerReport
from holdfast.contracts.requests import Request
from holdfast.contracts.run import RunInput
from holdfast.dead_letters import DeadLetters, Moved, ParkedGroup, each
from holdfast.errors import HoldfastError, NoWorkerAnswers, UsageError
from holdfast.files import Attachable, attached
from holdfast.run import Run

__all__ = ["Client", "Moved", "ParkedGroup", "Run", "RunSummary"]

INPUT_MEMO = "holdfast_input"
"""Memo field that holds the digest of a run's input, so that starting it twice can be told from a clash."""

_ASKED_AT_ONCE = 20


class RunSummary(BaseModel):
    """A run in a list: what the server's index knows of it, without asking a worker."""

    model_config = ConfigDict(frozen=True)

    run: str
    agent: str | None
    status: str
    """`running`, `waiting`, `parked`, an end (`completed` …), or Temporal's own word if the run has none."""
    waiting_for: str | None
    """`kind:who`, such as `approval:finops`."""
    user: str | None
    cost_usd: float | None
    steps: int | None
    started_at: datetime
    closed_at: datetime | None
    fingerprint: str | None = None
    """Of a run that is parked, or was discarded: equal for runs that one cause has stopped."""


class Client(DeadLetters):
    """A connection to Temporal that speaks of agents and runs.

    ```python
    client = await Client.connect()
    run = await client.start(cloud_costs, "Cut our spend in eu-west-1", id="ticket-88", user="ana")
    report = await run.result()
    ```
    """

    def __init__(self, temporal: TemporalClient, *, task_queue: str = names.TASK_QUEUE) -> None:
        """Speak through a Temporal client that exists; its data converter must be pydantic's."""
        self.temporal = temporal
        self.task_queue = task_queue

    @classmethod
    async def connect(
        cls,
        address: str | None = None,
        *,
        namespace: str | None = None,
        profile: str | None = None,
        config_file: str | Path | None = None,
        task_queue: str = names.TASK_QUEUE,
    ) -> Client:
        """Connect: an address given, else `temporalio.envconfig` (variables, TOML profile), else the dev server.

        Raises:
            ConnectionFailed: No server answers within 5 seconds; the message says which was tried and why.
        """
        temporal = await connect(address, namespace, profile, config_file)
        return cls(temporal, task_queue=task_queue)

    @overload
    async def start(
        self,
        agent: Agent[OutT],
        task: str,
        *,
        id: str | None = ...,
        user: str | None = ...,
        dry_run: bool | None = ...,
        attachments: Sequence[Attachable] = ...,
    ) -> Run[OutT]: ...
    @overload
    async def start(
        self,
        agent: str,
        task: str,
        *,
        id: str | None = ...,
        user: str | None = ...,
        dry_run: bool | None = ...,
        attachments: Sequence[Attachable] = ...,
    ) -> Run[Any]: ...

    async def start(
        self,
        agent: Agent[Any] | str,
        task: str,
        *,
        id: str | None = None,  # noqa: A002  # the word that people use; a keyword here
        user: str | None = None,
        dry_run: bool | None = None,
        attachments: Sequence[Attachable] = (),
    ) -> Run[Any]:
        """Start a run, or find it: with the same `id` and input the run that exists is returned.

        Args:
            agent: The agent, or its name.
            task: What it shall do.
            id: The run's id, such as a ticket's; a fresh one by default. It stays taken for as long as the
                namespace keeps closed runs.
            user: On whose behalf. They cannot approve the run's actions themselves.
            dry_run: True simulates every write, False allows them within the agent's autonomy; None leaves it
                to the agent.
            attachments: Files that the task speaks of: paths, or a `File` for bytes. Small texts become part of the
                input; what is larger goes to the artifact store first, and the agent reads it in pages.

        Raises:
            UsageError: The input is not valid, an attachment cannot be read, or the id is taken by a run with another
                input.
            ArtifactStoreFailed: The artifact store does not take an attachment.
        """
        known = agent if isinstance(agent, Agent) else None
        name = agent if isinstance(agent, str) else agent.name
        try:
            given = RunInput(
                agent=name, task=task, user=user, dry_run=dry_run, attachments=await attached(attachments)
            )
        except ValidationError as error:
            found = "; ".join(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())
            raise UsageError(f"A run cannot start like this. {found}") from None
        run_id = id or f"{name}-{uuid.uuid4().hex[:12]}"
        mark = given.mark
        try:
            await self.temporal.start_workflow(
                names.AGENT_RUN,
                given,
                id=run_id,
                task_queue=self.task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                memo={INPUT_MEMO: mark},
                static_summary=user_metadata.summary(f"{name}: {task[:200]}"),
                static_details=user_metadata.details(user_metadata.as_written(task[:2000])),
            )
        except WorkflowAlreadyStartedError:
            run = self.run(run_id, known)
            if await run.input_mark(INPUT_MEMO) != mark:
                raise UsageError(
                    f"Run {run_id!r} exists already, with another agent, task or option. "
                    f"Choose another id, or look at it: holdfast show {run_id}"
                ) from None
            return run
        except RPCError as error:
            if error.status == RPCStatusCode.INVALID_ARGUMENT:  # such as an id of a thousand characters
                raise UsageError(f"A run cannot start like this. {error.message}") from None
            raise server_failed(error) or error from None
        return self.run(run_id, known)

    @overload
    def run(self, id: str, agent: Agent[OutT]) -> Run[OutT]: ...
    @overload
    def run(self, id: str, agent: None = None) -> Run[Any]: ...

    def run(self, id: str, agent: Agent[Any] | None = None) -> Run[Any]:  # noqa: A002  # as in start
        """The run of that id; with its agent the result is typed. Nothing is asked of the server yet."""
        return Run(self.temporal, id, agent)

    async def runs(
        self,
        *,
        agent: str | None = None,
        status: str | None = None,
        user: str | None = None,
        limit: int = 100,
    ) -> list[RunSummary]:
        """Runs, newest first; those that were ended from outside are `failed` or `cancelled`, as their outcome says.

        The server's index lags by about a second.
        """
        wanted = {names.SA_AGENT: agent, names.SA_USER: user}
        parts = [f"{key} = '{_quoted(value)}'" for key, value in wanted.items() if value is not None]
        if status is not None:
            parts.append(_has_status(status))
        every = f"WorkflowType = '{names.AGENT_RUN}' AND ExecutionStatus != 'ContinuedAsNew'"
        # An execution that was rewound keeps the status that it had, and may be found by it.
        return await self._list(" AND ".join([every, *parts]), limit, only_last=status is not None)

    async def inbox(self, *, by: str | None = None, limit: int = 500) -> list[Request]:
        """What all runs ask of humans, oldest first; `by` keeps what is asked of one role.

        Runs whose worker does not answer are passed over, so look at `waiting()` too when no worker is up.
        """
        waiting = await self.waiting(limit=limit)

        async def ask(run: str) -> Sequence[Request]:
            try:
                return await self.run(run).requests()
            except HoldfastError:
                return ()

        asked = await each((one.run for one in waiting), ask, at_once=_ASKED_AT_ONCE)
        found: list[Request] = [request for requests in asked for request in requests]
        return sorted((r for r in found if by is None or r.asks(by)), key=lambda r: r.opened_at)

    async def waiting(self, *, limit: int = 500) -> list[RunSummary]:
        """Open runs that ask a human something, newest first; no worker needs to be up."""
        open_runs = f"WorkflowType = '{names.AGENT_RUN}' AND ExecutionStatus = 'Running'"
        return await self._list(f"{open_runs} AND {names.SA_WAITING_FOR} IS NOT NULL", limit)

    async def breakers(self) -> list[Breaker]:
        """The circuit breakers of this client's task queue: one for each dependency that has ever failed.

        Raises:
            NoWorkerAnswers: There are some, and no worker is up that could tell.
            ConnectionFailed: The server does not answer any more, or refuses the credentials.
        """
        handle = self.temporal.get_workflow_handle(f"{names.BREAKER_BOARD_ID}/{self.task_queue}")
        try:
            found: list[Breaker] = await handle.query(
                names.BREAKERS, result_type=list[Breaker], rpc_timeout=timedelta(seconds=10)
            )
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return []
            raise server_failed(error, waits_for_worker=True) or NoWorkerAnswers(
                f"No worker answers on task queue {self.task_queue!r}: is one running? "
                "`holdfast worker package.module` starts one."
            ) from None
        return found

    async def reset_breaker(self, dependency: str, *, by: str) -> Breaker:
        """Close a breaker by hand: calls are made again at once. `by` is recorded.

        Raises:
            UsageError: There is no such breaker.
            NoWorkerAnswers: No worker is up that could do it.
        """
        if dependency not in {one.dependency for one in await self.breakers()}:
            raise UsageError(f"There is no breaker {dependency!r} here. `holdfast breakers` lists them.")
        handle = self.temporal.get_workflow_handle(f"{names.BREAKER_BOARD_ID}/{self.task_queue}")
        answer: BreakerAnswer = await handle.execute_update(
            names.BREAKER_REPORT,
            BreakerReport(dependency=dependency, event="reset", why=by),
            result_type=BreakerAnswer,
            rpc_timeout=timedelta(seconds=10),
        )
        return answer.breaker

    async def _open_runs(self, wanted: dict[str, str | None], limit: int) -> list[RunSummary]:
        open_runs = [f"WorkflowType = '{names.AGENT_RUN}'", "ExecutionStatus = 'Running'"]
        parts = [f"{key} = '{_quoted(value)}'" for key, value in wanted.items() if value is not None]
        return await self._list(" AND ".join([*open_runs, *parts]), limit)

    async def _list(self, query: str, limit: int, *, only_last: bool = False) -> list[RunSummary]:
        timeout = timedelta(seconds=10)
        found: dict[str, WorkflowExecution] = {}
        async for execution in self.temporal.list_workflows(
            query, page_size=min(limit, 1000), rpc_timeout=timeout
        ):
            if len(found) == limit:
                break
            # The last execution comes first: the others are what it was rewound from.
            found.setdefault(execution.id, execution)
        listed = list(found.values())
        if only_last:
            closed = (one.id for one in listed if one.close_time is not None)
            last = await each(closed, self._last_execution, at_once=_ASKED_AT_ONCE)
            listed = [one for one in listed if one.close_time is None or one.run_id in last]
        return [await _summary(one) for one in listed]

    async def _last_execution(self, run: str) -> str | None:
        """The id that Temporal gave it; None where the run has been deleted meanwhile."""
        try:
            return (await self.temporal.get_workflow_handle(run).describe()).run_id
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return None
            raise


def _has_status(status: str) -> str:
    """Part of a query: runs of this status. One that was ended from outside still tells the status that it had then."""
    told = f"{names.SA_STATUS} = '{_quoted(status)}'"
    match status:
        case "failed":
            return f"({told} OR ExecutionStatus IN ('Failed', 'TimedOut'))"
        case "cancelled":
            return f"({told} OR ExecutionStatus IN ('Canceled', 'Terminated'))"
        case "completed" | "partial":
            return told
        case "running":  # also where no worker has begun it yet
            return f"({told} OR {names.SA_STATUS} IS NULL) AND ExecutionStatus = 'Running'"
        case _:
            return f"{told} AND ExecutionStatus = 'Running'"


async def _summary(execution: WorkflowExecution) -> RunSummary:
    def value(key: SearchAttributeKey[Any]) -> Any:
        return execution.typed_search_attributes.get(key)

    status = cast(str | None, value(SearchAttributeKey.for_keyword(names.SA_STATUS)))
    closed_by_temporal = execution.status not in (
        WorkflowExecutionStatus.RUNNING,
        WorkflowExecutionStatus.COMPLETED,
        None,
    )
    if status is None or (closed_by_temporal and status not in ("cancelled", "failed")):
        status = execution.status.name.lower() if execution.status else "unknown"
    began = (await execution.memo()).get(
        user_metadata.OPENED_AT_MEMO
    )  # of the first execution, if this is a later
    return RunSummary(
        run=execution.id,
        agent=value(SearchAttributeKey.for_keyword(names.SA_AGENT)),
        status=status,
        waiting_for=value(SearchAttributeKey.for_keyword(names.SA_WAITING_FOR)),
        user=value(SearchAttributeKey.for_keyword(names.SA_USER)),
        cost_usd=value(SearchAttributeKey.for_float(names.SA_COST)),
        steps=value(SearchAttributeKey.for_int(names.SA_STEPS)),
        started_at=datetime.fromisoformat(began) if began else execution.start_time,
        closed_at=execution.close_time,
        fingerprint=value(SearchAttributeKey.for_keyword(names.SA_FINGERPRINT)),
    )


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
