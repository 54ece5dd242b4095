"""Going back with a run: look at it as of a step, fork it into a new run, rewind it in place."""

from __future__ import annotations

import base64
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowQueryFailedError
from temporalio.common import WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from holdfast import archive
from holdfast.agent import Agent
from holdfast.artifacts import artifact_store
from holdfast.contracts import names, user_metadata
from holdfast.contracts.base import Json
from holdfast.contracts.calls import EffectRecord
from holdfast.contracts.forks import CheckpointRequest, ForkInput, MadeCall, Rewound, Writes
from holdfast.contracts.messages import Message
from holdfast.contracts.requests import DecisionInput
from holdfast.contracts.run import Carried, RunInput, RunView, StepRecord
from holdfast.contracts.spec import AgentSpec
from holdfast.contracts.state import ForkPoint, RunCheckpoint
from holdfast.errors import UsageError
from holdfast.promises import in_words
from holdfast.steered import Steered

if TYPE_CHECKING:
    from holdfast.run import Run

T = TypeVar("T")

MAX_CHECKPOINT_CHARS = 1_800_000
"""The server takes no input of 2 MB."""


@dataclass(frozen=True)
class Checkpoint:
    """A run after one of its steps, in a line."""

    step: int
    planner: str
    calls: tuple[str, ...]
    """What it did: tool and outcome of each call."""
    effects: int
    """Effects so far."""
    tokens: int
    cost_usd: Decimal
    """What its plans have cost so far."""
    at: str | None
    """When the step was over; None while it is not."""


