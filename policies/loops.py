"""Does a run go in circles? Detectors over its record, each with what the planner is told.

| what is seen                                         | what follows                                             |
|------------------------------------------------------|----------------------------------------------------------|
| the same call with the same result, three times      | the next one is not made: a read is answered from memory, a write refused |
| two calls in turns, three times, always with the same results | told so                                         |
| the same error of a tool, three times in a row       | told so                                                  |
| a step that says and finds what the one before did   | told so once; after four such steps the last turn        |
| every five calls                                     | asked about progress                                     |

A write that was done, or a person's answer, may have changed the world: what was seen before it does not count.
Tools that are meant to be asked again (`polls`) are left out. The limits hold beside all this.
"""

import re
from collections.abc import Collection, Sequence

from holdfast.contracts.calls import CallRecord
from holdfast.contracts.names import ASK_HUMAN
from holdfast.contracts.run import StepRecord
from policies.handoff import SILENCE

SAME_RESULTS = 3
"""A call that gave one result this often gives it again, as far as anybody can tell."""

SAME_ERRORS = 3

TURNS = 3
"""Two calls that alternate this often, with the same results, lead nowhere."""

PROGRESS_EVERY = 5
"""After this many calls the planner is asked whether it makes progress."""

CIRCLES_AT_MOST = 4
"""This many steps in a row that bring nothing new are followed by the last turn. The first is followed by a nudge."""

_DIGITS = re.compile(r"\d+")


def answered_before(ledger: Sequence[CallRecord], record: CallRecord, *, since: int = 0) -> CallRecord | None:
    """The last of three earlier calls that were this one and gave one and the same result; None: make the call.

    `since` is the place in the ledger from which on calls count.
    """
    same: list[CallRecord] = []
    for other in reversed(ledger[since:]):
        if other is record:
            continue
        if _may_have_changed_something(other, record):
            break
        if other.fingerprint == record.fingerprint and _has_settled(other):
            same.append(other)
            if len(same) == SAME_RESULTS:
                break
    alike = len(same) == SAME_RESULTS and len({one.result_digest for one in same}) == 1
    return same[0] if alike else None


def _may_have_changed_something(other: CallRecord, record: CallRecord) -> bool:
    """Whether after `other` the call of `record` may have another result than before it."""
    if other.tool == ASK_HUMAN:
        return other.status == "done"
    if other.effect == "read" or other.dry_run or other.fingerprint == record.fingerprint:
        return False
    broken = other.status == "failed" and other.failure is not None and other.failure.kind == "contract"
    return broken or other.status in ("running", "done", "unknown")


def _has_settled(call: CallRecord) -> bool:
    """Whether the call was made, and its result says something of the next one's."""
    passing = call.failure is not None and call.failure.kind == "transient"
    return call.status in ("done", "failed") and bool(call.result_digest) and not passing


def in_turns(ledger: Sequence[CallRecord], polled: Collection[str] = frozenset()) -> int:
    """How many calls, at the end of the ledger, are two that come in turns with the same results."""
    keys = [
        (call.fingerprint, call.result_digest) if call.fingerprint and call.result_digest else None
        for call in ledger
        if call.tool not in polled
    ]
    if len(keys) < 2 or keys[-1] is None or keys[-2] is None or keys[-1][0] == keys[-2][0]:
        return 0
    length = 2
    while length < len(keys) and keys[-length - 1] == keys[-length + 1]:
        length += 1
    return length


def errors_in_a_row(ledger: Sequence[CallRecord], tool: str) -> int:
    """How often the tool's last calls have failed in the same way, whatever they were called with."""
    found = [_error(call) for call in ledger if call.tool == tool]
    count = 0
    for error in reversed(found):
        if not error or error != found[-1]:
            break
        count += 1
    return count


def _error(call: CallRecord) -> str:
    """What went wrong, but for numbers; empty when nothing did."""
    if call.status == "refused":
        return _DIGITS.sub("#", call.why)
    if call.status != "failed" or call.failure is None:
        return ""
    return _DIGITS.sub("#", f"{call.failure.kind} {call.failure.error} {call.failure.message}")


