"""Parked runs: what is kept of the failure that stopped a run, and what a redrive may ask for."""

from typing import Literal

from pydantic import ConfigDict, Field

from holdfast.contracts.base import Contract
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
