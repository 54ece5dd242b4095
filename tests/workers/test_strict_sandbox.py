"""The strict sandbox guards each of the runs that share a process."""

import asyncio

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from tests.stage import unique
from tests.workers.clock_reader import ClockReader
from workers.strict_sandbox import StrictRunner


async def test_every_run_is_guarded(temporal: Client) -> None:
    """No run reads a clock: not the first of its worker, not the next, not one beside others, not on another worker."""
    for _ in range(2):
        queue = unique("guarded")
        async with Worker(
            temporal,
            task_queue=queue,
            workflows=[ClockReader],
            workflow_runner=StrictRunner(),
            workflow_failure_exception_types=[Exception],
        ):
            refused = await asyncio.gather(
                *(refusal_of_a_run(temporal, queue, 0.1 * (number % 3)) for number in range(12))
            )
        assert all("Cannot access time.time" in why for why in refused)


async def refusal_of_a_run(temporal: Client, queue: str, seconds: float) -> str:
    """What a run that reads the clock is told."""
    with pytest.raises(WorkflowFailureError) as caught:
        await temporal.execute_workflow(ClockReader.run, seconds, id=unique("clock"), task_queue=queue)
    assert isinstance(caught.value.cause, ApplicationError)
    return str(caught.value.cause)
