"""Circuit breakers: what is known of each dependency, and what workers tell and ask the board that keeps it."""

from datetime import datetime
from typing import Literal

from pydantic import PositiveFloat, PositiveInt

from holdfast.contracts.base import Contract

BreakerState = Literal["closed", "open", "half_open"]
"""Calls are made; none is made; one is made to find out whether they can be made again."""


class BreakerSettings(Contract):
    """When a breaker opens, and for how long. The defaults are the field's: 5 failures in a row, 60 s."""

    failures: PositiveInt = 5
    """This many failures in a row open it."""
    open_seconds: PositiveFloat = 60.0
    """So long no call is made; then one is tried."""
    trial_seconds: PositiveFloat = 60.0
    """A trial call that is not heard of for so long is taken for lost, and another may be made."""


class Breaker(Contract):
    """What is known of one dependency: a model (`model:claude-…`), or what a tool `depends_on`."""

    dependency: str
    state: BreakerState = "closed"
    failures: int = 0
    """Failures in a row, as far as they were counted: once it is open nothing is."""
    since: datetime | None = None
    """When it came into this state; None: it was never in another."""
    until: datetime | None = None
    """Open: when a trial may be made. Half-open: when the trial under way is taken for lost."""
    trial: int = 0
    """The number of the trial made last."""
    last_failure: str = ""
    """In words, shortened."""
    failed_at: datetime | None = None
    reset_by: str = ""
    """Who closed it by hand."""
    version: int = 0
    """Grows with each change, so that of two views the newer can be told."""


BreakerEvent = Literal["failed", "succeeded", "ask", "reset"]


class BreakerReport(Contract):
    """The one argument of the board's update: what became of a call, or whether a trial may be made."""

    dependency: str
    event: BreakerEvent
    trial: int | None = None
    """The number of the trial that the call was; None: an ordinary call."""
    why: str = ""
    """How it failed; of a reset who did it."""
    settings: BreakerSettings = BreakerSettings()


class BreakerAnswer(Contract):
    """The board's answer: the breaker as it is now, and the number of the trial that was granted."""

    breaker: Breaker
    trial: int | None = None


class BreakerBoardState(Contract):
    """The one input of the board: what an earlier execution of it knew."""

    breakers: tuple[Breaker, ...] = ()
