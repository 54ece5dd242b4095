"""A run as it was after any of its steps: asked of the execution that took the step, filled up from the archive."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from holdfast import archive
from holdfast.artifacts import artifact_store
from holdfast.connection import server_failed
from holdfast.contracts import names
from holdfast.contracts.archive import ArchivedPart, PartKind, part_with
from holdfast.contracts.calls import CallRecord
from holdfast.contracts.carrying import unpack
from holdfast.contracts.digests import EMPTY_CHAIN, canonical, chain
from holdfast.contracts.forks import CheckpointRequest, MadeCall
from holdfast.contracts.messages import Message
from holdfast.contracts.pages import last_within_bytes
from holdfast.contracts.requests import DecisionInput
from holdfast.contracts.run import InspectRequest, RunView, StepRecord
from holdfast.contracts.state import ForkPoint, RunCheckpoint, TranscriptState
from holdfast.contracts.undo import DoneCall, EffectsRequest
from holdfast.errors import NoWorkerAnswers, UsageError
from holdfast.steered import Steered
from holdfast.undoing import taken_back

if TYPE_CHECKING:
    from temporalio.client import WorkflowHandle

RecordT = TypeVar("RecordT", bound=BaseModel)
Decisions = Mapping[str, DecisionInput]

STEPS_KEPT = 20
"""Steps that stay at hand where older ones are archived, as in a run that goes on in a new execution."""

MAX_KEPT_BYTES = 200_000
"""What these may take."""

TRIES = 3
"""A run may go on while it answers in pages."""

WROTE = ("done", "unknown")


@dataclass(frozen=True)
class Checkpoint:
    """A run after one of its steps, in a line."""

    step: int
    planner: str
    calls: tuple[str, ...]
    """What it did: tool and outcome of each call."""
    effects: int
    """Writing calls so far that had an effect, or may have had one, or were simulated."""
    tokens: int
    cost_usd: Decimal
    """What its plans have cost so far."""
    at: str | None
    """When the step was over; None while it is not."""


@dataclass(frozen=True)
class Past:
    """A run as it was after a step."""

    task: str
    user: str | None
    checkpoint: RunCheckpoint
    """Its steps and its transcript are as complete as a fork needs them."""
    made: list[MadeCall]
    """What earlier forks and rewinds went back behind."""
    misfit: str = ""
    """Why decisions that were asked about cannot be changed."""


class Checkpointed(Steered):
    """The part of a `Run` that looks back."""

    if TYPE_CHECKING:
        _temporal: Any

        @property
        def id(self) -> str: ...  # noqa: D102  # documented by Run
        async def inspect(self, *, at: int | None = None) -> RunView: ...  # noqa: D102  # documented by Run
        async def _query(self, name: str, *args: Any, result_type: Any) -> Any: ...

    async def checkpoints(self) -> list[Checkpoint]:
        """One entry for each step, in all the run's executions. Raises as `inspect`."""
        found: list[Checkpoint] = []
        tokens, cost, effects = 0, Decimal(0), 0
        for step in (await self.inspect()).steps:
            tokens, cost = tokens + step.usage.tokens, cost + step.usage.cost_usd
            effects += sum(1 for call in step.calls if _had_effect(call))
            found.append(
                Checkpoint(
                    step=step.number,
                    planner=step.planner,
                    calls=tuple(f"{call.tool}: {call.status}" for call in step.calls),
                    effects=effects,
                    tokens=tokens,
                    cost_usd=cost,
                    at=step.finished_at,
                )
            )
        return found

    async def made_since(self, step: int) -> list[MadeCall]:
        """What the run has really done after a step, oldest first, and what still stands of it. Raises as `inspect`."""
        return (await self._done_since(await self._past(step)))[0]

    async def _done_since(
        self, past: Past, execution: str | None = None
    ) -> tuple[list[MadeCall], list[DoneCall]]:
        """What stands of what was done behind a step: in all runs that led to it, and what this one can take back of it.

        With `execution` (Temporal's run id) as that one knows it. Raises as `inspect`.
        """
        gone = await taken_back(self._temporal, self.id)
        step, noted = past.checkpoint.total_steps, past.checkpoint.total_done_calls
        known: list[MadeCall] = []
        made: list[MadeCall] = []
        done: list[DoneCall] = []
        for number, one in enumerate(await self._done_calls(execution)):
            known.append(MadeCall.of(self.id, one))
            if one.undone or (one.input.call, one.rewound) in gone:
                continue
            if one.forgotten or _step_of(one.input.call) > step:
                made.append(known[-1])
            if number >= noted:
                done.append(one)
        return [*(one for one in past.made if one not in known), *made], done

    async def _done_calls(self, execution: str | None = None) -> list[DoneCall]:
        """Every writing call that the run has made, in all its executions; or up to the end of one of them."""
        query = self._query if execution is None else self._query_of(execution)
        parts = await query(names.ARCHIVED, result_type=list[ArchivedPart])
        stop = max((part.stop for part in parts if part.kind == "done_calls"), default=0)
        found = (
            await archive.read_items(artifact_store(), parts, DoneCall, "done_calls", start=0, stop=stop)
            if stop
            else []
        )
        while True:
            asked = EffectsRequest(run=self.id, after=len(found))
            page: list[DoneCall] = await query(names.EFFECTS, asked, result_type=list[DoneCall])
            if not page:
                return found
            found += page

    async def _inspect_at(self, at: int) -> RunView:
        found = await self._past(at)
        past, text = found.checkpoint, found.checkpoint.transcript
        store = artifact_store()

        async def older(kind: PartKind, model: type[RecordT], stop: int) -> list[RecordT]:
            return (
                await archive.read_items(store, past.archive, model, kind, start=0, stop=stop) if stop else []
            )

        messages = await older("messages", Message, text.archived)
        messages += text.messages[max(text.archived - text.start, 0) :]
        first = past.steps[0].number - 1 if past.steps else past.total_steps
        steps = [*await older("steps", StepRecord, first), *past.steps]
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

    async def _past(self, at: int | None, decisions: Decisions | None = None) -> Past:
        """The run as it was after a step, whichever execution took it.

        Raises:
            UsageError: There is no such step, or the server keeps its execution no longer.
            RunNotFound: There is no such run.
            NoWorkerAnswers: No worker is up that could tell.
            ArtifactNotFound, ArtifactStoreFailed: The artifact store does not give what was laid aside.
        """
        try:
            point, data = await _ask(at, self._query, decisions or {})
        except UsageError as error:
            execution = None if at is None else await self._execution_of(at)
            if execution is None:
                raise UsageError(f"Run {self.id}: {error}.") from None
            point, data = await self._ask_execution(execution, at, decisions or {})
        checkpoint = await _filled(unpack(data))
        return Past(point.task, point.user, checkpoint, point.made, point.misfit)

    async def _execution_of(self, step: int) -> str | None:
        """The execution (Temporal's run id) that planned after a step, where that is over; None for the present one.

        Raises UsageError for what a fork has only taken over.
        """
        view: RunView = await self._query(names.INSPECT, InspectRequest(), result_type=RunView)
        if view.fork is not None and step < view.fork.at:
            raise UsageError(
                f"Run {self.id} is a fork of {view.fork.run} at step {view.fork.at}: look for step {step} there."
            )
        parts = await self._query(names.ARCHIVED, result_type=list[ArchivedPart])
        part = part_with(parts, "steps", step)
        return part.execution if part is not None else None

    def _query_of(self, execution: str) -> Any:
        handle: WorkflowHandle[Any, Any] = self._temporal.get_workflow_handle(self.id, run_id=execution)

        async def query(name: str, *args: Any, result_type: Any) -> Any:
            return await handle.query(name, args=args, result_type=result_type)

        return query

    async def _ask_execution(
        self, execution: str, at: int | None, decisions: Decisions
    ) -> tuple[ForkPoint, str]:
        try:
            return await _ask(at, self._query_of(execution), decisions)
        except UsageError as error:
            raise UsageError(f"Run {self.id}: {error}.") from None
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                raise UsageError(
                    f"Run {self.id}: the execution that took step {at} is deleted: the server keeps closed ones "
                    "for the retention of its namespace only. Its steps are still told by `inspect()`."
                ) from None
            raise server_failed(error, waits_for_worker=True) or NoWorkerAnswers(
                f"No worker answers for the execution of run {self.id} that took step {at}. ({error})"
            ) from error
        except WorkflowQueryFailedError as error:
            raise NoWorkerAnswers(f"Run {self.id} cannot be looked at as of step {at}: {error}") from error


