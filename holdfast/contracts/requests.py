"""Requests to humans, and their decisions. One shape for every kind, one inbox, one way to decide."""

from typing import Literal

from pydantic import ConfigDict

from holdfast.contracts.base import Contract, Json, JsonObject

RequestKind = Literal["approval", "question", "unknown_effect", "limit", "takeover", "parked", "rollback"]
Choice = Literal["approve", "reject", "answer"]

CHOICES: dict[RequestKind, tuple[Choice, ...]] = {
    "approval": ("approve", "reject"),
    "question": ("answer", "reject"),
    "unknown_effect": ("answer",),
    "limit": ("answer",),
    "takeover": ("answer",),
    "parked": ("answer",),
    "rollback": ("answer",),
}
"""Which decisions fit which kind."""

ANSWERS: dict[RequestKind, tuple[str, ...]] = {
    "unknown_effect": ("happened", "run", "skip"),
    "limit": ("raise", "finish"),
    "takeover": ("plan", "finish", "pass"),
    "parked": ("redrive", "discard"),
    "rollback": ("retry", "leave"),
}
"""The words that an answer may be, for kinds that do not take free text.

`happened`: the effect is there (give its `result`). `run`: it is not there, run the call. `skip`: leave it,
the model is told that nobody knows. `raise`: go on; `result` may hold the new limits. `finish`: end with what there is
(for a takeover: with `result`). `plan`: `result` holds the calls to make, in the model's place. `pass`: the better
planners are asked again. `redrive`: go on from where the run stopped; `result` may hold `{"from_step": 3, "agent": "latest"}`, or
one of them. `discard`: end the run. `retry`: try the undos again that failed. `leave`: let those effects stand, and
end the run.
"""


class Request(Contract):
    """What a run asks a human.

    Its id ends in a digest of what is shown (tool, arguments, agent version): a decision that names the id
    is a decision about exactly this.
    """

    id: str
    kind: RequestKind
    run: str
    agent: str
    digest: str
    step: int
    why: str
    by: str
    """Who is asked: a role or team, in the author's words."""
    call: str | None = None
    tool: str | None = None
    arguments: JsonObject | None = None
    reversible: bool = False
    dry_run: bool = False
    opened_at: str = ""
    deadline: str | None = None
    """ISO 8601, UTC. Unanswered by then, the request is denied."""
    remind_at: str | None = None
    """ISO 8601, UTC, as the others. Unanswered by then, people are reminded of it."""
    reminded_at: str | None = None
    """When they were."""
    escalate_at: str | None = None
    """Unanswered by then, `escalate_to` is asked too."""
    escalate_to: str = ""
    escalated_at: str | None = None
    """Since when they are."""

    def asks(self, who: str) -> bool:
        """Whether this role or team is asked now."""
        return who == self.by or (self.escalated_at is not None and who == self.escalate_to)

    @property
    def asked(self) -> str:
        """Who is asked now: `finops`, or once it was escalated `finops and head-of-finance`."""
        return f"{self.by} and {self.escalate_to}" if self.escalated_at else self.by

    @property
    def choices(self) -> tuple[Choice, ...]:
        """The decisions that fit."""
        return CHOICES[self.kind]


class DecisionInput(Contract):
    """A human's decision, as the signals `approve`, `reject`, `answer` and the update `decide` take it.

    `request` may be left out while exactly one request is open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request: str | None = None
    by: str
    note: str = ""
    arguments: JsonObject | None = None
    """With `approve`: run the call with these arguments instead; they are checked again."""
    reason: str = ""
    """With `reject`: what the model is told."""
    answer: str = ""
    """With `answer`: free text for a question, else one of the words in `ANSWERS`."""
    result: Json = None
    """With `answer: happened`: what the call returned."""
    choice: Choice | None = None
    """Only for the update `decide`; a signal's name says it."""


class Decision(Contract):
    """A decision that counted, and where it came from."""

    request: str
    choice: Literal["approve", "reject", "answer", "expire"]
    by: str
    note: str = ""
    reason: str = ""
    arguments: JsonObject | None = None
    answer: str = ""
    result: Json = None
    via: Literal["signal", "update", "deadline", "account"]
    at: str


class Ignored(Contract):
    """A decision by signal that changed nothing, and why: kept so that its author can find out."""

    at: str
    signal: str
    why: str
