"""From an agent's name to the spec that a run will live by."""

from collections.abc import Callable

from temporalio import activity

from activities.failing import application_error
from activities.registry import AgentRegistry
from holdfast.contracts import names
from holdfast.contracts.calls import Failure
from holdfast.contracts.spec import AgentSpec
from holdfast.errors import AgentNotServed


def resolve_agent(registry: AgentRegistry) -> Callable[[str], AgentSpec]:
    """The local activity that a run begins with."""

    @activity.defn(name=names.RESOLVE_AGENT)
    async def resolve(name: str) -> AgentSpec:
        try:
            return registry.agent(name).spec
        except AgentNotServed as error:
            failure = Failure(kind="fatal", message=str(error), error="AgentNotServed")
            raise application_error(failure, retry=False) from None

    return resolve  # type: ignore[return-value]  # temporalio takes the coroutine function
