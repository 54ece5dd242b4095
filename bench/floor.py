"""The floor: the least that a durable agent can be, written by hand. Two activities a step, new text only.

No validation, no approvals, no record, no transcript that another worker could plan from: what a step costs
when nothing but Temporal is paid for.
"""

from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

RETRY = RetryPolicy(maximum_attempts=5)


@activity.defn(name="floor_plan")
async def floor_plan(asked: dict[str, Any]) -> dict[str, Any]:
    """The same zero-latency planner as the engine's: call `read_page` until there were `steps` of them."""
    if asked["step"] > asked["steps"]:
        return {"finish": f"read {asked['steps']} pages"}
    return {"tool": "read_page", "arguments": {"page": asked["step"], "characters": asked["characters"]}}


@activity.defn(name="floor_read_page")
async def floor_read_page(arguments: dict[str, Any]) -> str:
    """The same tool as the engine's."""
    return page(arguments["page"], arguments["characters"])


@workflow.defn(name="FloorRun")
class FloorRun:
    """Plan, call, feed back, as few lines as can be."""

    @workflow.run
    async def run(self, given: dict[str, Any]) -> str:
        """Run until the planner finishes."""
        new: list[str] = [given["task"]]
        step = 0
        while True:
            step += 1
            plan: dict[str, Any] = await workflow.execute_activity(
                floor_plan,
                {**given, "step": step, "new": new},
                start_to_close_timeout=timedelta(seconds=30),
                heartbeat_timeout=timedelta(seconds=10),
                retry_policy=RETRY,
            )
            if "finish" in plan:
                return str(plan["finish"])
            result = await workflow.execute_activity(
                floor_read_page,
                plan["arguments"],
                start_to_close_timeout=timedelta(seconds=30),
                heartbeat_timeout=timedelta(seconds=10),
                retry_policy=RETRY,
            )
            new = [result]


def page(number: int, characters: int) -> str:
    """A page of text that is the same whenever it is read, and that no two pages share."""
    line = f"page {number}: the quick brown fox jumps over the lazy dog. "
    return (line * (characters // len(line) + 1))[:characters]
