"""Parked runs: what is kept of the failure that stopped a run, what a redrive may ask for, and what it would do again."""

from typing import Literal

from pydantic import ConfigDict, Field

from holdfast.contracts.base import Contract, JsonObject
from holdfast.contracts.calls import Failure


class ParkedNote(Contract):
    """Why a run stopped, and what had been tried. Times are ISO 8601, UTC, of workflow time."""

    fingerprint: str
    """Equal for runs that were stopped by the same cause, whatever numbers and ids its message holds."""
    failure: Failure
    where: str
    """What failed: `planner claude-sonnet-5`, or a tool's name."""
    why: str
    since: str
    """When it first parked for this cause."""
    last_attempt_at: str
    attempts: int = 1
    """How often it was tried in all, redrives counted."""
    redrives: int = 0
    """How often a human has redriven it for this cause."""
    redriven_at: str | None = None
    """None while it is parked, or was discarded."""


class Redrive(Contract):
    """How a parked run goes on: the `result` of the answer `redrive`. Left out, from where it stopped."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    from_step: int | None = Field(default=None, ge=1, strict=True)
    """Plan again from this step on: what was said since is set aside, what was done since stands."""
    agent: Literal["latest"] | None = None
    """`latest`: live by the agent of that name as its workers define it now."""


class RepeatedWrite(Contract):
    """A write that stands, and which a run that goes back before it may ask for again."""

    call: str
    step: int
    tool: str
    arguments: JsonObject
    outcome: Literal["done", "unknown"]
    kept_by_key: bool
    """Its author gave it a key of its own: asked for with the same key, it is not made again."""


class Rehearsal(Contract):
    """What a redrive would do, without doing it."""

    run: str
    steps: int = 0
    """How many it has."""
    may_repeat: list[RepeatedWrite] = []
    """The writes that stand, and which its model may ask for again; of very many the first."""
    total_may_repeat: int = 0
    made_again: list[str] = []
    """The calls that it makes again itself, such as `1.2 pay A-1`: refused for their credentials, they had no effect."""
    problem: str | None = None
    """Why it cannot be redriven like this; None: it can."""
