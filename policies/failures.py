"""Whose failure is it, and what is it counted as? Tables for planners and for tools: each failure has one owner.

| kind            | what                                              | owner                                   |
|-----------------|---------------------------------------------------|-----------------------------------------|
| transient       | timeouts, 408, 409, 429, 5xx, 529, lost connection| the engine retries, bounded             |
| correctable     | bad arguments, not found, business rule           | the model is told                       |
| contract        | an answer that does not fit its own schema        | the model is told, and a human          |
| credentials     | 401, 403                                          | refreshed once; then as below           |
| unknown_outcome | a write whose answer was lost                     | the tool's probe, then a human          |
| limit           | 413, context too long                             | the next rung                           |
| fatal           | 400, 404, a bug that the author knows of          | the next rung or the model; a human     |
| unclassified    | everything else                                   | retried where safe, then as fatal       |

"A human" means an alert where the run can go on, else a parked run, of which there is an alert too.
Credentials that a refresh does not mend: of a planner the next rung plans, of a tool the run is parked until a human has
renewed them (`policies/credentials.py`).

docs/reference/errors.md shows these tables to users; a test compares them.
"""

from collections.abc import Mapping
from typing import Literal

from holdfast.contracts.base import Contract
from holdfast.contracts.calls import Failure, FailureCategory, FailureKind
from holdfast.errors import Correctable, Fatal, Transient, Unauthorised

FailureSource = Literal["planner", "tool", "proposal"]
"""Where it failed: a planner did not answer, a tool that was called failed, a planner proposed what cannot be done."""

RETRY_AFTER_CAP_SECONDS = 60.0
"""A provider may ask for any delay; a run does not wait longer than this for one attempt."""

TOO_LONG = ("prompt is too long", "too long", "context limit", "context window", "context length")
"""Words by which providers say that a prompt does not fit."""

PROVIDER_STATUS: dict[int, FailureKind] = {
    400: "fatal", 401: "credentials", 402: "credentials", 403: "credentials", 404: "fatal", 408: "transient", 409: "transient",
    413: "limit", 422: "fatal", 425: "transient", 429: "transient",
}  # fmt: skip
"""By HTTP status; 5xx (529 is overload) are transient, every other 4xx is fatal."""

PROVIDER_ERROR_TYPE: dict[str, FailureKind] = {
    "overloaded_error": "transient", "rate_limit_error": "transient", "api_error": "transient",
    "timeout_error": "transient", "authentication_error": "credentials", "permission_error": "credentials",
    "billing_error": "credentials", "request_too_large": "limit", "invalid_request_error": "fatal",
    "not_found_error": "fatal",
}  # fmt: skip
"""By the `error.type` of the body, where an error comes inside a stream whose status was 200."""

TOOL_ERRORS: tuple[tuple[type[Exception], FailureKind], ...] = (
    (Transient, "transient"), (Correctable, "correctable"), (Unauthorised, "credentials"), (Fatal, "fatal"),
    (TimeoutError, "transient"), (ConnectionError, "transient"),
)  # fmt: skip
"""What a tool, guard or rule planner raises, by class; every other exception is unclassified."""

CATEGORY: dict[FailureSource, dict[FailureKind, FailureCategory]] = {
    "planner": {
        "transient": "integration", "correctable": "tool_call", "contract": "integration",
        "credentials": "integration", "unknown_outcome": "integration", "limit": "context",
        "fatal": "integration", "unclassified": "integration",
    },
    "tool": {
        "transient": "integration", "correctable": "tool_call", "contract": "integration",
        "credentials": "integration", "unknown_outcome": "integration", "limit": "context",
        "fatal": "integration", "unclassified": "integration",
    },
    "proposal": {
        "transient": "tool_call", "correctable": "tool_call", "contract": "tool_call",
        "credentials": "tool_call", "unknown_outcome": "tool_call", "limit": "context",
        "fatal": "tool_call", "unclassified": "tool_call",
    },
}  # fmt: skip
"""What a failure is counted as, by where it failed and its kind …"""

UNKNOWN_TOOL = "UnknownTool"
UNKNOWN_ARGUMENT = "UnknownArgument"
INVALID_ARGUMENTS = "InvalidArguments"
INVALID_RESULT = "InvalidResult"
CUT_OFF = "CutOff"
UNKNOWN_STOP = "UnknownStop"
NOTHING_MOVED = "NothingMoved"
REPEATED = "Repeated"

