"""The human rung: a person is asked for the next plan, in the place of a model."""

from temporalio import workflow

from holdfast.contracts.calls import Failure
from holdfast.contracts.plans import PlanOutcome
from holdfast.contracts.spec import HumanRung
from policies import takeover
from policies.reminding import Patience
from workflows.human_desk import HumanDesk
from workflows.run_state import RunState


class PassedOn(Exception):  # not an error: the better planners are asked again
    """The person leaves it to others."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class NobodyAnswered(Exception):  # the rung has failed, as a model does that never answers
    """The deadline passed."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


async def take_over(
    state: RunState, desk: HumanDesk, rung: HumanRung, step: int, *, last_turn: bool
) -> PlanOutcome:
    """The plan that a person gives. Raises PassedOn or NobodyAnswered."""
    failed = state.loop.last_failure
    ways = "`finish` ends the run (with a `result` that fits its output, or as partial without one)"
    if not last_turn:
        ways = f"`plan` makes the calls in the `result`, such as {takeover.EXAMPLE}; " + ways
    why = (
        f"a person is to plan step {step} of {state.spec.name}"
        + (f", since {failed}" if failed else "")
        + (f". It has reached {state.loop.last_turn}: no more calls are made" if last_turn else "")
        + f". {ways}; `pass` asks the better planners again."
    )
    state.loop.waits_for = "a human"
    asked_at = workflow.now()
    state.move("waiting")
    try:
        decision = await desk.ask(
            "takeover",
            why,
            rung.by,
            arguments={
                "last_turn": last_turn,
                "told": takeover.told_last(list(state.transcript.messages)),
                **({} if last_turn else {"tools": takeover.tools_shown(state.spec)}),
            },
            patience=Patience(expires_in_seconds=rung.expires_in_seconds),
        )
    finally:
        state.loop.waits_for = ""
    state.move("planning")
    if decision.choice == "expire":
        message = f"nobody answered within {rung.expires_in_seconds:g} s"
        raise NobodyAnswered(Failure(kind="unclassified", message=message, error="NobodyAnswered"))
    if decision.answer == "pass":
        message = f"{decision.by} passed" + (f": {decision.note}" if decision.note else "")
        raise PassedOn(Failure(kind="unclassified", message=message, error="PassedOn"))
    seconds = (workflow.now() - asked_at).total_seconds()
    return takeover.outcome_of(state.spec, decision, step).model_copy(update={"seconds": seconds})
