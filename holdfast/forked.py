"""Going back with a run: fork it into a new run, rewind it in place."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowQueryFailedError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from holdfast.agent import Agent
from holdfast.checkpointed import Checkpointed, laid_aside
from holdfast.contracts import names, user_metadata
from holdfast.contracts.base import Json
from holdfast.contracts.carrying import pack
from holdfast.contracts.forks import ForkInput, MadeCall, Rewound, Writes
from holdfast.contracts.pages import in_parts
from holdfast.contracts.requests import DecisionInput
from holdfast.contracts.run import RunInput
from holdfast.contracts.spec import AgentSpec
from holdfast.contracts.state import RunCheckpoint
from holdfast.errors import ConnectionFailed, NoWorkerAnswers, UsageError
from holdfast.promises import in_words

if TYPE_CHECKING:
    from holdfast.run import Run

MAX_INPUT_CHARS = 1_800_000
"""The server takes no input of 2 MB."""

MAX_SIGNAL_BYTES = 900_000
"""Nor a signal of that size."""

MAX_CARRIED_CHARS = 900_000
"""A larger checkpoint goes, but for its end, into the artifact store."""


class Forked(Checkpointed):
    """The part of a `Run` that goes back."""

    async def fork(
        self,
        *,
        at: int | None = None,
        agent: Agent[Any] | None = None,
        instructions: str | None = None,
        model: str | None = None,
        message: str | None = None,
        answers: Mapping[str, Json] | None = None,
        decisions: Mapping[str, DecisionInput] | None = None,
        writes: Writes = "simulate",
        by: str = "",
        id: str | None = None,  # noqa: A002  # as in Client.start
    ) -> Run[Any]:
        """Start a new run that goes on from this one after step `at`. This run knows nothing of it.

        What was planned and done up to there is taken over, and neither asked nor paid for again. What this run
        wrote later still stands: with `writes="run"` a human is asked before the new one does the same again.

        Args:
            at: The step after which they part; 0 is before the first plan. None: the last one that is over.
            agent: Goes on as this agent; it is handed over as data, and its tools' code is found by name.
            instructions: Goes on with these instead.
            model: Goes on with this model instead of the first one of its ladder.
            message: What the agent is told before its next plan.
            answers: By call of step `at`, such as `{"3.1": {…}}`: the result that it shall have had.
            decisions: By request of step `at`: the decision that shall have been made, with its `choice`. It is held to
                the rules of real ones. Of every kind but `rollback`; what would only end the run, or change a call's
                arguments, is refused.
            writes: `simulate` all that writes, `ask` about each, or `run` it as the agent may.
            by: Who forks.
            id: The new run's id.

        Raises:
            UsageError: There is no such step or call, or nothing could go on from there.
            RunNotFound: There is no such run.
            NoWorkerAnswers: No worker is up that could tell.
            ArtifactNotFound, ArtifactStoreFailed: The run is long or large, and the artifact store that
                `HOLDFAST_ARTIFACTS` names here does not give, or take, what is laid aside.
        """
        past = await self._past(at, decisions or {})
        if past.misfit:
            raise UsageError(f"Run {self.id} cannot be forked like this: {past.misfit}.")
        source = past.checkpoint
        spec = _spec(source.spec, agent, instructions, model)
        said = {f"answer {call}" for call in answers or ()} | {f"decision {name}" for name in decisions or ()}
        try:
            fork = ForkInput(
                run=self.id,
                at=source.total_steps,
                by=by,
                writes=writes,
                changed=[*_changed(source.spec, spec), *(["message"] if message else []), *sorted(said)],
                message=message,
                answers=dict(answers or {}),
                decisions=dict(decisions or {}),
                made=(await self._done_since(past))[0],
            )
            if why := _misfit(fork, source):
                raise UsageError(f"Run {self.id} cannot be forked like this: {why}.")
            source = source.model_copy(update={"spec": spec})
            carried = pack(source)
            if len(carried.data) > MAX_CARRIED_CHARS:
                carried = pack(await laid_aside(self.id, source))
            given = RunInput(agent=spec.name, task=past.task, user=past.user, checkpoint=carried, fork=fork)
        except ValidationError as error:
            raise UsageError(f"A fork cannot start like this. {in_words(error)}") from None
        if (size := len(given.model_dump_json())) > MAX_INPUT_CHARS:
            raise UsageError(
                f"The fork of run {self.id} at step {fork.at} would be started with {size:,} characters, and "
                f"{MAX_INPUT_CHARS:,} is the limit: fork it at another step, or give shorter answers."
            )
        name = id or f"{self.id}-fork-{uuid.uuid4().hex[:8]}"
        try:
            await self._temporal.start_workflow(
                names.AGENT_RUN,
                given,
                id=name,
                task_queue=(await self._handle.describe()).task_queue,
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                memo={user_metadata.PARENT_MEMO: self.id},
                static_summary=user_metadata.summary(f"{spec.name}: fork of {self.id} at step {fork.at}"),
                static_details=user_metadata.details(user_metadata.as_written(past.task[:2000])),
            )
        except WorkflowAlreadyStartedError:
            raise UsageError(f"Run {name!r} exists already: choose another id for the fork.") from None
        from holdfast.run import Run

        return Run(self._temporal, name, agent)

    async def rewind(self, *, to: int, by: str, reason: str = "") -> list[MadeCall]:
        """Go back to the moment after step `to`, in place: the plans and calls since then are forgotten.

        What the run has done since then still stands, and is returned: before it does the same again, a human is
        asked. Where it shall not stand, undo it first (`undo(to_step=…)`), or once the run has ended again
        (`undo(forgotten=True)`). Messages, decisions and requests of the time since are gone too. An open run is
        stopped where it is.

        Raises:
            UsageError: There is no such step, or the run has planned nothing after it.
            RunNotFound: There is no such run.
            NoWorkerAnswers: No worker is up that could tell.
        """
        if not by.strip():
            raise UsageError("Say who rewinds, in `by`.")
        past = await self._past(to)
        made, done = await self._done_since(past)
        event, execution = await self._plan_after(to)
        left = await self._handle.describe()
        await self._temporal.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=self._temporal.namespace,
                workflow_execution=WorkflowExecution(workflow_id=self.id, run_id=execution),
                workflow_task_finish_event_id=event,
                reason=f"rewound to step {to} by {by}" + (f": {reason}" if reason else ""),
                request_id=uuid.uuid4().hex,
                reset_reapply_exclude_types=[
                    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
                    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
                    ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_CANCEL_REQUEST,
                ],
            )
        )
        if left.close_time is None:  # it may have done more until it was stopped
            with contextlib.suppress(ConnectionFailed, NoWorkerAnswers, WorkflowQueryFailedError, RPCError):
                made, done = await self._done_since(past, left.run_id)
        *parts, last = in_parts(done, MAX_SIGNAL_BYTES)
        with contextlib.suppress(UsageError):  # it has gone on to its end by now, and cannot be told any more
            for part in parts:
                await self._signal(names.REWOUND, Rewound(to=to, by=by, done=part, more=True))
            await self._signal(names.REWOUND, Rewound(to=to, by=by, reason=reason, made=made, done=last))
        return made

    async def rehearse_rewind(self, *, to: int) -> list[MadeCall]:
        """What would still stand after a rewind, which is not made. Raises as `rewind`."""
        made, _ = await self._done_since(await self._past(to))
        await self._plan_after(to)
        return made

    async def _plan_after(self, step: int) -> tuple[int, str]:
        """The event that completed the workflow task which asked for the plan after `step`, and its execution."""
        execution = await self._execution_of(step) or (await self._handle.describe()).run_id
        kind = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        handle = self._temporal.get_workflow_handle(self.id, run_id=execution)
        async for event in handle.fetch_history_events():
            asked = event.activity_task_scheduled_event_attributes
            if event.event_type != kind or asked.activity_type.name != names.PLAN:
                continue
            [given] = await self._temporal.data_converter.decode(asked.input.payloads, [dict])
            if given.get("step") == step + 1:
                return asked.workflow_task_completed_event_id, execution
        raise UsageError(
            f"Run {self.id} has planned nothing after step {step}: there is nothing to go back from."
        )


def _changed(source: AgentSpec, spec: AgentSpec) -> list[str]:
    """What of the agent a fork changes: `instructions`, `model`, or else `agent`."""
    if spec == source:
        return []
    instructions = {"instructions": source.instructions}
    models = {"ladder": source.ladder}
    found = [
        *(["instructions"] if spec.instructions != source.instructions else []),
        *(["model"] if spec.ladder != source.ladder else []),
    ]
    return found if spec.model_copy(update={**instructions, **models}) == source else ["agent"]


def _spec(
    source: AgentSpec, agent: Agent[Any] | None, instructions: str | None, model: str | None
) -> AgentSpec:
    spec = source if agent is None else agent.spec
    if instructions is not None:
        spec = spec.model_copy(update={"instructions": instructions})
    if model is not None:
        at = next((at for at, rung in enumerate(spec.ladder) if rung.kind == "model"), None)
        if at is None:
            raise UsageError(f"Agent {spec.name!r} has no model that could be changed.")
        ladder = list(spec.ladder)
        ladder[at] = ladder[at].model_copy(update={"model": model})
        spec = spec.model_copy(update={"ladder": tuple(ladder)})
    return spec


def _misfit(fork: ForkInput, source: RunCheckpoint) -> str | None:
    """Why nothing could go on like this; None when it can."""
    calls = {call.id: call for call in (source.steps[-1].calls if source.steps else ())}
    known = ", ".join(calls) or "none"
    for name in fork.answers:
        if name not in calls:
            return f"step {fork.at} has no call {name}; it has {known}. Fork at the step of the call"
    raises = any(given.answer == "raise" for given in fork.decisions.values())
    if source.outcome is not None and not fork.message and not raises:
        return f"step {fork.at} ended it. Give a message to go on with, or fork at an earlier step"
    return None
