"""A run: its input, its record, and its outcome."""

from collections.abc import Sequence
from typing import Literal

from pydantic import ConfigDict, Field, field_validator

from holdfast.contracts.artifacts import ArtifactRef
from holdfast.contracts.attachments import MAX_ATTACHMENTS, Attachment
from holdfast.contracts.base import Contract, Json, JsonObject, Record
from holdfast.contracts.calls import CallRecord, EffectRecord, Failure
from holdfast.contracts.digests import digest
from holdfast.contracts.forks import Fork, ForkInput, Rewound
from holdfast.contracts.limits import LimitsRaised
from holdfast.contracts.messages import Message
from holdfast.contracts.parked import ParkedNote
from holdfast.contracts.plans import Usage
from holdfast.contracts.requests import Decision, Ignored, Request
from holdfast.contracts.steering import Pause, PersonMessage
from holdfast.contracts.summaries import CompactionRecord
from holdfast.contracts.undo import UndoneCall

RunStatus = Literal[
    "starting",
    "planning",
    "acting",
    "waiting",
    "paused",
    "parked",
    "completed",
    "partial",
    "failed",
    "cancelled",
]
EventKind = Literal[
    "started",
    "plan",
    "call",
    "result",
    "request",
    "decision",
    "ignored",
    "notice",
    "message",
    "paused",
    "resumed",
    "finished",
]
FinishStatus = Literal["completed", "partial", "failed"]


MAX_TASK_BYTES = 1_000_000


class Carried(Contract):
    """What one execution of a run hands to the next: its `RunCheckpoint`, and in plain sight how far it is.

    `data` is the checkpoint's JSON, compressed by zlib, in base 64.
    """

    version: int = 1
    execution: int
    """The number of the execution that begins with this, counted from 1."""
    step: int
    """How many steps have been taken."""
    data: str


class RunInput(Contract):
    """What a run is started with, from any language: `{"agent": "cloud-costs", "task": "…"}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agent: str = Field(min_length=1, max_length=1000)
    task: str = Field(min_length=1)
    """At most a million bytes of UTF-8."""
    user: str | None = Field(default=None, max_length=300)
    dry_run: bool | None = None
    """True simulates every write, False allows them as the agent's autonomy says; None asks the agent."""
    attachments: list[Attachment] = Field(default=[], max_length=MAX_ATTACHMENTS)
    checkpoint: Carried | None = None
    """Where to go on from. The engine's own: whoever starts a run leaves it out."""
    fork: ForkInput | None = None
    """What a fork changes at its checkpoint. `Run.fork` fills in both."""

    @field_validator("task")
    @classmethod
    def _bounded(cls, task: str) -> str:
        size = len(task.encode("utf-8", "replace"))
        if size > MAX_TASK_BYTES:
            raise ValueError(
                f"it is {size:,} bytes, and {MAX_TASK_BYTES:,} is the limit: put it where a tool can read it"
            )
        return task

    @property
    def mark(self) -> str:
        """The digest of what the caller asked for, by which starting twice is told from a clash.

        Only the first four fields are always part of it: one that is added later counts where it is set.
        """
        added = self.model_dump(mode="json", exclude_defaults=True, exclude={"checkpoint"})
        always = {"agent": self.agent, "task": self.task, "user": self.user, "dry_run": self.dry_run}
        return digest({**added, **always})


class StepRecord(Record):
    """One step: the plan, and the calls it asked for."""

    number: int
    rung: int
    planner: str
    stop_reason: str
    text: str = ""
    usage: Usage = Usage()
    seconds: float = 0.0
    started_at: str = ""
    finished_at: str | None = None
    calls: list[CallRecord] = []
    notes: list[str] = []
    """What the planner was told after it, beside the results."""
    failures: list[Failure] = []
    """Planners that failed before this plan was made."""
    position: int | None = None
    """How many messages of the transcript its planner was given; None where that is not known."""