CATEGORY_OF_ERROR: dict[str, FailureCategory] = {
    UNKNOWN_TOOL: "hallucination", UNKNOWN_ARGUMENT: "hallucination", INVALID_RESULT: "hallucination",
    "UnpricedModel": "integration", CUT_OFF: "context", "AnswerTooLarge": "context", "model_context_window_exceeded": "context",
    NOTHING_MOVED: "degradation", REPEATED: "degradation", "refusal": "degradation",
}  # fmt: skip
"""… and by these errors before that: things invented, a full context, a planner that answers and brings nothing."""

NOT_COUNTED: frozenset[str] = frozenset({"BudgetExhausted", "AskFirst", "PassedOn", "NobodyAnswered"})
"""Errors that only say where a limit is, or what a person decided: nothing has failed."""

RETRIED: frozenset[FailureKind] = frozenset({"transient", "unclassified"})
"""Kinds that another attempt may cure."""


class ProviderFailure(Contract):
    """What a failed model call means."""

    failure: Failure
    retry: bool
    retry_after: float | None = None
    """Seconds, capped."""


def provider_failure(
    *, status: int | None, error_type: str | None, message: str, headers: Mapping[str, str], error: str = ""
) -> ProviderFailure:
    """Classify a provider's error. The status comes first; inside a stream of status 200 the error's type.

    Headers such as `retry-after` count only with an error's status: answers with status 200 carry them too.
    """
    kind: FailureKind
    if status is not None and status >= 400:
        kind = PROVIDER_STATUS.get(status, "transient" if status >= 500 else "fatal")
    else:
        headers = {}
        kind = PROVIDER_ERROR_TYPE.get(error_type or "", "transient")
    if kind == "fatal" and any(words in message.lower() for words in TOO_LONG):
        kind = "limit"  # it comes as a 400
    retry = kind in RETRIED
    said = headers.get("x-should-retry")
    if said == "false" or (said == "true" and kind != "credentials"):
        retry = said == "true"
    named = Failure(kind=kind, message=message[:1000], error=error_type or error)
    return ProviderFailure(failure=named, retry=retry, retry_after=retry_after(headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asks to wait, capped; None when it does not say (dates are not read)."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        if seconds >= 0:
            return min(seconds, RETRY_AFTER_CAP_SECONDS)
    return None


def tool_failure_kind(error: Exception) -> FailureKind:
    """Whose an error is that a tool, guard or rule planner raised."""
    return next((kind for known, kind in TOOL_ERRORS if isinstance(error, known)), "unclassified")


def categorised(failure: Failure, source: FailureSource) -> Failure:
    """The failure with what it is counted as; with nothing, where it is none."""
    if failure.error in NOT_COUNTED:
        return failure
    category = CATEGORY_OF_ERROR.get(failure.error) or CATEGORY[source][failure.kind]
    return failure.model_copy(update={"category": category})


AMBIGUOUS: frozenset[FailureKind] = frozenset({"transient", "unclassified", "unknown_outcome"})
"""After these, a write may have happened."""


def with_the_doubt(failure: Failure) -> Failure:
    """The failure of a write that may have happened, in words that say why nobody knows."""
    if failure.kind in AMBIGUOUS:
        return failure
    message = f"an earlier attempt was lost, and may have had its effect; a later one said: {failure.message}"
    return failure.model_copy(update={"kind": "unknown_outcome", "message": message})


TOLD: frozenset[FailureKind] = frozenset({"contract", "credentials", "fatal", "unclassified"})
"""Kinds that a person hears of also where the run goes on: somebody must mend something, and no retry will."""


def is_told(failure: Failure) -> bool:
    """Whether a person must hear of a failure that the model, or a planner further down, has dealt with."""
    return failure.kind in TOLD and failure.error not in NOT_COUNTED


HAPPENED: frozenset[FailureKind] = frozenset({"contract"})
"""After these it has: the tool was called, and answered."""


def may_have_happened(failure: Failure, *, writes: bool, started: bool) -> bool:
    """Whether a failed call may have had its effect all the same, and nobody knows.

    What the last attempt says (`correctable`: "it had no effect") says nothing of an earlier one whose answer was lost.
    """
    if failure.kind in HAPPENED:
        return False
    return writes and started and (failure.kind in AMBIGUOUS or failure.earlier_attempt)
