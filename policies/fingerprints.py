"""Which failures are the same? Those that differ only in numbers and ids share a fingerprint.

A vendor that is down stops a hundred runs, each with its own request id, order number and delay in the message. A
fingerprint groups them, so that one person looks at one cause, and hears of it once.
"""

import re

from holdfast.contracts.calls import Failure
from holdfast.contracts.digests import digest
from policies.breaker import BREAKER_OPEN, LAST_FAILURE

FINGERPRINT_CHARS = 12

MAX_NORMAL_CHARS = 300
"""What tells causes apart stands in front; what follows is mostly the data that a call was about."""

_URL_QUERY = re.compile(r"(https?://[^\s?#'\"]+)[?#][^\s'\"]*")
_WITH_DIGIT = re.compile(r"[\w.+-]*\d[\w.+-]*")
"""Numbers, times, hex, UUIDs, request ids, `i-0abc`, `A-17`: whatever holds a digit."""
_QUOTED_ID = re.compile(r"(['\"`])[^'\"`\s]*#[^'\"`]*\1")
_REPEATED = re.compile(r"#(?:[\s,;:./()\[\]-]*#)+")


def normalised(message: str) -> str:
    """The message without what differs from run to run: ids, numbers, times, lengths of lists, case."""
    text = _URL_QUERY.sub(r"\1", message[: 10 * MAX_NORMAL_CHARS])
    text = _WITH_DIGIT.sub("#", text)
    text = _QUOTED_ID.sub("#", text)
    text = _REPEATED.sub("#", text)
    return " ".join(text.casefold().split())[:MAX_NORMAL_CHARS]


def fingerprint(where: str, failure: Failure) -> str:
    """Twelve hex digits that stand for a cause: what failed, how, and with which words.

    Args:
        where: `planner claude-sonnet-5`, or a tool's name.
        failure: Its kind, its error's type and its message count; numbers and ids in the message do not.
    """
    error, message = _behind(failure)
    return digest([where, failure.kind, error, normalised(message)])[:FINGERPRINT_CHARS]


def _behind(failure: Failure) -> tuple[str, str]:
    """The error's type and message; of a call that a breaker held, those of the failure that opened it.

    So who was stopped by the outage, and who by its breaker a moment later, are stopped by one cause.
    """
    _, held, last = failure.message.partition(LAST_FAILURE)
    error, named, message = last.partition(": ")
    if failure.error != BREAKER_OPEN or not held or not named:
        return failure.error, failure.message
    return error, message
