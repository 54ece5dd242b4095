"""Asking a run's own workflow, from within its activities. Queries leave nothing in history."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.client import WorkflowQueryFailedError
from temporalio.service import RPCError

from activities.failing import application_error
from holdfast.contracts.calls import Failure

TRIES = 4
TIMEOUT = timedelta(seconds=10)


async def ask_run(run: str, query: str, *args: Any, result_type: type[Any]) -> Any:
    """The answer of a run, which is mostly the one that this activity belongs to.

    A worker that has just died may hold the run in its cache; the server finds another after a moment, so a
    few tries are made before the activity fails as transient.
    """
    info = activity.info()
    own = info.workflow_run_id if run == info.workflow_id else None
    handle = activity.client().get_workflow_handle(run, run_id=own)
    problem: Exception | None = None
    for attempt in range(TRIES):
        try:
            return await handle.query(query, args=args, result_type=result_type, rpc_timeout=TIMEOUT)
        except (RPCError, WorkflowQueryFailedError) as error:
            problem = error
            await asyncio.sleep(0.2 * 2**attempt)
    message = f"the run did not answer the query {query}: {problem}"
    raise application_error(Failure(kind="transient", message=message, error="QueryFailed"), retry=True)
