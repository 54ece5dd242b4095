"""Everything a run knows: owned by the run's own loop, shown by its queries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from temporalio import workflow

from holdfast.contracts.archive import ArchivedPart
from holdfast.contracts.artifacts import ArtifactRef
from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.calls import CallRecord, EffectRecord, Failure, ToolInput
from holdfast.contracts.pages import within_bytes
from holdfast.contracts.parked import ParkedNote
from holdfast.contracts.plans import Usage
from holdfast.contracts.requests import Decision, Ignored, Request
from holdfast.contracts.run import (
    EventKind,
    FinishStatus,
    RunEvent,
    RunInput,
    RunOutcome,
    RunStatus,
    StepRecord,
    last_words,
)
from holdfast.contracts.spec import AgentSpec, ToolSpec
from holdfast.contracts.state import LoopState, StepMark
from holdfast.contracts.summaries import CompactionRecord
from holdfast.contracts.undo import DoneCall, UndoneCall
from policies import lifecycle, limits
from policies.json_safety import brief, clip, shorten
from policies.seeds import first_seed
from policies.undoing import not_known
from workflows import on_display
from workflows.answering import MAX_LISTED_ARGUMENTS, MAX_LISTED_BYTES
from workflows.log import Log
from workflows.transcript import Transcript

PREVIEW_CHARS = 400

MAX_IGNORED_KEPT = 50


class RunState:
    """The run's record. Its methods note what happened and show it; they decide nothing."""

    def __init__(self, given: RunInput, spec: AgentSpec) -> None:
        self.run = workflow.info().workflow_id
        self.given = given
        self.spec = spec
        self.digest = spec.digest
        self.dry_run = spec.dry_run if given.dry_run is None else given.dry_run
        self.loop = LoopState()
        self.transcript = Transcript()
        self.steps: Log[StepRecord] = Log()
        self.ledger: Log[CallRecord] = Log()
        self.requests: dict[str, Request] = {}
        self.decisions: list[Decision] = []
        self.ignored: list[Ignored] = []
        self.effects: list[EffectRecord] = []
        self.total_effects = 0
        self.done_calls: Log[DoneCall] = Log()
        self.events: Log[RunEvent] = Log()
        self.artifacts: list[ArtifactRef] = [one.ref for one in given.attachments if one.ref is not None]
        self.compactions: list[CompactionRecord] = []
        self.usage = Usage()
        self.context_tokens = 0
        self.status: RunStatus = "starting"
        opened = workflow.info().workflow_start_time  # near a local activity replay has another `now()`
        self.opened_at, self.started_at = opened.isoformat(), opened.isoformat(timespec="milliseconds")
        self.finished_at: str | None = None
        self.outcome: RunOutcome | None = None
        self.execution = 1
        self.archive: list[ArchivedPart] = []
        self.details = on_display.details_of(self)
        self.shown: tuple[object, object, str, str | None] | None = None
        """As of what the search attributes were set last."""
        self.marks: list[StepMark] = []
        """How far the run was after each step of this execution; shown by a query, never looked at by the loop."""
        workflow.register_random_seed_callback(self._reseeded)

    def _reseeded(self, seed: int) -> None:
        """Temporal gives another seed after a reset, and never else: calls made from here on get keys of their own."""
        self.loop.rewound, self.loop.untold = f"{seed & 0xFFFFFF:06x}", True

    def notice_reset(self) -> None:
        """Called once the state is there: where the very first workflow task is run again, the other seed came before."""
        if workflow.random_seed() != first_seed(workflow.info().original_execution_run_id):
            self._reseeded(workflow.random_seed())

    def hear_of_rewind(self) -> None:
        """Take in what the run was told it had done before it was rewound: that still stands, and can be taken back.

        Not when it is told, which may be before the results are noted that it was rewound behind.
        """
        heard, self.loop.told = self.loop.told, []
        for told in heard:
            for one in not_known(self.done_calls.held, told.done):
                self.done_calls.append(one.model_copy(update={"forgotten": True}))
            if told.more:
                continue
            self.loop.rewind, self.loop.untold = told.model_copy(update={"done": []}), False
            why = f": {told.reason}" if told.reason else ""
            stands = f" ({len(told.made)} writes made since then stand)" if told.made else ""
            text = f"rewound to step {told.to} by {told.by}{stands}{why}"
            self.event("notice", text, {"to": told.to, "by": told.by})

    @property
    def key_scope(self) -> str:
        """What the keys of this run's calls begin with."""
        return f"{self.run}~{self.loop.rewound}" if self.loop.rewound else self.run

    def now(self) -> str:
        """Workflow time, ISO 8601 in UTC."""
        return workflow.now().isoformat(timespec="milliseconds")

    def seconds(self) -> float:
        """How long the run has been open, in all its executions."""
        return (workflow.now() - datetime.fromisoformat(self.opened_at)).total_seconds()

    def event(self, kind: EventKind, text: str, data: JsonObject | None = None) -> None:
        """Note what happened, for those who watch."""
        self.events.append(
            RunEvent(
                number=len(self.events),
                at=self.now(),
                kind=kind,
                step=len(self.steps),
                text=shorten(text, 2000),
                data=data or {},
            )
        )

    def ignore(self, signal: str, why: str) -> None:
        """Note a signal that changed nothing, so that its author can find out why."""
        why = brief(why, 2000)
        self.ignored.append(Ignored(at=self.now(), signal=signal, why=why))
        del self.ignored[:-MAX_IGNORED_KEPT]
        self.event("ignored", f"signal {signal} changed nothing: {why}")
        self.show()

    def move(self, status: RunStatus) -> None:
        """Enter a state, and show it: details at once, search attributes only when the world should know."""
        if not lifecycle.may_move(self.status, status):
            self.event("notice", f"engine bug: a run cannot go from {self.status} to {status}")
        self.status = status
        self.show()

    def show(self) -> None:
        """Refresh what the UI shows, and whether a step under way waits for a human."""
        self._note_status()
        self._note_rest()
        on_display.show(self)

    def _note_status(self) -> None:
        last = self.steps[-1] if self.steps else None
        under_way = self.status == "paused" and last is not None and last.finished_at is None
        if (
            last is not None
            and not self.loop.waits_for
            and (under_way or self.status in ("acting", "waiting"))
        ):
            asked = frozenset(request.call for request in self.requests.values() if request.call)
            paused = self.loop.paused is not None
            self.status = lifecycle.while_acting(last.calls, asked, paused=paused)

    @property
    def parked_now(self) -> ParkedNote | None:
        """What stopped the run, unless it was redriven since."""
        note = self.loop.parked
        return note if note is not None and note.redriven_at is None else None

    def adopt(self, spec: AgentSpec) -> None:
        """Live by another version of the agent from now on."""
        self.spec, self.digest = spec, spec.digest
        if self.loop.limits is not None:
            self.loop.limits = limits.kept(spec.limits, self.loop.limits, self.loop.raises)

    def rested(self) -> float:
        """For how many seconds only a person could have moved the run, up to now."""
        since = self.loop.rests_since
        now = (workflow.now() - datetime.fromisoformat(since)).total_seconds() if since else 0.0
        return self.loop.rested_seconds + now

    def _note_rest(self) -> None:
        rests = self.status in lifecycle.AT_REST
        if rests and self.loop.rests_since is None:
            self.loop.rests_since = self.now()
        elif not rests and self.loop.rests_since is not None:
            self.loop.rested_seconds, self.loop.rests_since = self.rested(), None

    def spent(self, usage: Usage) -> None:
        """Count what a plan cost."""
        self.usage += usage
        self.context_tokens = usage.context_tokens
        self.loop.known_tokens = usage.tokens if usage.context_tokens else 0

    def effect(self, record: CallRecord, tool: ToolSpec, result: Json, *, unknown: bool = False) -> None:
        """Note what a writing call did, and keep what its undo would need."""
        if not record.dry_run:
            asked = self.tool_input(record).model_copy(update={"result": result})
            self.done_calls.append(DoneCall(input=asked, tool=tool, rewound=self.loop.rewound))
        self.total_effects += 1
        outcome: Literal["done", "simulated", "unknown"] = (
            "unknown" if unknown else "simulated" if record.dry_run else "done"
        )
        self.effects.append(
            EffectRecord(
                call=record.id,
                tool=record.tool,
                arguments=clip(record.arguments, MAX_LISTED_ARGUMENTS),
                idempotency_key=record.idempotency_key,
                outcome=outcome,
                reversible=tool.effect == "reversible",
                approved_by=record.approved_by,
            )
        )

    def tool_input(self, record: CallRecord) -> ToolInput:
        """What the tool's activity is sent."""
        return ToolInput(
            run=self.run,
            call=record.id,
            agent=self.spec.name,
            digest=self.digest,
            tool=record.tool,
            arguments=record.arguments,
            idempotency_key=record.idempotency_key,
            dry_run=record.dry_run,
            user=self.given.user,
        )

    def end(
        self,
        status: FinishStatus | RunStatus,
        output: Json = None,
        reason: str = "",
        failure: Failure | None = None,
    ) -> RunOutcome:
        """End the run. What it has to show is kept, whatever the status."""
        self.hear_of_rewind()
        self.outcome = RunOutcome(
            run=self.run,
            agent=self.spec.name,
            digest=self.digest,
            status=status,
            output=output,
            reason=reason,
            steps=len(self.steps),
            calls=len(self.ledger),
            usage=self.usage,
            effects=within_bytes(self.effects, MAX_LISTED_BYTES),
            total_effects=self.total_effects,
            failure=failure,
            untold=within_bytes(self.loop.messages, MAX_LISTED_BYTES),
            failure_counts=self.loop.failure_counts,
            words=last_words(self.steps) if status != "completed" else "",
        )
        if status != "failed" or self.spec.on_failure == "keep":
            self.close()
        return self.outcome

    def close(self, *, rolled_back: Sequence[UndoneCall] = (), reason: str = "") -> None:
        """Let the run be over, with the outcome that it has and what was taken back before."""
        assert self.outcome is not None  # noqa: S101  # `end` comes first
        told = "; ".join(part for part in (self.outcome.reason, reason) if part)
        update = {"rolled_back": within_bytes(rolled_back, MAX_LISTED_BYTES), "reason": told}
        self.outcome = self.outcome.model_copy(update=update)
        status = self.outcome.status
        self.finished_at = self.now()
        self.event("finished", status + (f": {told}" if told else ""), {"status": status})
        self.move(status)

    def undone(self, found: UndoneCall) -> None:
        """Note what became of an effect that was to be taken back."""
        text = f"{found.outcome} {found.call} {found.tool}"
        self.event("notice", f"rollback: {text}", found.model_dump(mode="json"))
        if found.outcome == "undone":
            self._mark_undone(found)
        self.show()

    def _mark_undone(self, found: UndoneCall) -> None:
        for at, done in enumerate(self.done_calls.held):
            if (done.input.call, done.rewound) == (found.call, found.rewound):
                self.done_calls.held[at] = done.model_copy(update={"undone": True})
        for at, effect in enumerate(self.effects):  # these are of the steps that the run has
            if effect.call == found.call and not found.forgotten:
                self.effects[at] = effect.model_copy(update={"undone": True})
