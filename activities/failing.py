"""How an activity fails so that the workflow, the UI and other languages can read why."""

from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from holdfast.contracts.calls import Failure
from holdfast.contracts.names import NOT_STARTED

NOT_BEGUN = "not_begun"
"""In a heartbeat's details: the attempt up to which none has begun its work. The next attempt reads it."""


def begun_before() -> bool:
    """Whether an earlier attempt of this activity may have begun its work; in doubt it may.

    Each attempt that surely has not begun says so with its last heartbeat, which the server hands to the next one.
    One that dies, or begins, says nothing of the kind.
    """
    info = activity.info()
    if info.attempt == 1:
        return False
    said = info.heartbeat_details[0] if info.heartbeat_details else None
    return not (isinstance(said, dict) and said.get(NOT_BEGUN) == info.attempt - 1)


def application_error(
    failure: Failure, *, retry: bool, retry_after: float | None = None, started: bool = True
) -> ApplicationError:
    """The error to raise: its type is the failure's kind, its detail the failure.

    `retry_after` in seconds overrides the retry policy's next delay. `started=False` says that this attempt
    failed before it began its work; where that holds of all attempts before it too, nothing can have happened.
    A second detail says which attempt it was.
    """
    attempt = activity.info().attempt
    before = begun_before()
    if before:
        failure = failure.model_copy(update={"earlier_attempt": True})
    elif not started:
        activity.heartbeat({NOT_BEGUN: attempt})
    started = started or before
    return ApplicationError(
        failure.message,
        failure.model_dump(mode="json"),
        {"attempt": attempt},
        type=failure.kind if started else NOT_STARTED,
        non_retryable=not retry,
        next_retry_delay=timedelta(seconds=retry_after) if retry_after is not None else None,
    )
