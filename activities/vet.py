"""Guards: ask them about the calls of a step, and keep the strictest verdict of each."""

from collections.abc import Callable
from typing import Any

from temporalio import activity

from activities.calling import call
from activities.failing import application_error
from activities.heartbeat import heartbeating
from activities.registry import AgentRegistry
from holdfast.context import ProposedCall
from holdfast.contracts import names
from holdfast.contracts.calls import Failure, GuardInput, GuardOutcome, Verdict, VettedCall
from holdfast.errors import ToolError, Transient

STRICTNESS = {"allow": 0, "ask": 1, "refuse": 2}


def vet(registry: AgentRegistry) -> Callable[[GuardInput], Any]:
    """The activity that asks the guards."""

    @activity.defn(name=names.VET)
    async def vet_calls(asked: GuardInput) -> GuardOutcome:
        async with heartbeating():
            return GuardOutcome(
                verdicts={one.call: await _strictest(registry, asked, one) for one in asked.calls}
            )

    return vet_calls


async def _strictest(registry: AgentRegistry, asked: GuardInput, one: VettedCall) -> Verdict:
    proposed = ProposedCall(
        run=asked.run,
        call=one.call,
        agent=asked.agent,
        tool=one.tool,
        effect=one.effect,
        arguments=one.arguments,
        dry_run=asked.dry_run,
        user=asked.user,
    )
    strictest = Verdict.allow()
    guards = registry.guards(asked.agent, one.tool, writes=one.effect != "read")
    if missing := [name for name in one.guards if name not in guards]:
        message = f"this worker has no guard {', '.join(missing)}, which the run began with"
        failure = Failure(kind="transient", message=message, error="GuardNotServed")
        raise application_error(failure, retry=True)
    for name, guard in guards.items():
        try:
            verdict = await call(guard, proposed)
        except Exception as error:
            retry = not isinstance(error, ToolError) or isinstance(error, Transient)
            failure = Failure(
                kind="transient" if retry else "fatal",
                message=f"guard {name}: {error}",
                error=type(error).__name__,
            )
            raise application_error(failure, retry=retry) from error
        if not isinstance(verdict, Verdict):
            message = f"guard {name} returned {verdict!r}; it must return a Verdict"
            raise application_error(Failure(kind="fatal", message=message, error="TypeError"), retry=False)
        if STRICTNESS[verdict.kind] > STRICTNESS[strictest.kind]:
            strictest = verdict.model_copy(update={"guard": name})
    return strictest