async def _ask(at: int | None, query: Any, decisions: Decisions) -> tuple[ForkPoint, str]:
    """The point and its checkpoint's data, asked for in pages. Raises UsageError where there is none of that step."""
    for _ in range(TRIES):
        data, point = "", None
        while True:
            step = at if point is None else point.checkpoint.step
            asked = CheckpointRequest(at=step, start=len(data), decisions=dict(decisions))
            page: ForkPoint = await _asked(query, asked)
            if point is not None and page.digest != point.digest:
                break  # it went on meanwhile
            point, data = page, data + page.checkpoint.data
            if len(data) >= page.total:
                return point, data
        await asyncio.sleep(0.2)
    raise NoWorkerAnswers("The run goes on faster than it can be read. Pause it, or wait until it has ended.")


async def _asked(query: Any, asked: CheckpointRequest) -> ForkPoint:
    try:
        found: ForkPoint = await query(names.CHECKPOINT, asked, result_type=ForkPoint)
    except Exception as error:
        cause = error if isinstance(error, WorkflowQueryFailedError) else error.__cause__
        if isinstance(cause, WorkflowQueryFailedError) and "no checkpoint" in str(cause):
            raise UsageError(str(cause)) from None
        raise
    return found


def _had_effect(call: CallRecord) -> bool:
    return call.effect != "read" and call.status in WROTE and not call.answered_by