def brings_nothing_new(
    step: StepRecord, before: StepRecord | None, polled: Collection[str] = frozenset()
) -> bool:
    """Whether the step only repeats: it was answered from memory, or says and finds what the one before it did."""
    if step.calls:
        if all(call.answered_by for call in step.calls):
            return True
        if before is None or not _words(step) or any(call.tool in polled for call in step.calls):
            return False
        return _words(step) == _words(before) and _found(step) == _found(before)
    if before is None or before.calls:
        return False
    answers = all(one.stop_reason in ("end_turn", "stop_sequence") for one in (step, before))
    return answers and _words(step) == _words(before)


def _words(step: StepRecord) -> str:
    """What was said, but for spaces and case; empty for silence."""
    words = " ".join(step.text.split()).casefold()
    return "" if words == SILENCE else words


def _found(step: StepRecord) -> list[tuple[str, str, str]] | None:
    """Each call and its result; None, which equals nothing known, when one has none."""
    found = [(call.tool, call.fingerprint, call.result_digest) for call in step.calls]
    return found if all(fingerprint and result for _, fingerprint, result in found) else None


def notes(
    ledger: Sequence[CallRecord],
    step: StepRecord,
    *,
    circles: int,
    calls: int,
    polled: Collection[str] = frozenset(),
) -> list[str]:
    """What the planner is told after a step, beside the results. `calls` is the limit of calls.

    `circles` counts the steps in a row that brought nothing new, this one among them.
    """
    told = [FROM_MEMORY.format(tool=call.tool, times=SAME_RESULTS) for call in _first_of_each_tool(step)]
    mine = sum(call.tool not in polled for call in step.calls)
    if _passed(in_turns(ledger, polled), mine, 2 * TURNS):
        first, second = [call.tool for call in ledger if call.tool not in polled][-2:]
        told.append(IN_TURNS.format(first=first, second=second, times=TURNS))
    for tool in dict.fromkeys(call.tool for call in step.calls):
        times = errors_in_a_row(ledger, tool)
        if _passed(times, sum(call.tool == tool for call in step.calls), SAME_ERRORS):
            told.append(SAME_ERROR.format(tool=tool, times=times))
    if circles == 1:
        told.append(NUDGE)
    if _passed(len(ledger), len(step.calls), PROGRESS_EVERY):
        told.append(PROGRESS.format(made=len(ledger), limit=calls))
    return told


def _passed(count: int, fresh: int, every: int) -> bool:
    """Whether the last `fresh` of `count` things passed a multiple of `every`."""
    return count // every > max(0, count - fresh) // every


def _first_of_each_tool(step: StepRecord) -> list[CallRecord]:
    found = {call.tool: call for call in step.calls if call.answered_by and call.status == "skipped"}
    return list(found.values())


FROM_MEMORY = (
    "`{tool}` was not called again: the same call gave the same result {times} times, and nothing has been done since "
    "that could change it. The result above is the earlier one. Do something else, or call `finish`."
)
REPEATED_WRITE = (
    "the same call gave the same result {times} times, and nothing has been done since that could change it. "
    "Do something else, or call `finish`."
)
IN_TURNS = (
    "You call `{first}` and `{second}` in turns, {times} times now, always with the same results. "
    "Stop, try another way, or call `finish`."
)
SAME_ERROR = (
    "`{tool}` has failed in the same way {times} times in a row. Stop, try another way, or call `finish`."
)
NUDGE = (
    "You repeat yourself, and it brings nothing new. What do you know so far, and what blocks you? "
    "Try another way, or call `finish` with what you have."
)
PROGRESS = (
    "{made} calls made, of {limit} at most. Have you made progress? If not, try another way, or call `finish` "
    "with what you have."
)
"""What the planner is told."""

IN_CIRCLES = f"{CIRCLES_AT_MOST} steps in a row that went in circles and brought nothing new"
"""Why the run gets its last turn, in the words of a limit."""
