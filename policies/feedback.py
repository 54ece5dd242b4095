"""What goes back to the model: one tool_result for each call, in words that help it to go on."""

import json

from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.calls import Failure
from holdfast.contracts.requests import Decision
from policies.json_safety import shorten

EMPTY = "(empty result)"


def render(result: Json) -> str:
    """A tool's result as the text that the model reads: strings as they are, else compact JSON.

    Worker and workflow both render, and must agree: a change here makes every cached transcript be fetched
    again, no more.
    """
    if isinstance(result, str):
        return result or EMPTY
    return json.dumps(result, ensure_ascii=False, separators=(",", ":"))


def cut(result: Json, limit: int) -> Json:
    """The result, or, when its text is longer than `limit` characters, its head and tail as text."""
    text = render(result)
    return result if len(text) <= limit else shorten(text, limit)


def tool_result(tool_use_id: str, text: str, *, is_error: bool = False) -> JsonObject:
    """A tool_result block."""
    block: JsonObject = {"type": "tool_result", "tool_use_id": tool_use_id, "content": text}
    return {**block, "is_error": True} if is_error else block


def refused(problem: str) -> str:
    """The call is not carried out: it is not valid, a guard forbids it, or its answer was cut off."""
    return f"Not done: {problem}"


def rejected(decision: Decision) -> str:
    """A human said no, or nobody answered in time."""
    if decision.choice == "expire":
        return "Not done: nobody approved this in time, which counts as a no. Do not propose it again."
    reason = decision.reason or decision.note or "no reason was given"
    return f"Not done: {decision.by} rejected this. Reason: {reason}"


def edited(decision: Decision, text: str) -> str:
    """The result of a call that ran with other arguments than the model proposed."""
    arguments = json.dumps(decision.arguments, ensure_ascii=False)
    return f"{decision.by} changed the arguments to {arguments} before approving. Result: {text}"


ADVICE = {
    "transient": "It was tried as often as is allowed; trying again at once is unlikely to help.",
    "correctable": "It had no effect. Correct the call, or try something else.",
    "contract": "The tool was called, and its answer does not have the promised form: do not rely on it.",
    "credentials": "The credentials do not work, and a human must renew them: do not try again.",
    "unknown_outcome": "It may or may not have had its effect: do not repeat it.",
    "limit": "A limit was reached.",
    "fatal": "It had no effect and cannot work: do not try again.",
    "unclassified": "Trying the same again is unlikely to help.",
}
"""For each kind of failure, whether another try can help."""


def failed(failure: Failure) -> str:
    """The call failed."""
    named = f"{failure.kind}, {failure.error}" if failure.error else failure.kind
    return f"Failed ({named}): {shorten(failure.message, 2000)} {ADVICE[failure.kind]}"


def not_begun(failure: Failure) -> str:
    """No attempt of the call began."""
    return f"Not done: {shorten(failure.message, 2000).rstrip('.')}. Nothing happened; trying again at once is unlikely to help."


def nobody_knows(failure: Failure) -> str:
    """A human chose to leave an unknown outcome as it is."""
    return f"Nobody knows whether this happened ({failure.message}). Do not repeat it."


def made_before(call: str, status: str, text: str) -> str:
    """The same write was made before in this run."""
    done = "was already done" if status == "done" else "may already have been done"
    return f"This {done} by call {call}, and was not done again. Its result was: {text}"