def _step_of(call: str) -> int:
    return int(call.partition(".")[0])


def keep_from(text: TranscriptState) -> int:
    """The message from which on a run must hold its transcript: the last plan, and what was said since."""
    return max(0, text.planned - 1)


async def _filled(past: RunCheckpoint) -> RunCheckpoint:
    """The checkpoint with those of its last steps and messages that its execution had laid aside."""
    store, text = artifact_store(), past.transcript
    update: dict[str, Any] = {}
    if text.archived > keep_from(text) and text.archived:
        messages = await archive.read_items(
            store, past.archive, Message, "messages", start=0, stop=text.archived
        )
        messages += text.messages[max(text.archived - text.start, 0) :]
        update["transcript"] = _held_from(keep_from(text), messages, text)
        update["archive"] = cut_parts(past.archive, "messages", keep_from(text))
    first = past.steps[0].number - 1 if past.steps else past.total_steps
    wanted = max(0, past.total_steps - STEPS_KEPT)
    if first > wanted:
        older = await archive.read_items(store, past.archive, StepRecord, "steps", start=wanted, stop=first)
        update["steps"] = steps = [*older, *past.steps]
        listed = {call.id for step in steps for call in step.calls}
        update["keyed_calls"] = [call for call in past.keyed_calls if call.id not in listed]
    return past.model_copy(update=update)


def _held_from(start: int, messages: Sequence[Message], text: TranscriptState) -> TranscriptState:
    """The whole transcript as one that is held from a message on."""
    spelled = [message.model_dump(mode="json") for message in messages]
    digests = [EMPTY_CHAIN]
    for body in spelled:
        digests.append(chain(digests[-1], body))
    sizes = [len(canonical(body)) for body in spelled]
    return text.model_copy(
        update={
            "start": start,
            "messages": list(messages[start:]),
            "digests": digests[start:],
            "sizes": sizes[start:],
            "roles": "".join(message.role[0] for message in messages[start:]),
            "dropped_bytes": sum(sizes[1:start]),
            "archived": start,
            "results": [one for one in text.results if one.message >= start],
        }
    )


def cut_parts(parts: Sequence[ArchivedPart], kind: PartKind, stop: int) -> list[ArchivedPart]:
    """The parts, those of one kind only up to the item `stop`."""
    return [
        part if part.kind != kind else part.model_copy(update={"stop": min(part.stop, stop)})
        for part in parts
        if part.kind != kind or part.start < stop
    ]


async def laid_aside(run: str, past: RunCheckpoint) -> RunCheckpoint:
    """The checkpoint of a run without its older messages and steps, which are put into the artifact store.

    Raises ArtifactStoreFailed.
    """
    store, text = artifact_store(), past.transcript
    start = keep_from(text)
    update: dict[str, Any] = {}
    parts = list(past.archive)
    if start > max(text.archived, text.start):
        first = max(text.archived, text.start)
        items = text.messages[first - text.start : start - text.start]
        parts.append(await archive.write_part(store, "messages", first, items, ""))
        cut = start - text.start
        listed = text.start + len(text.messages) - len(text.sizes)  # the first message that sizes tell of
        update["transcript"] = text.model_copy(
            update={
                "start": start,
                "messages": text.messages[cut:],
                "digests": text.digests[cut:],
                "sizes": text.sizes[cut:],
                "roles": text.roles[cut:],
                "dropped_bytes": text.dropped_bytes + sum(text.sizes[1 if listed == 0 else 0 : cut]),
                "archived": start,
                "results": [one for one in text.results if one.message >= start],
            }
        )
    held = last_within_bytes(past.steps[-STEPS_KEPT:], MAX_KEPT_BYTES)
    archived = max((part.stop for part in parts if part.kind == "steps"), default=0)
    if past.total_steps > archived and len(held) < len(past.steps):
        first_held = past.steps[0].number - 1
        parts.append(
            await archive.write_part(store, "steps", archived, past.steps[archived - first_held :], "")
        )
    if len(held) < len(past.steps):
        update["steps"] = held
        calls = [call for step in past.steps[: -len(held)] for call in step.calls]
        update["keyed_calls"] = [*past.keyed_calls, *(call for call in calls if _may_come_again(run, call))]
    return past.model_copy(update={**update, "archive": parts})


def _may_come_again(run: str, call: CallRecord) -> bool:
    """Whether its key is one that the tool's author makes."""
    key = call.idempotency_key
    return bool(key) and not (key.startswith(run) and key.endswith(f"/{call.id}"))
