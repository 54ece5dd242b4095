"""Counting failures: each gets its category, is counted in the run's record, and in the worker's metric."""

from temporalio import workflow

from holdfast.contracts.calls import CallRecord, Failure
from holdfast.contracts.spec import ToolSpec
from policies import validation
from policies.failures import (
    CUT_OFF,
    INVALID_RESULT,
    REPEATED,
    UNKNOWN_STOP,
    FailureSource,
    categorised,
)
from workflows.run_state import RunState

METRIC = "holdfast_failures"
"""Failures that the engine's own retries did not cure, by agent, category, kind and source. Replay does not count again."""

MAX_KEPT = 20
"""Failures that are kept for the next step: a ladder's worth, also when people redrive it several times."""


def counted(state: RunState, failure: Failure, source: FailureSource) -> Failure:
    """The failure with its category; it counts."""
    failure = categorised(failure, source)
    if source != "tool":  # asking a planner again changes nothing
        failure = failure.model_copy(update={"earlier_attempt": False})
    if (category := failure.category) is None:
        return failure
    state.loop.failure_counts[category] = state.loop.failure_counts.get(category, 0) + 1
    counter = workflow.metric_meter().create_counter(METRIC, "failures by category", "1")
    counter.add(1, {"agent": state.spec.name, "category": category, "kind": failure.kind, "source": source})
    return failure


def planner_failed(state: RunState, failure: Failure) -> Failure:
    """The same of a planner; the next step tells what failed on the way to its plan."""
    failure = counted(state, failure, "planner")
    state.loop.failures = [*state.loop.failures, failure][-MAX_KEPT:]
    return failure


def since_last_step(state: RunState) -> list[Failure]:
    """What failed on the way to the plan that is there now."""
    failures, state.loop.failures = state.loop.failures, []
    return failures


def refused(state: RunState, record: CallRecord, tool: ToolSpec | None, problem: str) -> None:
    """Note a proposed call that cannot be carried out as it is."""
    record.status, record.why = "refused", problem
    error = validation.refusal(tool, record.tool, record.arguments)
    failure = Failure(kind="correctable", message=problem, error=error)
    record.failure = counted(state, failure, "proposal")


def answer_lost(state: RunState, why: str, *, cut_off: bool) -> None:
    """Note a planner's answer of which nothing could be carried out."""
    error = CUT_OFF if cut_off else UNKNOWN_STOP
    counted(state, Failure(kind="limit" if cut_off else "contract", message=why, error=error), "planner")


def result_refused(state: RunState, why: str) -> None:
    """Note a result that does not fit the agent's output type."""
    counted(state, Failure(kind="correctable", message=why, error=INVALID_RESULT), "proposal")


def went_in_circles(state: RunState) -> None:
    """Note that a planner repeats itself."""
    counted(state, Failure(kind="limit", message="it repeats itself", error=REPEATED), "planner")
