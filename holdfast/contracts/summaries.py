"""Compaction: what a long run's planners are shown in the place of its oldest messages."""

from holdfast.contracts.base import Contract, Record
from holdfast.contracts.calls import Failure
from holdfast.contracts.plans import PlanInput, Usage
from holdfast.contracts.spec import ModelRung


class View(Record):
    """What planners see of a transcript: the task with a summary, then the messages from `start` on.

    The transcript itself is never shortened: people, checkpoints and forks read it whole.
    """

    start: int = 0
    """Place in the whole transcript of the first message that is shown after the task; 0 shows the whole."""
    made_at: int = 0
    """How many messages there were when it was made."""
    base: str = ""
    """The digest of the whole transcript before that message."""
    before_bytes: int = 0
    """The size of the messages behind the task that are not shown."""
    summary: str = ""
    """What stands behind the task, in the place of the messages that are not shown."""


class CompactInput(PlanInput):
    """Asks for a summary of what planners see before message `stop` of the transcript, the task left out.

    The transcript is named as for a plan, and is not here.
    """

    stop: int
    summariser: ModelRung


class CompactOutcome(Contract):
    """The summary, by whom, and what it cost."""

    summary: str
    by: str
    """The model that answered, or `the messages themselves` where none could."""
    usage: Usage = Usage()
    failure: Failure | None = None
    """Why no model summarised."""
    seconds: float = 0.0


class CompactionRecord(Contract):
    """One compaction of a run, as people see it."""

    step: int
    at: str
    """ISO 8601, UTC, of workflow time."""
    messages: int
    """How many messages the summary stands for."""
    kept: int
    tokens: int
    """How many tokens the transcript had, by the watch's count."""
    by: str
    """The model that summarised; `the messages themselves` or `the run's record` where none could."""
    chars: int
    """Length of the summary."""
    usage: Usage = Usage()
