"""Calls of tools: what the engine sends to a tool's activity, and what is kept of each call."""

from typing import Literal

from holdfast.contracts.base import Contract, Json, JsonObject, Record
from holdfast.contracts.spec import Effect

FailureKind = Literal[
    "transient", "correctable", "contract", "credentials", "unknown_outcome", "limit", "fatal", "unclassified"
]
"""The classes of failure, each with one owner (see `policies/failures.py`)."""


FailureCategory = Literal["hallucination", "integration", "context", "tool_call", "degradation"]
"""What failures are counted by: what went wrong, whoever acts (see `policies/failures.py`)."""


class Failure(Contract):
    """Why something failed, in words that the model and a human can use."""

    kind: FailureKind
    message: str
    error: str = ""
    """The type of the error, such as `ConnectTimeout`."""
    earlier_attempt: bool = False
    """An attempt before this one may have begun its work, and its answer was lost."""
    category: FailureCategory | None = None
    """None where it was not counted."""


class ToolInput(Contract):
    """The one argument of a tool's activity, also of a remote tool in any language.

    `idempotency_key` is the same for every attempt of a call, and for a call that is made again after a
    crash or a reset. With `dry_run` the tool must change nothing.
    """

    run: str
    call: str
    agent: str
    digest: str
    tool: str
    arguments: JsonObject
    idempotency_key: str
    dry_run: bool = False
    user: str | None = None
    result: Json = None
    """What the call returned; only for the tool's undo."""


class Probed(Contract):
    """What a tool's probe found out about a call whose outcome is unknown."""

    finding: Literal["happened", "did_not_happen", "unsure"]
    result: Json = None
    note: str = ""


class VettedCall(Contract):
    """A call as the guards see it."""

    call: str
    tool: str
    effect: Effect
    arguments: JsonObject
    guards: tuple[str, ...] = ()
    """The guards that the run's own spec names for it: each of them must be asked."""


class GuardInput(Contract):
    """The one argument of the `vet` activity: the calls of one step that have passed validation."""

    run: str
    agent: str
    digest: str
    user: str | None = None
    dry_run: bool = False
    calls: list[VettedCall]


class Verdict(Contract):
    """What a guard says of a call."""

    kind: Literal["allow", "ask", "refuse"]
    why: str = ""
    by: str | None = None
    """Whom to ask; None asks the tool's or the agent's approvers."""
    guard: str = ""

    @classmethod
    def allow(cls) -> "Verdict":
        """Nothing speaks against the call; approval rules still hold."""
        return cls(kind="allow")

    @classmethod
    def ask(cls, why: str, *, by: str | None = None) -> "Verdict":
        """A human must approve the call; `by` names who, if not the usual approvers."""
        return cls(kind="ask", why=why, by=by)

    @classmethod
    def refuse(cls, why: str) -> "Verdict":
        """The call must not be made; the model is told why. No approval can overrule it."""
        return cls(kind="refuse", why=why)


class GuardOutcome(Contract):
    """For each call's id the strictest verdict of all guards."""

    verdicts: dict[str, Verdict]


CallStatus = Literal[
    "proposed",
    "refused",
    "waiting",
    "rejected",
    "expired",
    "running",
    "done",
    "failed",
    "unknown",
    "skipped",
    "cancelled",
]


class CallRecord(Record):
    """One call in the run's ledger: what was proposed, decided, done, and how it ended."""

    id: str
    tool_use_id: str
    tool: str
    arguments: JsonObject
    effect: Effect = "read"
    status: CallStatus = "proposed"
    why: str = ""
    """Why it was refused, asked about, rejected or failed."""
    idempotency_key: str = ""
    fingerprint: str = ""
    dry_run: bool = False
    approved_by: str | None = None
    preview: str = ""
    """The beginning of the result."""
    result_digest: str = ""
    """Tells what the planner was told of it from what it was told of other calls."""
    answered_by: str = ""
    """The earlier call that this one only repeats: it was not made."""
    failure: Failure | None = None
    started_at: str | None = None
    """ISO 8601, UTC, of workflow time."""
    finished_at: str | None = None


class EffectRecord(Contract):
    """What a writing call did: the run's answer to "what did you change?"."""

    call: str
    tool: str
    arguments: JsonObject
    idempotency_key: str
    outcome: Literal["done", "simulated", "unknown"]
    reversible: bool
    approved_by: str | None = None
    undone: bool = False
    """The run itself has taken it back."""
