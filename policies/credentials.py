"""Calls whose credentials were refused: nothing happened, and only a person can help.

| what failed                             | what follows                                                               |
|-----------------------------------------|----------------------------------------------------------------------------|
| a tool, its `refresh` helped            | nothing: its worker made the call once more, and it counts as one attempt  |
| a tool, otherwise                       | the run is parked once the other calls of the step have ended              |
| … and a person says `redrive`           | just those calls are made again, then the model is told all results        |
| … on another version of the agent       | the same, after they were validated, vetted and approved anew              |
| a built-in call, a guard, a rule planner | see `policies/failures.py`                                                 |
"""

from collections.abc import Iterable, Sequence

from holdfast.contracts.calls import CallRecord
from holdfast.contracts.run import StepRecord
from policies.json_safety import shorten
from policies.labels import call_summary

MAX_TOLD_CHARS = 600
"""Of each tool's message; a run says in its fingerprint what the cause is."""


def refused(calls: Iterable[CallRecord]) -> list[CallRecord]:
    """The calls that had no effect because their credentials were refused, in the order in which they came."""
    return [
        call
        for call in calls
        if call.status == "failed" and call.failure is not None and call.failure.kind == "credentials"
    ]


def made_again(steps: Sequence[StepRecord], from_step: int | None) -> list[str]:
    """What redriving a parked run makes again by itself; from an earlier step it plans instead."""
    if from_step is not None or not steps or steps[-1].finished_at is not None:
        return []
    return [f"{call.id} {call_summary(call.tool, call.arguments)}" for call in refused(steps[-1].calls)]


def in_words(calls: Sequence[CallRecord]) -> str:
    """Why a run waits for its credentials, and what moves it on."""
    told: dict[tuple[str, str], list[str]] = {}
    for call in calls:
        message = call.failure.message if call.failure else ""
        told.setdefault((call.tool, message), []).append(call.id)
    causes = "; ".join(
        f"{tool} ({', '.join(ids)}): {shorten(message, MAX_TOLD_CHARS).rstrip('.')}"
        for (tool, message), ids in told.items()
    )
    again = "this call is" if len(calls) == 1 else "these calls are"
    return (
        f"credentials were refused. {causes}. Renew them, then redrive: {again} made again, and nothing else"
    )
