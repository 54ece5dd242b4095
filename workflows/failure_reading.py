"""What a failed activity means, in the words of the contracts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ValidationError
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    TimeoutError,  # noqa: A004
    TimeoutType,
    is_cancelled_exception,
)

from holdfast.contracts.calls import Failure
from holdfast.contracts.names import NOT_STARTED
from holdfast.contracts.plans import Usage
from policies.json_safety import brief

MAX_MESSAGE_CHARS = 4_000
MAX_ERROR_CHARS = 200
"""A failure is kept, shown and told: another process may have put megabytes into it."""


@dataclass(frozen=True)
class ReadFailure:
    """A failure, and whether the activity may have begun its work."""

    failure: Failure
    started: bool = True
    attempts: int = 1
    """How many attempts were made, as far as that is known."""


def read_failure(error: ActivityError) -> ReadFailure:
    """Read the cause of a failed activity; also of one whose worker has never heard of Holdfast.

    Raises asyncio.CancelledError when the run was cancelled while the activity ran: that is nobody's failure.
    """
    if is_cancelled_exception(error):
        raise asyncio.CancelledError from error
    read = _read(error)
    message, name = brief(read.failure.message, MAX_MESSAGE_CHARS), brief(read.failure.error, MAX_ERROR_CHARS)
    return replace(read, failure=read.failure.model_copy(update={"message": message, "error": name}))


def _read(error: ActivityError) -> ReadFailure:
    cause = error.cause
    if isinstance(cause, TimeoutError):
        return _timeout(cause)
    if isinstance(cause, ApplicationError):
        for detail in cause.details[:1]:
            try:
                failure = Failure.model_validate(detail)
                return ReadFailure(failure, cause.type != NOT_STARTED, _attempts(cause.details[1:]))
            except ValidationError:
                break
        return ReadFailure(
            Failure(kind="unclassified", message=cause.message, error=cause.type or "ApplicationError")
        )
    message = str(cause) if cause is not None else str(error)
    return ReadFailure(Failure(kind="unclassified", message=message, error=type(cause).__name__))


def read_lost(error: ActivityError) -> Usage:
    """What the attempts of a failed plan have used."""
    lost = _named(error, "lost")
    try:
        return Usage.model_validate(lost or {})
    except ValidationError:
        return Usage()


def read_needs(error: ActivityError) -> Decimal:
    """What a plan may cost that the run's own limit of money does not allow."""
    try:
        return Decimal(str(_named(error, "needs_usd") or 0))
    except InvalidOperation:
        return Decimal(0)


def _named(error: ActivityError, name: str) -> Any:
    details = error.cause.details if isinstance(error.cause, ApplicationError) else ()
    return next((one[name] for one in details if isinstance(one, dict) and name in one), None)


def _attempts(details: Sequence[Any]) -> int:
    """The attempt that a worker of Holdfast names beside the failure; one where none does."""
    named = details[0].get("attempt") if details and isinstance(details[0], dict) else None
    return named if isinstance(named, int) else 1


def _timeout(cause: TimeoutError) -> ReadFailure:
    match cause.type:
        case TimeoutType.SCHEDULE_TO_START:
            message = "no worker took the call in time: is one running on the tool's task queue?"
            # The cause is the failure of an earlier attempt, which may have had its effect.
            earlier = cause.cause
            begun = earlier is not None and not (
                isinstance(earlier, ApplicationError) and earlier.type == NOT_STARTED
            )
            return ReadFailure(Failure(kind="transient", message=message, error="NoWorker"), started=begun)
        case TimeoutType.HEARTBEAT:
            message = "the worker that carried it out fell silent"
            return ReadFailure(Failure(kind="transient", message=message, error="WorkerLost"))
        case _:
            message = "it took longer than its timeout allows"
            return ReadFailure(Failure(kind="transient", message=message, error="Timeout"))
