"""Deciding otherwise: which decisions a fork can change, and what follows of that in it."""

from collections.abc import Mapping

from holdfast.contracts.calls import CallRecord, Failure
from holdfast.contracts.forks import ForkInput
from holdfast.contracts.plans import PlanOutcome
from holdfast.contracts.requests import Decision, DecisionInput, Request, RequestKind
from policies import feedback, forking, takeover
from policies.json_safety import safe, shorten
from workflows.call_execution import Answer, CallExecution
from workflows.human_desk import HumanDesk, misfit, unusable
from workflows.limit_watch import raise_in_fork
from workflows.run_state import PREVIEW_CHARS, RunState


def problem(state: RunState, at: int, given: Mapping[str, DecisionInput]) -> str:
    """Why a fork at that step cannot change these decisions, by the rules of real ones; empty when it can."""
    asked = _asked_at(state, at)
    for name, one in given.items():
        request = asked.get(name)
        if request is None:
            return f"step {at} had no request {name}; it had {', '.join(asked) or 'none'}"
        if one.choice is None:
            return f"say the choice for {name}: {' or '.join(request.choices)}"
        why = unusable(one) or misfit(state, one, one.choice, request) or forking.pointless(request, one)
        if why is not None:
            return f"{name}: {why}"
    return ""


def _asked_at(state: RunState, at: int) -> dict[str, Request]:
    """The requests of a step by id: those that the run's events tell of, and those that a fork has taken over."""
    told = [Request.model_validate(one.data) for one in state.events if one.kind == "request"]
    calls = {call.id: call for step in state.steps if step.number == at for call in step.calls}
    over = [_taken_over(state, at, one.request, calls) for one in state.decisions]
    return {one.id: one for one in (*over, *told) if one is not None and one.step == at}


def _taken_over(state: RunState, at: int, name: str, calls: Mapping[str, CallRecord]) -> Request | None:
    call, _, rest = name.partition("-")
    kind: RequestKind | None = next(
        (one for one in ("approval", "question", "unknown_effect") if rest.startswith(one)), None
    )
    if kind is None or call not in calls:
        return None
    record = calls[call]
    return Request(
        id=name, kind=kind, run=state.run, agent=state.spec.name, digest=state.digest, step=at, why=record.why,
        by="", call=call, tool=record.tool, arguments=record.arguments,
    )  # fmt: skip


def _kind(request: str) -> str:
    return request.split("-")[1]


def _counted(state: RunState, request: str, given: DecisionInput) -> Decision:
    """The decision, which counts as made."""
    decision = Decision(
        request=request,
        choice=given.choice or "reject",
        by=given.by,
        note=given.note,
        reason=given.reason,
        answer=given.answer,
        result=given.result,
        via="update",
        at=state.now(),
    )
    state.decisions = [one for one in state.decisions if one.request != request] + [decision]
    state.event("decision", f"{request}: {decision.choice} by {given.by}", decision.model_dump(mode="json"))
    return decision


async def about_call(
    state: RunState, desk: HumanDesk, call: CallRecord, request: str, given: DecisionInput
) -> Answer:
    """What the agent is told of a call, after another decision of its request."""
    decision = _counted(state, request, given)
    tool = state.spec.tool(call.tool)
    go = decision.choice == "approve" or (_kind(request) == "unknown_effect" and decision.answer == "run")
    if go and tool is not None:
        call.failure, call.approved_by, call.dry_run = None, given.by, tool.writes and state.dry_run
        answer = await CallExecution(state, desk).execute(call, tool)
    elif _kind(request) == "unknown_effect":
        answer = _known_otherwise(call, decision, tool.max_result_chars if tool else 16_000)
    elif decision.choice == "answer":
        call.status = "done"
        answer = Answer(f"{given.by} answers: {given.answer}")
    else:
        call.status, call.why = "rejected", given.reason or given.note
        answer = Answer(feedback.rejected(decision), is_error=True)
    call.preview = shorten(answer.text, PREVIEW_CHARS)
    return answer


def _known_otherwise(call: CallRecord, decision: Decision, max_chars: int) -> Answer:
    """The effect, if there is one, is that of the run that was forked."""
    call.why = f"{decision.answer}, says {decision.by}"
    if decision.answer == "happened":
        call.status, call.failure = "done", None
        return Answer(feedback.render(feedback.cut(safe(decision.result), max_chars)))
    call.status = "unknown"
    unknown = Failure(kind="unknown_outcome", message="its answer was lost")
    return Answer(feedback.nobody_knows(call.failure or unknown), is_error=True)


def about_run(state: RunState, fork: ForkInput) -> str:
    """Carry out other decisions that are about no call. Returns what the agent is to be told; empty for nothing."""
    told = ""
    for request, given in fork.decisions.items():
        if _kind(request) == "parked":  # it goes on, as any fork does
            _counted(state, request, given)
        elif _kind(request) == "limit":
            raised = any(one.request == request and one.answer == "raise" for one in state.decisions)
            _counted(state, request, given)
            told = raise_in_fork(state, given, instead=raised)
    return told


def given_plan(state: RunState, step: int) -> PlanOutcome | None:
    """The plan of a fork's first step, where a person's decision in a planner's place was changed; else None."""
    fork = state.given.fork
    if fork is None or step != fork.at + 1 or len(state.steps) != fork.at:
        return None
    for request, given in fork.decisions.items():
        if _kind(request) == "takeover" and given.answer != "pass":
            return takeover.outcome_of(state.spec, _counted(state, request, given), step)
    return None