class Checkpointed(Steered):
    """The part of a `Run` that goes back."""

    if TYPE_CHECKING:
        _temporal: Any

        @property
        def id(self) -> str: ...  # noqa: D102  # documented by Run
        async def inspect(self, *, at: int | None = None) -> RunView: ...  # noqa: D102  # documented by Run
        async def _query(self, name: str, *args: Any, result_type: Any) -> Any: ...

    async def checkpoints(self) -> list[Checkpoint]:
        """One entry for each step. Raises as `inspect`."""
        found: list[Checkpoint] = []
        tokens, cost = 0, Decimal(0)
        view = await self.inspect()
        for step in view.steps:
            tokens, cost = tokens + step.usage.tokens, cost + step.usage.cost_usd
            found.append(
                Checkpoint(
                    step=step.number,
                    planner=step.planner,
                    calls=tuple(f"{call.tool}: {call.status}" for call in step.calls),
                    effects=len(_effects_until(view.effects, step.number)),
                    tokens=tokens,
                    cost_usd=cost,
                    at=step.finished_at,
                )
            )
        return found

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
            decisions: By request of step `at`: the decision that shall have been made, with its `choice`.
            writes: `simulate` all that writes, `ask` about each, or `run` it as the agent may.
            by: Who forks.
            id: The new run's id.

        Raises:
            UsageError: There is no such step or call, or nothing could go on from there.
            RunNotFound: There is no such run.
            NoWorkerAnswers: No worker is up that could tell.
        """
        found = await self._point(at)
        source = unpacked(found.checkpoint)
        spec = _spec(source.spec, agent, instructions, model)
        said = {f"answer {call}" for call in answers or ()} | {f"decision {name}" for name in decisions or ()}
        changed = [
            *(["agent"] if spec != source.spec else []),
            *(["message"] if message else []),
            *sorted(said),
        ]
        try:
            fork = ForkInput(
                run=self.id,
                at=source.total_steps,
                by=by,
                writes=writes,
                changed=changed,
                message=message,
                answers=dict(answers or {}),
                decisions=dict(decisions or {}),
                made=found.made,
            )
            carried = packed(source.model_copy(update={"spec": spec}))
            given = RunInput(agent=spec.name, task=found.task, user=found.user, checkpoint=carried, fork=fork)
        except ValidationError as error:
            raise UsageError(f"A fork cannot start like this. {in_words(error)}") from None
        if why := _misfit(fork, source):
            raise UsageError(f"Run {self.id} cannot be forked like this: {why}.")
        if len(carried.data) > MAX_CHECKPOINT_CHARS:
            raise UsageError(
                f"Run {self.id} is too large after step {fork.at} to be handed over ({len(carried.data):,} "
                f"characters, and {MAX_CHECKPOINT_CHARS:,} is the limit): fork it at an earlier step."
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
                static_details=user_metadata.details(found.task[:2000]),
            )
        except WorkflowAlreadyStartedError:
            raise UsageError(f"Run {name!r} exists already: choose another id for the fork.") from None
        from holdfast.run import Run

        return Run(self._temporal, name, agent)

    async def rewind(self, *, to: int, by: str, reason: str = "") -> list[MadeCall]:
        """Go back to the moment after step `to`, in place: the plans and calls since then are forgotten.

        What the run has done since then still stands, and is returned: before it does the same again, a human is
        asked. Undo it first (`undo(to_step=…)`) where it shall not stand. Messages, decisions and requests of the
        time since are gone too. An open run is stopped where it is.

        Raises:
            UsageError: There is no such step, or the run has planned nothing after it.
            RunNotFound: There is no such run.
            NoWorkerAnswers: No worker is up that could tell.
        """
        if not by.strip():
            raise UsageError("Say who rewinds, in `by`.")
        made = (await self._point(to)).made
        event, execution = await self._plan_after(to)
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
        await self._signal(names.REWOUND, Rewound(to=to, by=by, reason=reason, made=made))
        return made

    async def made_since(self, step: int) -> list[MadeCall]:
        """What the run has really done after a step, and has not taken back itself. Raises as `fork`."""
        return (await self._point(step)).made

    async def _inspect_at(self, at: int) -> RunView:
        found = await self._point(at)
        past = unpacked(found.checkpoint)
        text = past.transcript
        store, parts = artifact_store(), past.archive

        async def laid_aside(kind: Any, model: type[BaseModel], stop: int) -> list[Any]:
            return await archive.read_items(store, parts, model, kind, start=0, stop=stop) if stop > 0 else []

        messages = await laid_aside("messages", Message, max(text.start, text.archived))
        messages += text.messages[max(text.archived - text.start, 0) :]
        first = past.steps[0].number - 1 if past.steps else past.total_steps
        steps = [*await laid_aside("steps", StepRecord, first), *past.steps]
        return RunView(
            run=self.id,
            agent=past.spec.name,
            digest=past.spec.digest,
            task=found.task[:2000],
            user=found.user,
            dry_run=past.dry_run,
            status=past.outcome.status if past.outcome else past.status,
            started_at=past.started_at,
            finished_at=past.finished_at,
            steps=steps,
            total_steps=past.total_steps,
            requests=past.requests,
            decisions=past.decisions,
            ignored=past.ignored,
            messages=past.loop.messages,
            paused=past.loop.paused,
            effects=past.effects,
            usage=past.usage,
            outcome=past.outcome,
            transcript=messages,
        )

    async def _point(self, at: int | None) -> ForkPoint:
        try:
            found: ForkPoint = await self._query(
                names.CHECKPOINT, CheckpointRequest(at=at), result_type=ForkPoint
            )
        except Exception as error:
            if isinstance(error.__cause__, WorkflowQueryFailedError) and "no checkpoint" in str(
                error.__cause__
            ):
                raise UsageError(f"Run {self.id}: {error.__cause__}.") from None
            raise
        return found

    async def _plan_after(self, step: int) -> tuple[int, str]:
        """The event that completed the workflow task which asked for the plan after `step`, and its execution."""
        execution = (await self._handle.describe()).run_id
        kind = EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        async for event in self._handle.fetch_history_events():
            asked = event.activity_task_scheduled_event_attributes
            if event.event_type != kind or asked.activity_type.name != names.PLAN:
                continue
            [given] = await self._temporal.data_converter.decode(asked.input.payloads, [dict])
            if given.get("step") == step + 1:
                return asked.workflow_task_completed_event_id, execution
        raise UsageError(
            f"Run {self.id} has planned nothing after step {step}: there is nothing to go back from."
        )


def unpacked(carried: Carried) -> RunCheckpoint:
    """The checkpoint in what a run hands over."""
    return RunCheckpoint.model_validate_json(zlib.decompress(base64.b64decode(carried.data)))


def packed(checkpoint: RunCheckpoint) -> Carried:
    """A checkpoint as a run's input holds it."""
    data = zlib.compress(checkpoint.model_dump_json().encode(), 6)
    return Carried(
        execution=checkpoint.execution,
        step=checkpoint.total_steps,
        data=base64.b64encode(data).decode("ascii"),
    )


def _effects_until(effects: list[EffectRecord], step: int) -> list[EffectRecord]:
    return [one for one in effects if int(one.call.partition(".")[0]) <= step]


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
    decided = {one.request: one for one in source.decisions}
    for name, given in fork.decisions.items():
        if name not in decided or name.partition("-")[0] not in calls:
            open_ones = ", ".join(one for one in decided if one.partition("-")[0] in calls) or "none"
            return f"step {fork.at} had no request {name}; decided were {open_ones}"
        kind = name.split("-")[1]
        fitting = {"approval": ("approve", "reject"), "question": ("answer", "reject")}.get(kind)
        if fitting is None:
            return (
                f"a decision about a request of kind {kind} cannot be changed; give the call's result instead"
            )
        if given.choice not in fitting:
            return f"the choice for {name} must be {' or '.join(fitting)}"
        if given.arguments is not None:
            return "other arguments cannot be given; give the call's result instead"
    if source.outcome is not None and not fork.message:
        return f"step {fork.at} ended it. Give a message to go on with, or fork at an earlier step"
    return None
