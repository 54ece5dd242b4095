"""Effects: keys and fingerprints of calls, and whether a call was made before."""

from collections.abc import Iterable
from string import Formatter

from holdfast.contracts.base import Json, JsonObject
from holdfast.contracts.calls import CallRecord
from holdfast.contracts.digests import canonical, digest
from holdfast.contracts.spec import ToolSpec


def idempotency_key(tool: ToolSpec, run: str, call: str, arguments: JsonObject) -> str:
    """The key of a call: the author's template filled in, or the run and the call.

    It holds no attempt, no execution id and no id that the model chose, so it survives crashes and resets,
    and two calls never share one by accident.
    """
    if tool.key is None:
        return f"{run}/{call}"
    parts = []
    for text, name, _, _ in Formatter().parse(tool.key):
        parts.append(text)
        if name is not None:
            value = arguments.get(name)
            parts.append(value if isinstance(value, str) else canonical(value).decode("ascii"))
    return "".join(parts)


def fingerprint(tool: str, arguments: JsonObject) -> str:
    """What a call is about: equal for equal tool and arguments."""
    return digest([tool, arguments])


def same_key(ledger: Iterable[CallRecord], record: CallRecord) -> CallRecord | None:
    """Another call that had, may have had, or is about to have its effect under the same key.

    Of two calls that have not begun, the first in the ledger counts, so that they never wait for each other.
    """
    earlier = True
    for other in ledger:
        if other is record:
            earlier = False
        elif other.idempotency_key == record.idempotency_key and (
            other.status in ("done", "running", "unknown")
            or (earlier and other.status in ("proposed", "waiting"))
        ):
            return other
    return None


def would_do(tool: str, arguments: JsonObject) -> Json:
    """The result of a simulated call of a tool that cannot simulate itself."""
    return {"dry_run": True, "would_call": tool, "arguments": arguments, "note": "nothing was changed"}
