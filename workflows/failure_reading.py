"""What a failed activity means, in the words of the contracts."""

import asyncio
from dataclasses import dataclass

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


@dataclass(frozen=True)
class ReadFailure:
    """A failure, and whether the activity may have begun its work."""

    failure: Failure
    started: bool = True


def read_failure(error: ActivityError) -> ReadFailure:
    """Read the cause of a failed activity; also of one whose worker has never heard of Holdfast.

    Raises asyncio.CancelledError when the run was cancelled while the activity ran: that is nobody's failure.
    """
    if is_cancelled_exception(error):
        raise asyncio.CancelledError from error
    cause = error.cause
    if isinstance(cause, TimeoutError):
        return _timeout(cause)
    if isinstance(cause, ApplicationError):
        for detail in cause.details[:1]:
            try:
                return ReadFailure(Failure.model_validate(detail), started=cause.type != NOT_STARTED)
            except ValidationError:
                break
        return ReadFailure(
            Failure(kind="unclassified", message=cause.message, error=cause.type or "ApplicationError")
        )
    message = str(cause) if cause is not None else str(error)
    return ReadFailure(Failure(kind="unclassified", message=message, error=type(cause).__name__))


def _timeout(cause: TimeoutError) -> ReadFailure:
    match cause.type:
        case TimeoutType.SCHEDULE_TO_START:
            message = "no worker took the call in time: is one running on the tool's task queue?"
            # The cause is the failure of an earlier attempt, which may have had its effect.
            return ReadFailure(
                Failure(kind="transient", message=message, error="NoWorker"), started=cause.cause is not None
            )
        case TimeoutType.HEARTBEAT:
            message = "the worker that carried it out fell silent"
            return ReadFailure(Failure(kind="transient", message=message, error="WorkerLost"))
        case _:
            message = "it took longer than its timeout allows"
            return ReadFailure(Failure(kind="transient", message=message, error="Timeout"))
