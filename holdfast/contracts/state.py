"""What a run's loop remembers from step to step, beside the record that people see.

All of it is data in one place, so that a run can be continued as new, inspected at a step, and forked: nothing
that decides what happens next may live in an attribute elsewhere.
"""

from decimal import Decimal

from holdfast.contracts.archive import ArchivedPart
from holdfast.contracts.artifacts import ArtifactRef
from holdfast.contracts.base import Record
from holdfast.contracts.calls import CallRecord, EffectRecord, Failure
from holdfast.contracts.forks import MadeCall, Rewound
from holdfast.contracts.limits import LimitsRaised
from holdfast.contracts.messages import Message
from holdfast.contracts.parked import ParkedNote
from holdfast.contracts.plans import Usage
from holdfast.contracts.requests import Decision, Ignored, Request
from holdfast.contracts.run import Carried, RunEvent, RunOutcome, RunStatus, StepRecord
from holdfast.contracts.spec import AgentSpec, LimitsSpec
from holdfast.contracts.steering import Cancellation, Pause, PersonMessage
from holdfast.contracts.summaries import CompactionRecord, View
from holdfast.contracts.undo import DoneCall


class LoopState(Record):
    """The loop's own memory. Fields may be added with a default, never renamed or removed."""

    rung: int = 0
    """The planner of the ladder that is asked now."""
    failed_at: int | None = None
    """The step at which a better rung failed; None while none has."""
    last_failure: str = ""
    """Which planner failed last, and how: told to the person who is to plan in its place."""
    odd_answers: int = 0
    """Answers in a row that moved nothing."""
    max_tokens_factor: int = 1
    """Multiplies the rung's output limit after an answer was cut off by it."""
    rejections_in_a_row: int = 0
    finish_refused: int = 0
    """Results that did not fit and were sent back."""
    known_tokens: int = 0
    """Tokens up to the last answer, as the provider counted them; 0 while it has not counted what planners now see."""
    made_room_at: int = 0
    """The last step at which the transcript was compacted because the prompt was too long."""
    last_turn: str = ""
    """Which limit ends the run with this turn; empty while none does."""
    limit: str = ""
    """The field of the `LimitsSpec` that `last_turn` is about; empty where no limit is that can be raised."""
    needs_usd: Decimal = Decimal(0)
    """What the next plan may cost, where the run's own limit of money does not allow that; else zero."""
    limits: LimitsSpec | None = None
    """The limits since they were raised; None while they are the agent's."""
    raises: list[LimitsRaised] = []
    """Who raised the limits, oldest first."""
    rested_seconds: float = 0.0
    """How long the run has waited for people so far, or was paused or parked."""
    rests_since: str | None = None
    """ISO 8601, UTC: since when only a person moves it; None while it works."""
    archive_after: int = 0
    """The step from which on the run may try again to go on in a new execution: the last try failed."""
    waits_for: str = ""
    """The account whose room it waits for; empty while it waits for none."""
    account_called: bool = False
    """The account has called: ask it again."""
    messages: list[PersonMessage] = []
    """What people said and the agent has not been told yet, in the order in which it came."""
    paused: Pause | None = None
    cancelled: Cancellation | None = None
    may_cost_usd: Decimal | None = None
    """What a human has allowed one plan to cost, above what the agent's limit says."""
    circles: int = 0
    """Steps in a row that brought nothing new."""
    fresh_from: int = 0
    """From this place in the ledger on calls count as repeated: a human may have changed what was seen before."""
    failures: list[Failure] = []
    """What failed since the last plan: the next step's record holds it."""
    failure_counts: dict[str, int] = {}
    """By category, how often something failed."""
    parked: ParkedNote | None = None
    """The failure that parked the run last, also when it has been redriven since; None while none has."""
    forked: bool = False
    """What the run's fork changes has been done."""
    rewound: str = ""
    """Tells keys of calls made after a rewind from those made before it; empty while there was none."""
    rewind: Rewound | None = None
    """The last rewind, as whoever asked for it told it; without what it can take back, which is in its done calls."""
    untold: bool = False
    """It was reset, and has not heard yet what it had done since."""
    told: list[Rewound] = []
    """What it was told of its rewinds and has not taken in yet."""


class StepMark(Record):
    """How far a run was after a step: with it the run's record can be cut back to that moment."""

    number: int
    at: str
    messages: int
    planned: int
    calls: int
    events: int
    effects: int
    done_calls: int
    loop: LoopState
    usage: Usage
    context_tokens: int
    ended: bool = False


class ResultBlock(Record):
    """Which block of which message is the result of which call, unchanged."""

    message: int
    block: int
    call: str


class TranscriptState(Record):
    """The transcript, whole or from its message `start` on; what lies before is archived."""

    start: int = 0
    messages: list[Message] = []
    digests: list[str] = []
    """The digest of the transcript before message `start`, then after it and each further one."""
    sizes: list[int] = []
    planned: int = 0
    """How many messages the last planner's worker knows."""
    archived: int = 0
    """Messages before this number are told by the archive. Such a one that is listed here too may be a stand-in."""
    results: list[ResultBlock] = []
    roles: str = ""
    """Of each message that `sizes` tells of: `u` or `a`."""
    dropped_bytes: int = 0
    """The size of the messages between the task and the first that `sizes` tells of."""
    views: list[View] = []
    """What planners saw since each compaction; the last is what they see now."""
    beside_task: Message | None = None
    """The first message without the task itself."""


class RunCheckpoint(Record):
    """Everything that a run is, after a step: what the next execution begins with, and what a fork starts from.

    Lists hold the end of what there was; `total_…` counts all. Of the ledger, calls of steps that are not listed
    are here only where their key may be used again. Of the effects, the first are listed.
    Fields may be added with a default, never renamed or removed.
    """

    version: int = 1
    execution: int = 1
    """The number of the execution that this was taken in."""
    spec: AgentSpec
    dry_run: bool = False
    opened_at: str
    """When the first execution began: limits of time count from here."""
    started_at: str
    status: RunStatus = "starting"
    loop: LoopState = LoopState()
    transcript: TranscriptState = TranscriptState()
    steps: list[StepRecord] = []
    total_steps: int = 0
    keyed_calls: list[CallRecord] = []
    total_calls: int = 0
    requests: list[Request] = []
    decisions: list[Decision] = []
    ignored: list[Ignored] = []
    artifacts: list[ArtifactRef] = []
    compactions: list[CompactionRecord] = []
    effects: list[EffectRecord] = []
    total_effects: int = 0
    done_calls: list[DoneCall] = []
    total_done_calls: int = 0
    events: list[RunEvent] = []
    total_events: int = 0
    usage: Usage = Usage()
    context_tokens: int = 0
    finished_at: str | None = None
    outcome: RunOutcome | None = None
    archive: list[ArchivedPart] = []


class ForkPoint(Record):
    """A run as it was after a step: of its checkpoint's data, as much as an answer holds."""

    task: str
    user: str | None = None
    checkpoint: Carried
    made: list[MadeCall] = []
    """What the forks and rewinds that led to this run went back behind."""
    total: int = 0
    """Characters of the whole data."""
    digest: str = ""
    """Of the whole data: tells whether pages belong together."""
    misfit: str = ""
    """Why a fork cannot change the decisions that were asked about; empty when it can."""
