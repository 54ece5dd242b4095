"""Accounts: what runs share a budget through. What a run asks of an account, and what an account remembers.

Money is in USD. Times are ISO 8601 in UTC; a day is a day in UTC.
"""

from decimal import Decimal

from pydantic import ConfigDict, Field

from holdfast.contracts.base import Contract, Record

OVER_LIMIT = "OverLimit"
"""The error of a failure: the run's own limit of money cannot pay for the plan."""

ZERO = Decimal(0)


class Reserve(Contract):
    """Asks an account for the most that one model call may cost, before the call is made."""

    id: str
    """The attempt; asking again under it is the same reservation."""
    run: str
    usd: Decimal
    daily_usd: Decimal
    """The limit that the run's agent names; one that an operator has set goes before it."""
    lease_seconds: float
    """After this long without a word, the money counts as spent."""


class Grant(Contract):
    """An account's answer, and how it stands."""

    granted: bool
    limit_usd: Decimal
    spent_usd: Decimal
    reserved_usd: Decimal
    for_a_moment: bool = False
    """Refused only because others have reserved: what they do not spend comes back soon."""


class Settle(Contract):
    """What a reserved call cost in the end; zero gives the reservation back."""

    id: str
    usd: Decimal
    presumed: bool = False
    """Nobody knows what it cost: this is the most that it may have been."""


class SetLimit(Contract):
    """Changes an account's limit, as the update and the signal `set_limit` take it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str = Field(min_length=1)
    daily_usd: Decimal | None = Field(default=None, ge=0)
    """The limit from now on, whatever agents name."""
    today_usd: Decimal | None = Field(default=None, ge=0)
    """More for today alone."""


class WaitForRoom(Contract):
    """A run asks an account to be called when it has room."""

    run: str
    usd: Decimal
    daily_usd: Decimal
    for_a_moment: bool = False
    """Call also when the wait turns out to be longer."""


class Shortage(Contract):
    """Why a plan could not be paid for: the second detail of a plan's failure."""

    account: str
    usd: Decimal
    """What the plan may cost."""
    daily_usd: Decimal
    grant: Grant


class Expensive(Contract):
    """A plan that was not asked for, since it may cost more than a human has allowed: the failure's second detail."""

    may_cost_usd: Decimal
    allowed_usd: Decimal


class Reservation(Record):
    """Money that is set aside for one call; it counts on the day on which it was set aside."""

    run: str
    usd: Decimal
    day: str
    until: str


class Promise(Record):
    """Money that is kept for a run that was called, until it comes for it."""

    usd: Decimal
    until: str


class Waiting(Record):
    """A run that waits for room."""

    run: str
    usd: Decimal
    daily_usd: Decimal
    for_a_moment: bool = False


class Day(Record):
    """What a day has cost."""

    day: str
    spent_usd: Decimal = ZERO
    presumed_usd: Decimal = ZERO
    """The part of `spent_usd` that nobody knows and that is counted at its most."""


class Ledger(Record):
    """Everything that an account remembers. Only its own workflow changes it."""

    account: str
    day: str = ""
    agents_usd: Decimal = ZERO
    """The limit that an agent named last."""
    set_usd: Decimal | None = None
    """The limit that an operator has set."""
    set_by: str = ""
    today_usd: Decimal = ZERO
    """What was added for today alone."""
    reservations: dict[str, Reservation] = {}
    promises: dict[str, Promise] = {}
    waiting: list[Waiting] = []
    days: list[Day] = []
    """Today last."""
    closed: list[str] = []
    """Reservations that were settled lately: one that comes late under such an id is refused."""


class AccountView(Contract):
    """An account as people see it."""

    account: str
    day: str
    limit_usd: Decimal
    set_by: str
    spent_usd: Decimal
    presumed_usd: Decimal
    reserved_usd: Decimal
    waiting: list[str]
