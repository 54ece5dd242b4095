"""From an agent's name to its spec, by a local activity: what a run lives by is recorded in its history."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError

from holdfast.contracts import names
from holdfast.contracts.spec import AgentSpec


async def resolve(agent: str) -> AgentSpec:
    """The spec of the agent of that name, as this run's workers define it now.

    Raises ApplicationError of type AgentNotServed, with the names that are served.
    """
    try:
        spec: AgentSpec = await workflow.execute_local_activity(
            names.RESOLVE_AGENT,
            agent,
            result_type=AgentSpec,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(maximum_attempts=3),
        )
    except (ActivityError, ApplicationError) as error:  # a local activity's own error comes unwrapped
        cause = error.cause if isinstance(error, ActivityError) else error
        why = cause.message if isinstance(cause, ApplicationError) else str(cause or error)
        raise ApplicationError(why, type="AgentNotServed", non_retryable=True) from error
    return spec