class RunOutcome(Contract):
    """How a run ended, and everything it has to show for it."""

    run: str
    agent: str
    digest: str
    status: RunStatus
    output: Json = None
    """The agent's result: valid against its output type when `status` is `completed`."""
    reason: str = ""
    """Why the run is not completed; empty when it is."""
    steps: int = 0
    calls: int = 0
    usage: Usage = Usage()
    effects: list[EffectRecord] = []
    """What was done to the world, in order; long arguments are shortened here, and whole in the call's record."""
    total_effects: int = 0
    """How many effects there are; as many of them are listed as an answer can hold."""
    failure: Failure | None = None
    untold: list[PersonMessage] = []
    """What people said too late for the agent to hear it."""
    failure_counts: dict[str, int] = {}
    """By category, how often something failed, also where the run went on all the same."""
    words: str = ""
    """What the agent said last: all there is of the plans of a run that was stopped before it handed in a result."""
    rolled_back: list[UndoneCall] = []
    """What became of each effect when a failed run took back what it had done, last one first."""


class RunView(Contract):
    """A run as people inspect it: everything but the full text of its transcript."""

    run: str
    agent: str
    digest: str
    task: str
    user: str | None
    dry_run: bool
    status: RunStatus
    started_at: str
    finished_at: str | None = None
    steps: list[StepRecord]
    total_steps: int = 0
    """How many steps there are; a query answers with as many of them as fit."""
    requests: list[Request]
    decisions: list[Decision]
    ignored: list[Ignored]
    messages: list[PersonMessage] = []
    """What the agent is told with its next plan; long texts are shortened here."""
    paused: Pause | None = None
    effects: list[EffectRecord]
    artifacts: list[ArtifactRef] = []
    """Results too large for the transcript, and attachments: whole in the artifact store."""
    compactions: list[CompactionRecord] = []
    raises: list[LimitsRaised] = []
    """Who raised the run's limits, oldest first."""
    usage: Usage
    failures: list[Failure] = []
    """Planners that failed since the last step."""
    failure_counts: dict[str, int] = {}
    """By category, how often something failed."""
    outcome: RunOutcome | None = None
    parked: ParkedNote | None = None
    """What stopped it, while it is parked or when it was discarded."""
    fork: Fork | None = None
    """Where it was forked from, if it was."""
    rewind: Rewound | None = None
    """The last rewind, if there was one: what was done before it still stands."""
    transcript: list[Message] | None = None
    """Only of a run that is looked at as of a step."""

    def so_far(self, *, status: RunStatus | None = None, reason: str = "") -> RunOutcome:
        """The outcome as the run stands; its own, where it has ended.

        `status` and `reason` say how it ended, where it was stopped from outside and could not note that itself.
        """
        if self.outcome is not None:
            return self.outcome
        parked = self.parked if self.status == "parked" else None
        return RunOutcome(
            run=self.run,
            agent=self.agent,
            digest=self.digest,
            status=status or self.status,
            reason=reason or self._why_open(),
            steps=self.total_steps or len(self.steps),
            calls=sum(len(step.calls) for step in self.steps),
            usage=self.usage,
            effects=self.effects,
            total_effects=len(self.effects),
            failure=parked.failure if parked is not None else None,
            failure_counts=self.failure_counts,
            untold=self.messages,
            words=last_words(self.steps),
        )

    def _why_open(self) -> str:
        asked = "; ".join(f"{one.why} ({one.kind}, asks {one.by})" for one in self.requests)
        why = OPEN_BECAUSE.get(self.status, "")
        return f"{why}: {asked}" if asked and why else why


OPEN_BECAUSE: dict[RunStatus, str] = {
    "starting": "it is only just starting",
    "planning": "it is under way",
    "acting": "it is under way",
    "waiting": "it waits for a person",
    "paused": "it is paused",
    "parked": "it waits for a person to move it on",
}
"""Why a run that is open has no result yet."""


def last_words(steps: Sequence[StepRecord]) -> str:
    """What the agent said last; empty when it said nothing."""
    return next((step.text for step in reversed(steps) if step.text.strip()), "")


class RunEvent(Contract):
    """Something that happened in a run, in order: `number` counts from 0."""

    number: int
    at: str
    kind: EventKind
    step: int
    text: str
    data: JsonObject = {}


class InspectRequest(Contract):
    """Asks for the run with its steps from number `from_step` on."""

    from_step: int = 1


class EventsRequest(Contract):
    """Asks for events from number `after` on, at most `limit` of them."""

    after: int = 0
    limit: int = 500
