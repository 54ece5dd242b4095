"""How an activity fails so that the workflow, the UI and other languages can read why."""

from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from holdfast.contracts.calls import Failure
from holdfast.contracts.names import NOT_STARTED


def application_error(
    failure: Failure, *, retry: bool, retry_after: float | None = None, started: bool = True
) -> ApplicationError:
    """The error to raise: its type is the failure's kind, its detail the failure.

    `retry_after` in seconds overrides the retry policy's next delay. `started=False` says that the activity
    failed before it began its work, so that nothing can have happened; it holds of a first attempt only, since
    an earlier one may have done its work and lost its answer. A second detail says which attempt it was.
    """
    attempt = activity.info().attempt
    started = started or attempt > 1
    return ApplicationError(
        failure.message,
        failure.model_dump(mode="json"),
        {"attempt": attempt},
        type=failure.kind if started else NOT_STARTED,
        non_retryable=not retry,
        next_retry_delay=timedelta(seconds=retry_after) if retry_after is not None else None,
    )
