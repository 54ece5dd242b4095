"""What of a run is under way at this moment, and what is waiting for its next try: as the server tells it."""

from holdfast.contracts.base import Contract
from holdfast.contracts.calls import Failure


class PendingWork(Contract):
    """A plan, call or other work that was begun and has not ended. Times are ISO 8601, UTC."""

    work: str
    """`plan`, `vet`, or a tool's name; `bill:probe` finds out whether `bill` happened."""
    call: str | None = None
    """The call that it carries out, such as `3.1`; None where it is none, or it cannot be told which."""
    attempt: int = 1
    attempts_at_most: int | None = None
    """None: the server does not say."""
    running: bool = False
    """An attempt is under way; otherwise it waits for `next_try`, or for a free worker."""
    next_try: str | None = None
    """When the next attempt is due; None while one is under way."""
    started_at: str | None = None
    """When the attempt that is under way was begun."""
    last_failure: Failure | None = None
    """How the attempt before ended."""
