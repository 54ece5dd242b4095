"""A workflow that does what none may: it reads the computer's clock, at once or after others have ended."""

import time

from temporalio import workflow


@workflow.defn
class ClockReader:
    """Waits, then reads the clock."""

    @workflow.run
    async def run(self, seconds: float) -> float:
        """The time, if nothing forbids it."""
        if seconds:
            await workflow.sleep(seconds)
        return time.time()
